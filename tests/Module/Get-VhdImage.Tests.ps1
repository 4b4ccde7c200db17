BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $null = New-DiskImage "$TestDrive/base.vhdx" -Size 8MB
    $null = New-DiskImage "$TestDrive/leaf.vhdx" -BackingFile base.vhdx
}

Describe 'Get-VhdImage' {
    It 'has the names of Get-VHD' {
        $info = Get-VhdImage $TestDrive/leaf.vhdx
        $info | Should -BeOfType ImageUtils.VhdChains.VhdImageInfo
        $info.VhdFormat | Should -Be 'VHDX'
        $info.VhdType | Should -Be 'Differencing'
        $info.Size | Should -Be 8MB
        $info.FileSize | Should -Be (Get-Item $TestDrive/leaf.vhdx).Length
        $info.BlockSize | Should -Be 2MB
        $info.LogicalSectorSize | Should -Be 512
        $info.PhysicalSectorSize | Should -BeIn 512, 4096
        $info.ParentPath | Should -Be "$TestDrive/base.vhdx"
        [guid]$info.DiskIdentifier | Should -Not -Be ([guid]::Empty)
        $info.FragmentationPercentage | Should -Be 0
        $info.Alignment | Should -Be 1
    }

    It 'describes the kinds of VHD' {
        (Get-VhdImage $data/disk-dynamic.vhd).VhdType | Should -Be 'Dynamic'
        $fixed = Get-VhdImage $data/disk-fixed.vhd
        $fixed.VhdType | Should -Be 'Fixed'
        $fixed.BlockSize | Should -Be 0
        (Get-VhdImage $data/*.vhd | Out-String) | Should -Match '(?s)vhd\s+Dynamic.*vhd\s+Fixed'
        Get-ChildItem $data/*.vhd | Get-VhdImage | Should -HaveCount 2
    }

    It 'is an error of one file for what is no VHD' {
        Get-VhdImage $data/disk.raw, $data/disk-fixed.vhd -ErrorAction SilentlyContinue -ErrorVariable errors | Should -HaveCount 1
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'VhdNotUsable,*'
    }
}
