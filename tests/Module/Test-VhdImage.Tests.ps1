BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    Copy-Item $data/disk-dynamic.vhd $TestDrive/damaged.vhd
    $bytes = [IO.File]::ReadAllBytes("$TestDrive/damaged.vhd")
    $bytes[700] = $bytes[700] -bxor 1
    [IO.File]::WriteAllBytes("$TestDrive/damaged.vhd", $bytes)
    $null = New-DiskImage "$TestDrive/base.vhd" -Size 8MB
    $null = New-DiskImage "$TestDrive/leaf.vhd" -BackingFile base.vhd
}

Describe 'Test-VhdImage' {
    It 'finds nothing wrong with what is sound' {
        $report = Test-VhdImage $data/disk-dynamic.vhd
        $report | Should -BeOfType ImageUtils.VhdChains.VhdImageReport
        $report.IsValid | Should -BeTrue
        $report.Problems | Should -BeNullOrEmpty
        ($report | Out-String) | Should -Match 'valid\s+dynamic'
        Get-ChildItem $data/*.vhd | Test-VhdImage -Quiet | Should -Be $true, $true
    }

    It 'names what is damaged' {
        $report = Test-VhdImage $TestDrive/damaged.vhd
        $report.IsValid | Should -BeFalse
        $report.ProblemCount | Should -Be 1
        $report.Problems | Should -Match 'dynamic header.s checksum'
        ($report | Out-String) | Should -Match 'NOT VALID'
        Test-VhdImage $TestDrive/damaged.vhd -Quiet | Should -BeFalse
    }

    It 'wants a parent that is there' {
        Test-VhdImage $TestDrive/leaf.vhd -Quiet | Should -BeTrue
        $null = New-DiskImage "$TestDrive/base.vhd" -Size 8MB -Force
        (Test-VhdImage $TestDrive/leaf.vhd).Problems | Should -Match "it is not the disk's parent"
        Remove-Item $TestDrive/base.vhd
        (Test-VhdImage $TestDrive/leaf.vhd).Problems | Should -Match 'was not found'
    }

    It 'is an error of one file for what is no VHD' {
        Test-VhdImage $data/disk.raw, $data/disk-fixed.vhd -Quiet -ErrorAction SilentlyContinue -ErrorVariable errors | Should -Be $true
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'VhdNotUsable,*'
    }
}
