BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $content = [byte[]]::new(1MB)
    [Array]::Fill($content, [byte]1, 0, 512KB)
    [IO.File]::WriteAllBytes("$TestDrive/full.raw", $content)
}

Describe 'Get-DiskImageMap' {
    It 'emits extents' {
        $extents = Get-DiskImageMap $TestDrive/full.raw
        $extents | Should -BeOfType ImageUtils.Mapping.DiskImageExtent
        $extents[0].Kind | Should -Be 'Data'
        $extents[0].File | Should -Be "$TestDrive/full.raw"
        $extents[0].HostOffset | Should -Be 0
        ($extents | Measure-Object Length -Sum).Sum | Should -Be 1MB
        ($extents | Out-String) | Should -Match 'Data\s+0\s+full\.raw'
    }

    It 'emits them as they come' {
        Get-DiskImageMap $TestDrive/full.raw, $data/overlay.qcow2 -ErrorAction Stop | Select-Object -First 1 |
            Should -HaveCount 1
    }

    It 'looks at a range' {
        $extents = Get-DiskImageMap $TestDrive/full.raw -Start 256KB -Length 4KB
        $extents.Start | Should -Be 256KB
        $extents.Length | Should -Be 4KB
        { Get-DiskImageMap $TestDrive/full.raw -Start 2MB -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidImageOption*'
    }

    It 'adds up' {
        $summary = Get-DiskImageMap $data/disk.qcow2 -Summary
        $summary | Should -BeOfType ImageUtils.Mapping.DiskImageMapSummary
        $summary.HoleBytes | Should -Be 1MB
        $summary.PercentAllocated | Should -Be 0
        $summary.ExtentCount | Should -Be 1
        ($summary | Out-String) | Should -Match 'qcow2\s+1 MiB\s+0 %'
    }

    It 'draws in the terminal' {
        $text = Get-DiskImageMap $TestDrive/full.raw -Picture -Width 80 | Out-String
        $text | Should -Match 'full\.raw: raw, 1 MiB'
        $text | Should -Match "0 B │█{64}│"
        $text | Should -Match 'A cell is 1 KiB, a row 64 KiB'
    }

    It 'draws an SVG, once it is asked to replace one' {
        Get-DiskImageMap $TestDrive/full.raw -SvgPath $TestDrive/full.svg | Should -BeNullOrEmpty
        ([xml](Get-Content -Raw $TestDrive/full.svg)).svg.title | Should -Be 'Allocation of full.raw'
        { Get-DiskImageMap $TestDrive/full.raw -SvgPath $TestDrive/full.svg -ErrorAction Stop } |
            Should -Throw -ErrorId 'DestinationExists*'
        (Get-DiskImageMap $TestDrive/full.raw -SvgPath $TestDrive/full.svg -Force -PassThru).Name | Should -Be 'full.svg'
    }

    It 'draws many into a directory' {
        $target = New-Item -ItemType Directory $TestDrive/pictures
        Get-Item $data/disk.qcow2, $data/disk.raw | Get-DiskImageMap -SvgPath $target
        (Get-ChildItem $target).Name | Should -Be 'disk.qcow2.svg', 'disk.raw.svg'
        Get-Item $data/disk.qcow2, $data/disk.raw |
            Get-DiskImageMap -SvgPath $TestDrive/one.svg -ErrorVariable errors -ErrorAction SilentlyContinue
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'DestinationIsTaken,*'
    }

    It 'writes nothing with -WhatIf' {
        $summary = Get-DiskImageMap $TestDrive/full.raw -SvgPath $TestDrive/none.svg -Summary -WhatIf
        $summary.AllocatedBytes | Should -BeGreaterThan 0
        "$TestDrive/none.svg" | Should -Not -Exist
    }

    It 'opens no backing file that is not allowed' {
        { Get-DiskImageMap $data/overlay.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageIsUnsafe*'
    }
}
