BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'New-VhdImage' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
    }

    AfterEach { Pop-Location }

    It 'makes a dynamic disk of what the extension says' {
        $vhd = New-VhdImage a.vhd 20GB
        $vhd | Should -BeOfType ImageUtils.VhdChains.VhdImageInfo
        $vhd.Path | Should -Be (Get-Item a.vhd).FullName
        $vhd.VhdFormat, $vhd.VhdType, $vhd.Size, $vhd.BlockSize | Should -Be 'Vhd', 'Dynamic', 20GB, 2MB
        $vhdx = New-VhdImage a.avhdx -SizeBytes 1GB -Dynamic -BlockSizeBytes 1MB
        $vhdx.VhdFormat, $vhdx.VhdType, $vhdx.Size, $vhdx.BlockSize | Should -Be 'Vhdx', 'Dynamic', 1GB, 1MB
    }

    It 'makes fixed disks' {
        (New-VhdImage a.vhd 4MB -Fixed).VhdType | Should -Be Fixed
        (Get-Item a.vhd).Length | Should -Be (4MB + 512)
        (New-VhdImage b.vhdx 4MB -Fixed -Preallocation Falloc).VhdType | Should -Be Fixed
    }

    It 'makes differencing disks, whose parent is found from the current location' {
        $null = New-Item -ItemType Directory sub
        foreach ($extension in 'vhd', 'vhdx') {
            $base = New-VhdImage "base.$extension" 8MB
            $child = New-VhdImage -Path "sub/child.$extension" -ParentPath "base.$extension" -Differencing
            $child.VhdType, $child.Size, $child.ParentId | Should -Be 'Differencing', 8MB, $base.UniqueId
            $child.ParentPath | Should -Match 'base'
            (New-VhdImage "sub/grandchild.$extension" -ParentPath "sub/child.$extension" -Size 9MB -AllowBackingFile .).Size |
                Should -Be 9MB
            { New-VhdImage "x.$extension" -ParentPath "sub/grandchild.$extension" -ErrorAction Stop } |
                Should -Throw -ErrorId 'ImageIsUnsafe*'
        }
    }

    It 'puts a VHD over a raw disk' {
        [IO.File]::WriteAllBytes("$directory/disk.raw", [byte[]]::new(1MB))
        (New-VhdImage over.vhd -ParentPath disk.raw -ParentFormat raw).Size | Should -Be 1MB
    }

    It 'makes many, and goes on after one that fails' {
        $null = New-VhdImage b.vhd 1MB
        $made = 'a.vhd', 'b.vhd', 'c.qcow2', 'd.vhdx' | New-VhdImage -Size 1MB -ErrorAction SilentlyContinue -ErrorVariable failed
        $made.Path | Split-Path -Leaf | Should -Be a.vhd, d.vhdx
        $failed.FullyQualifiedErrorId | Should -BeLike '*NewVhdImageCommand'
        $failed[0].CategoryInfo.Category | Should -Be ResourceExists
        $failed[1].Exception.Message | Should -BeLike '*-Format*'
        (New-VhdImage b.vhd 2MB -Force).Size | Should -Be 2MB
        (New-VhdImage c.qcow2 2MB -Format vhd).VhdFormat | Should -Be Vhd
    }

    It 'changes nothing with -WhatIf' {
        New-VhdImage a.vhd 1MB -WhatIf | Should -BeNullOrEmpty
        Test-Path a.vhd | Should -BeFalse
    }

    It 'does not take what does not go together' {
        { New-VhdImage a.vhd 1MB -Fixed -Dynamic } | Should -Throw -ErrorId 'AmbiguousParameterSet*'
        { New-VhdImage a.vhd many } | Should -Throw -ErrorId 'InvalidImageOption*'
    }

    It 'has help with examples' {
        (Get-Help New-VhdImage -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
