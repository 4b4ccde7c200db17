BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $noise = [byte[]]::new(700000)
    [Random]::new(4).NextBytes($noise)
    $content = [byte[]]::new(4MB)
    $noise.CopyTo($content, 100000)
    [IO.File]::WriteAllBytes("$TestDrive/disk.raw", $content)
}

Describe 'Measure-DiskImage' {
    It 'says the length of the file that Convert-DiskImage makes: <_>' -ForEach 'raw', 'qcow2', 'vhd', 'vmdk', 'vdi' {
        $measured = Measure-DiskImage $TestDrive/disk.raw $_
        $measured | Should -BeOfType ImageUtils.Conversion.ImageMeasurement
        $made = "$TestDrive/made.$_"
        & (Get-Module ImageUtils) { param($from, $to, $format) Convert-DiskImage $from $to $format -Force } "$TestDrive/disk.raw" $made $_
        $measured.RequiredBytes | Should -Be (Get-Item $made).Length
        $measured.FullyAllocatedBytes | Should -BeGreaterOrEqual $measured.RequiredBytes
        $measured.Path | Should -Be "$TestDrive/disk.raw"
    }

    It 'measures an empty disk' {
        $measured = Measure-DiskImage -Size 10GB -DestinationFormat vpc -Subformat fixed
        $measured.RequiredBytes | Should -Be (10GB + 512)
        $measured.FullyAllocatedBytes | Should -Be (10GB + 512)
        $measured.Path | Should -BeNullOrEmpty
        ($measured | Out-String) | Should -Match 'vhd\s+10 GiB\s+10737418752'
    }

    It 'compresses to know what compressing gives' {
        $plain = Measure-DiskImage $data/disk.vdi qcow2
        $measured = Get-Item $TestDrive/disk.raw, $data/disk.vdi | Measure-DiskImage -DestinationFormat qcow2 -Compress
        $measured.Count | Should -Be 2
        $measured[1].RequiredBytes | Should -Be $plain.RequiredBytes
    }

    It 'takes the format from the configuration, or says that there is none' {
        { Measure-DiskImage $TestDrive/disk.raw } | Should -Throw -ErrorId 'NoDestinationFormat*'
        $env:IMAGEUTILS_DEFAULT_FORMAT = 'raw'
        try {
            (Measure-DiskImage $TestDrive/disk.raw).RequiredBytes | Should -Be 4MB
        } finally {
            Remove-Item env:IMAGEUTILS_DEFAULT_FORMAT
        }
    }

    It 'is an error for each image that cannot be measured' {
        $measured = Measure-DiskImage $data/overlay.qcow2, $TestDrive/disk.raw raw -ErrorVariable errors -ErrorAction SilentlyContinue
        $measured.RequiredBytes | Should -Be 4MB
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'ImageIsUnsafe,*'
        { Measure-DiskImage -Size 1MB -DestinationFormat qed -ErrorAction Stop } | Should -Throw -ErrorId 'ImageNotSupported*'
    }
}
