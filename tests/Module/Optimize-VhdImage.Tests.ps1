BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Optimize-VhdImage' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        # A fixed disk's data as a dynamic disk has it that was filled once: every block is there.
        $bytes = [byte[]]::new(8MB)
        for ($at = 0; $at -lt 8MB; $at += 2MB) { $bytes[$at] = 1 }
        [IO.File]::WriteAllBytes("$directory/full.raw", $bytes)
        $null = Convert-DiskImage full.raw full.vhd -KnownRaw
        $file = [IO.File]::OpenWrite("$directory/full.vhd")
        # Behind footer, header and table the blocks lie in order, each behind its bitmap of 512 bytes.
        foreach ($block in 1, 2) { $file.Position = 2048 + $block * (2MB + 512) + 512; $file.WriteByte(0) }
        $file.Close()
    }

    AfterEach { Pop-Location }

    It 'drops blocks of zeros' {
        $before = (Get-Item full.vhd).Length
        $result = Optimize-VhdImage full.vhd -Verify
        $result | Should -BeOfType ImageUtils.VhdChains.VhdCompactResult
        $result.OldFileSize, $result.NewFileSize | Should -Be $before, (Get-Item full.vhd).Length
        $result.DroppedBlocks, $result.BlockCount, $result.Compacted, $result.Verified | Should -Be 2, 2, $true, $true
        $result.NewFileSize | Should -BeLessThan ($before - 4MB + 4KB)
        ($result | Out-String) | Should -Match 'Dropped'
        Get-ChildItem -Force -Name | Should -Be full.raw, full.vhd
    }

    It 'leaves a disk that would not become smaller, and says so' {
        $null = Optimize-VhdImage full.vhd
        $hash = (Get-FileHash full.vhd).Hash
        $result = Optimize-VhdImage full.vhd -WarningVariable warned -WarningAction SilentlyContinue
        $warned | Should -BeLike '*would not become smaller*'
        $result.Compacted, $result.OldFileSize | Should -Be $false, $result.NewFileSize
        (Get-FileHash full.vhd).Hash | Should -Be $hash
    }

    It 'drops blocks that are equal to the parent, which lies in the same directory' {
        $null = New-VhdImage child.vhd -ParentPath full.vhd
        (Optimize-VhdImage child.vhd -WarningAction SilentlyContinue).Compacted | Should -BeFalse
    }

    It 'changes nothing with -WhatIf' {
        $hash = (Get-FileHash full.vhd).Hash
        Optimize-VhdImage full.vhd -WhatIf | Should -BeNullOrEmpty
        (Get-FileHash full.vhd).Hash | Should -Be $hash
    }

    It 'takes files from the pipeline, and goes on after one that fails' {
        $null = New-VhdImage fixed.vhd 1MB -Fixed
        $files = Get-ChildItem *.raw, *.vhd | Optimize-VhdImage -PassThru -ErrorAction SilentlyContinue -ErrorVariable failed
        $files.Name | Should -Be full.vhd
        $failed | Should -HaveCount 2
        $failed.CategoryInfo.Category | Should -Be NotImplemented, NotImplemented
    }

    It 'has help with examples' {
        (Get-Help Optimize-VhdImage -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
