BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $hasQemu = [bool](Get-Command qemu-img -ErrorAction Ignore)
}

Describe 'New-DiskImage' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        Copy-Item "$data/disk.qcow2"
    }

    AfterEach { Pop-Location }

    It 'makes an empty image and says what it is' {
        $image = New-DiskImage new.img qcow2 10GB -ClusterSize 4KB -FormatVersion 2
        $image | Should -BeOfType ImageUtils.Qemu.QemuImageInfo
        $image.FileName | Should -Be (Get-Item new.img).FullName
        $image.Format | Should -Be Qcow2
        $image.VirtualSize | Should -Be 10GB
        $image.ClusterSize | Should -Be 4KB
        $image.FormatSpecific.Compat | Should -Be '0.10'
        (Test-ImageFormat new.img).IsSafe | Should -BeTrue
    }

    It 'takes the format from the extension, and sizes as numbers and as text' {
        (New-DiskImage a.vhd -Size 20MB).Format | Should -Be Vhd
        (New-DiskImage b.vmdk -Size 1.5G).VirtualSize | Should -Be 1.5GB
        (New-DiskImage c.vdi -Size (3 * 1MB)).VirtualSize | Should -Be 3MB
        $size = 5MB
        (New-DiskImage d.raw -Size $size).VirtualSize | Should -Be 5MB
        (Get-Item d.raw).Length | Should -Be 5MB
        { New-DiskImage nothing -Size 5MB -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidImageOption*'
        { New-DiskImage e.raw -Size many } | Should -Throw -ErrorId 'InvalidImageOption*'
    }

    It 'makes many from the pipeline, and goes on after one that cannot be made' {
        $images = 'a.qcow2', 'disk.qcow2', 'b.qcow2' |
            New-DiskImage -Size 1MB -ErrorAction SilentlyContinue -ErrorVariable failed
        $images.FileName | Split-Path -Leaf | Should -Be 'a.qcow2', 'b.qcow2'
        $failed | Should -HaveCount 1
        $failed[0].FullyQualifiedErrorId | Should -BeLike 'DestinationExists*'
        $failed[0].CategoryInfo.Category | Should -Be ResourceExists
        (New-DiskImage disk.qcow2 -Size 3MB -Force).VirtualSize | Should -Be 3MB
    }

    It 'bases an image on another' {
        $image = New-DiskImage over.qcow2 -BackingFile disk.qcow2
        $image.BackingFile | Should -Be disk.qcow2
        $image.BackingFormat | Should -Be qcow2
        $image.VirtualSize | Should -Be (Get-QemuImageInfo disk.qcow2).VirtualSize
        $image.Failures | Should -BeNullOrEmpty
        New-DiskImage parent.vhd -Size 20MB
        $child = New-DiskImage child.vhd -Parent parent.vhd
        $child.FormatSpecific.DiskType | Should -Be differencing
        $child.FormatSpecific.ParentId | Should -Be (Get-QemuImageInfo parent.vhd).FormatSpecific.UniqueId
    }

    It 'refuses a backing file that is another, unsafe or missing' {
        { New-DiskImage x.qcow2 -BackingFile disk.qcow2 -BackingFormat vhd -ErrorAction Stop } |
            Should -Throw -ErrorId 'ImageFormatMismatch*'
        { New-DiskImage x.qcow2 -BackingFile "$data/overlay.qcow2" -ErrorAction Stop } |
            Should -Throw -ErrorId 'ImageIsUnsafe*'
        { New-DiskImage x.qcow2 -BackingFile missing -ErrorAction Stop } | Should -Throw -ErrorId 'FileNotFound*'
        { New-DiskImage x.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidImageOption*'
        Get-ChildItem -Force | Should -HaveCount 1
    }

    It 'makes nothing with -WhatIf' {
        New-DiskImage x.qcow2 -Size 1MB -WhatIf | Should -BeNullOrEmpty
        Get-ChildItem -Force | Should -HaveCount 1
    }

    It 'makes an encrypted image by qemu-img' {
        if (-not $hasQemu) { Set-ItResult -Skipped -Because 'there is no qemu-img'; return }
        $secret = ConvertTo-SecureString secret -AsPlainText -Force
        $image = New-DiskImage volume.luks -Size 2MB -Passphrase $secret -CipherSpec aes-xts-plain64 -KeySize 512
        $image.Format | Should -Be Luks
        $image.FormatSpecific | Should -BeOfType ImageUtils.Formats.Luks.LuksDetails
        Get-ChildItem -Force | Should -HaveCount 2
    }

    It 'has help with examples' {
        (Get-Help New-DiskImage -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
