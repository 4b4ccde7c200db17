BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
}

Describe 'Resize-DiskImage' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        Copy-Item "$data/disk.qcow2", "$data/disk.raw", "$data/disk.vdi"
    }

    AfterEach { Pop-Location }

    It 'grows an image to a size' {
        $result = Resize-DiskImage disk.qcow2 20MB
        $result | Should -BeOfType ImageUtils.Resizing.ImageResizeResult
        $result.Path | Should -Be (Get-Item disk.qcow2).FullName
        $result.Format | Should -Be Qcow2
        $result.OldSize | Should -Be 1MB
        $result.NewSize | Should -Be 20MB
        (Get-QemuImageInfo disk.qcow2).VirtualSize | Should -Be 20MB
        ($result | Out-String) | Should -Match '20 MiB'
    }

    It 'grows and shrinks by a difference' {
        (Resize-DiskImage disk.qcow2 +10GB).NewSize | Should -Be (10GB + 1MB)
        (Resize-DiskImage disk.qcow2 '-10G' -AllowShrink).NewSize | Should -Be 1MB
        (Resize-DiskImage disk.vdi -Size +512K).Method | Should -Be Rewritten
        (Get-QemuImageInfo disk.vdi).VirtualSize | Should -Be (64MB + 512KB)
    }

    It 'takes files from the pipeline, and goes on after one that fails' {
        $results = Get-Item disk.raw, disk.vdi, disk.qcow2 |
            Resize-DiskImage -Size 2MB -SourceFormat raw -ErrorAction SilentlyContinue -ErrorVariable failed
        $results.Path | Split-Path -Leaf | Should -Be disk.raw
        $results.Method | Should -Be InPlace
        (Get-Item disk.raw).Length | Should -Be 2MB
        $failed.FullyQualifiedErrorId | Should -BeLike 'ImageFormatMismatch*'
        $failed | Should -HaveCount 2
    }

    It 'shrinks only where that is allowed and nothing is lost' {
        [IO.File]::WriteAllBytes("$directory/data.raw", [byte[]](@(0) * 5000 + 7 + @(0) * 5000))
        { Resize-DiskImage data.raw 8000 -ErrorAction Stop } | Should -Throw -ErrorId 'ShrinkNotAllowed*'
        { Resize-DiskImage data.raw 5000 -AllowShrink -ErrorAction Stop } | Should -Throw -ErrorId 'DataBeyondNewEnd*'
        $Error[0].Exception.Message | Should -BeLike '*up to byte 5000: it needs 5001 bytes*'
        $Error[0].CategoryInfo.Category | Should -Be InvalidOperation
        (Resize-DiskImage data.raw 5001 -AllowShrink -PassThru).Length | Should -Be 5001
    }

    It 'changes nothing with -WhatIf' {
        $before = (Get-FileHash disk.raw).Hash
        Resize-DiskImage disk.raw 2MB -WhatIf | Should -BeNullOrEmpty
        (Get-FileHash disk.raw).Hash | Should -Be $before
    }

    It 'takes an image that is known to be raw at its length' {
        (Resize-DiskImage disk.qcow2 3MB -KnownRaw).Format | Should -Be Raw
        (Get-Item disk.qcow2).Length | Should -Be 3MB
    }

    It 'lets qemu-img do it' {
        if (-not (Get-Command qemu-img -ErrorAction Ignore)) { Set-ItResult -Skipped -Because 'there is no qemu-img'; return }
        (Resize-DiskImage disk.qcow2 2MB -Engine Qemu).Method | Should -Be Qemu
        (Get-QemuImageInfo disk.qcow2).VirtualSize | Should -Be 2MB
    }

    It 'refuses what is no size' {
        { Resize-DiskImage disk.raw many } | Should -Throw -ErrorId 'InvalidImageOption*'
        { Resize-DiskImage disk.raw -Size '-1T' -AllowShrink -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidImageOption*'
    }

    It 'has help with examples' {
        (Get-Help Resize-DiskImage -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
