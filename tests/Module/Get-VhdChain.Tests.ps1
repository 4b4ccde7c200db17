BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    foreach ($kind in 'vhd', 'vhdx') {
        $null = New-DiskImage "$TestDrive/base.$kind" -Size 8MB
        $null = New-DiskImage "$TestDrive/middle.$kind" -BackingFile "base.$kind"
        $null = New-DiskImage "$TestDrive/leaf.$kind" -BackingFile "middle.$kind" -AllowBackingFile $TestDrive
    }
}

Describe 'Get-VhdChain' {
    It 'emits the disks of a chain of <_>, leaf first' -ForEach 'vhd', 'vhdx' {
        $links = Get-VhdChain "$TestDrive/leaf.$_"
        $links | Should -HaveCount 3
        $links | Should -BeOfType ImageUtils.VhdChains.VhdChainLink
        $links.Index | Should -Be 0, 1, 2
        $links.Type | Should -Be 'differencing', 'differencing', 'dynamic'
        ($links.Path | Split-Path -Leaf) | Should -Be "leaf.$_", "middle.$_", "base.$_"
        $links[0].ParentFound | Should -BeTrue
        $links[0].ParentId | Should -Be $links[1].UniqueId
        $links.Problems | Should -BeNullOrEmpty
        ($links | Out-String) | Should -Match '0 differencing\s+8 MiB\s+\S+ \S+ found'
    }

    It 'takes files from the pipeline, and passes over directories' {
        $null = New-Item -ItemType Directory "$TestDrive/more/empty" -Force
        $null = New-DiskImage "$TestDrive/more/a.vhd" -Size 8MB
        Get-ChildItem "$TestDrive/more" | Get-VhdChain -ErrorAction Stop | Should -HaveCount 1
        Get-VhdChain "$TestDrive/more/*" -ErrorAction Stop | Should -HaveCount 1
        Get-VhdChain -LiteralPath "$TestDrive/leaf.vhd" | Should -HaveCount 3
    }

    It 'says where a chain breaks, and ends there' {
        $broken = New-Item -ItemType Directory "$TestDrive/broken"
        Copy-Item "$TestDrive/leaf.vhd", "$TestDrive/middle.vhd" $broken
        $links = Get-VhdChain $broken/leaf.vhd -ErrorAction Stop
        $links | Should -HaveCount 2
        $links[1].ParentFound | Should -BeFalse
        $links[1].Problems | Should -Match 'base\.vhd.* was not found'
        ($links | Out-String) | Should -Match 'MISSING'
        $null = New-DiskImage $broken/base.vhd -Size 8MB
        (Get-VhdChain $broken/leaf.vhd)[1].IdMatches | Should -BeFalse
    }

    It 'looks at parents elsewhere only where they are allowed' {
        $null = New-Item -ItemType Directory "$TestDrive/children"
        $null = New-DiskImage "$TestDrive/children/leaf.vhd" -BackingFile ../base.vhd
        Get-VhdChain $TestDrive/children/leaf.vhd | Should -HaveCount 1
        Get-VhdChain $TestDrive/children/leaf.vhd -AllowBackingFile $TestDrive | Should -HaveCount 2
        Get-VhdChain $TestDrive/children/leaf.vhd -Policy @{ BackingFileDirectories = "$TestDrive" } | Should -HaveCount 2
    }

    It 'takes a directory for an exported image' {
        $image = New-Item -ItemType Directory "$TestDrive/image"
        Copy-Item "$TestDrive/leaf.vhd" $image/0.vhd
        Copy-Item "$TestDrive/middle.vhd" $image/1.vhd
        Copy-Item "$TestDrive/base.vhd" $image/2.vhd
        $links = Get-VhdChain $image
        ($links.Path | Split-Path -Leaf) | Should -Be '0.vhd', '1.vhd', '2.vhd'
        $links[0].IdMatches | Should -BeTrue
        Get-VhdChain $image.Parent.FullName -ErrorAction SilentlyContinue -ErrorVariable errors | Should -BeNullOrEmpty
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'VhdNotInChain,*'
    }

    It 'reports each chain that cannot be followed, and goes on' {
        $links = Get-VhdChain $root/tests/data/disk.qcow2, $TestDrive/none.vhd, $TestDrive/leaf.vhd -ErrorAction SilentlyContinue -ErrorVariable errors
        $links | Should -HaveCount 3
        $errors.FullyQualifiedErrorId | Should -HaveCount 2
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'VhdNotUsable,*'
        $errors[0].CategoryInfo.Category | Should -Be InvalidData
        $errors[1].FullyQualifiedErrorId | Should -BeLike 'FileNotFound,*'
    }

    It 'is piped on' {
        (Get-VhdChain $TestDrive/leaf.vhd | Test-VhdImage -Quiet) | Should -Be $true, $true, $true
        (Get-VhdChain $TestDrive/leaf.vhdx | Test-ImageFormat -AllowBackingFile $TestDrive).IsSafe | Should -Be $true, $true, $true
    }

    It 'is piped on by exact names, whatever letters they have' {
        $odd = [IO.Directory]::CreateDirectory("$TestDrive/a[1]").FullName
        foreach ($name in 'leaf', 'middle', 'base') { [IO.File]::Copy("$TestDrive/$name.vhd", "$odd/$name.vhd") }
        $null = [IO.Directory]::CreateDirectory("$TestDrive/a1")
        [IO.File]::Copy("$TestDrive/base.vhd", "$TestDrive/a1/leaf.vhd")
        Push-Location -LiteralPath $TestDrive
        try {
            $links = Get-VhdChain -LiteralPath './a[1]/leaf.vhd'
            $links.Path | Should -Be "$odd/leaf.vhd", "$odd/middle.vhd", "$odd/base.vhd"
            $reports = $links | Test-ImageFormat -AllowBackingFile $odd -ErrorAction Stop
            $reports.Path | Should -Be $links.Path
            $reports.IsSafe | Should -Be $true, $true, $true
            ($links | Get-VhdImage -ErrorAction Stop).Path | Should -Be $links.Path
            ($links | Test-VhdImage -ErrorAction Stop).Path | Should -Be $links.Path
            ($links | Get-VhdChain -ErrorAction Stop).Index | Should -Be 0, 1, 2, 0, 1, 0
            ($links | Convert-DiskImage -Destination a1 -DestinationFormat raw -AllowBackingFile $odd -ErrorAction Stop).Source |
                Should -Be $links.Path
            $links | Select-Object Path | Test-ImageFormat -ErrorAction SilentlyContinue -ErrorVariable pattern | Out-Null
            $pattern | Should -HaveCount 2
            ($links | Merge-VhdChain -ErrorAction Stop).Path | Should -Be "$odd/base.vhd"
        }
        finally {
            Pop-Location
        }
    }

    It 'takes what other cmdlets emit by exact names' {
        $odd = [IO.Directory]::CreateDirectory("$TestDrive/b[2]").FullName
        $made = New-DiskImage "$odd/a.vhd" -Size 8MB
        foreach ($result in @(
                $made
                New-VhdImage "$odd/b.vhd" -SizeBytes 8MB
                Convert-DiskImage -LiteralPath "$odd/a.vhd" "$odd/c.vhd"
                Resize-DiskImage -LiteralPath "$odd/c.vhd" 16MB
                Optimize-VhdImage -LiteralPath "$odd/c.vhd"
                Test-VhdImage -LiteralPath "$odd/c.vhd"
                Test-ImageFormat -LiteralPath "$odd/c.vhd"
                Get-DiskImageMap -LiteralPath "$odd/c.vhd" -Summary
                Measure-DiskImage -LiteralPath "$odd/c.vhd" raw
                Compare-DiskImage -LiteralPath "$odd/c.vhd" "$odd/c.vhd"
                Get-QemuImageInfo -LiteralPath "$odd/c.vhd"
                Repair-VhdChain -LiteralPath "$odd/c.vhd")) {
            $result | Should -Not -BeNullOrEmpty
            $reports = $result | Test-ImageFormat -ErrorAction Stop
            $reports.Path | Should -BeLike "$TestDrive/b``[2``]/?.vhd" -Because $result.GetType().Name
            $reports.IsSafe | Should -BeTrue
        }
    }
}

Describe 'Chains of <_>' -ForEach 'vhd', 'vhdx' {
    It 'are compared and mapped by the cmdlets for all images' {
        $leaf = "$TestDrive/leaf.$_"
        (Compare-DiskImage $leaf "$TestDrive/base.$_" -AllowBackingFile $TestDrive).IsIdentical | Should -BeTrue
        { Compare-DiskImage $leaf "$TestDrive/base.$_" -ErrorAction Stop } | Should -Throw -ErrorId 'ImageIsUnsafe*'
        $summary = Get-DiskImageMap $leaf -Summary -AllowBackingFile $TestDrive
        $summary.VirtualSize | Should -Be 8MB
        $summary.HoleBytes + $summary.ZeroBytes | Should -Be 8MB
    }
}

Describe 'Chains of <_> that Hyper-V made' -ForEach 'vhd', 'vhdx' {
    BeforeAll {
        $kind = $_
        $hyperV = (New-Item -ItemType Directory "$TestDrive/hyper-v-$kind").FullName
        $raw = "$hyperV/disk.raw"
        $bytes = [byte[]]::new(3MB)
        [Random]::new(5).NextBytes($bytes)
        [IO.File]::WriteAllBytes($raw, $bytes)
        $null = Convert-DiskImage $raw "$hyperV/2.$kind" $kind -KnownRaw
        foreach ($index in 1, 0) {
            $parent = "$($index + 1).$kind"
            $file = "$hyperV/$index.$kind"

            # Here a backslash is a letter like any other; in the disk it is what it is to Windows.
            [IO.File]::Copy("$hyperV/$parent", "$hyperV/\\host\$parent")
            $null = New-DiskImage $file -BackingFile "\\host\$parent" -AllowBackingFile $hyperV
            [IO.File]::Delete("$hyperV/\\host\$parent")

            # The locators, which come last, have no checksum.
            $latin = [Text.Encoding]::Latin1
            $text = $latin.GetString([IO.File]::ReadAllBytes($file))
            $from = $latin.GetString([Text.Encoding]::Unicode.GetBytes("\\host\$parent"))
            $to = $latin.GetString([Text.Encoding]::Unicode.GetBytes("C:\vms\$parent"))
            $at = $text.LastIndexOf($from, [StringComparison]::Ordinal)
            [IO.File]::WriteAllBytes($file, $latin.GetBytes($text.Remove($at, $from.Length).Insert($at, $to)))
        }
    }

    It 'are followed, and read where their directory is allowed' {
        Get-VhdChain "$hyperV/0.$kind" | Should -HaveCount 3
        (Compare-DiskImage "$hyperV/0.$kind" $raw -AllowBackingFile $hyperV).IsIdentical | Should -BeTrue
        foreach ($format in 'qcow2', 'raw', 'vhd') {
            $null = Convert-DiskImage "$hyperV/0.$kind" "$hyperV/out.$format" $format -AllowBackingFile $hyperV
            (Compare-DiskImage "$hyperV/out.$format" $raw).IsIdentical | Should -BeTrue
        }
    }

    It 'are refused where it is not' {
        foreach ($options in @{}, @{ AllowBackingFile = '/srv' }) {
            { Convert-DiskImage "$hyperV/0.$kind" "$hyperV/refused.raw" raw @options -ErrorAction Stop } |
                Should -Throw -ErrorId 'ImageIsUnsafe*' -ExpectedMessage '*C:\vms\1.*allow its directory with -AllowBackingFile*'
            { Compare-DiskImage "$hyperV/0.$kind" $raw @options -ErrorAction Stop } | Should -Throw -ErrorId 'ImageIsUnsafe*'
        }

        Test-Path "$hyperV/refused.raw" | Should -BeFalse
    }

    It 'are merged' {
        $null = Merge-VhdChain "$hyperV/0.$kind" -Destination "$hyperV/merged.qcow2"
        (Compare-DiskImage "$hyperV/merged.qcow2" $raw).IsIdentical | Should -BeTrue
        (Merge-VhdChain "$hyperV/0.$kind" -Verify).Path | Should -Be "$hyperV/2.$kind"
        (Compare-DiskImage "$hyperV/2.$kind" $raw).IsIdentical | Should -BeTrue
        (Get-ChildItem "$hyperV/[01].$kind") | Should -BeNullOrEmpty
    }
}
