BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $small = "$TestDrive/small"
    $null = New-Item -ItemType Directory $small
    mount -t tmpfs -o size=2560k tmpfs $small 2>$null
    $mounted = $LASTEXITCODE -eq 0
}

AfterAll {
    if ($mounted) { umount $small }
}

Describe 'Test-ImageSpace' {
    It 'says what there is and what is needed' {
        $report = Test-ImageSpace -RequiredBytes 1KB -Destination $TestDrive
        $report | Should -BeOfType ImageUtils.Space.ImageSpaceReport
        $report.Kind | Should -Be 'Destination'
        $report.Directory | Should -Be "$TestDrive"
        $report.FileSystem | Should -Not -BeNullOrEmpty
        $report.MountPoint | Should -Not -BeNullOrEmpty
        $report.RequiredBytes | Should -Be 1KB
        $report.AvailableBytes | Should -BeGreaterThan 0
        $report.IsEnough | Should -BeTrue
        $report.Message | Should -BeNullOrEmpty
    }

    It 'says what is missing' {
        $report = Test-ImageSpace -RequiredBytes 1PB -Destination "$TestDrive/disk.raw"
        $report.IsEnough | Should -BeFalse
        $report.Message | Should -BeLike "'$TestDrive'*1 PiB*"
        ($report | Out-String) | Should -Match 'NO'
    }

    It 'adds up what is on one file system' {
        $reports = Test-ImageSpace -RequiredBytes 5KB -Destination $TestDrive -TemporaryDirectory $TestDrive -TemporaryBytes 7KB
        $reports.Kind | Should -Be 'Destination', 'Temporary'
        $reports.RequiredBytes | Should -Be 5KB, 7KB
        $reports.TotalRequiredBytes | Should -Be 12KB, 12KB
    }

    It 'takes the temporary directory from the configuration' {
        $env:IMAGEUTILS_CONVERSION_DIRECTORY = "$TestDrive"
        try {
            (Test-ImageSpace -RequiredBytes 1 -Destination / -TemporaryBytes 1)[1].Directory | Should -Be "$TestDrive"
        } finally {
            Remove-Item env:IMAGEUTILS_CONVERSION_DIRECTORY
        }
    }

    It 'counts each image beside those before it' {
        if (-not $mounted) { Set-ItResult -Skipped -Because 'nothing can be mounted'; return }
        $reports = Get-Item $data/disk.qcow2, $data/disk-v2.qcow2, $data/disk-zstd.qcow2 |
            Test-ImageSpace -Destination $small
        $reports.RequiredBytes | Should -Be 1MB, 1MB, 1MB
        $reports.TotalRequiredBytes | Should -Be 1MB, 2MB, 3MB
        $reports.IsEnough | Should -Be $true, $true, $false
        $reports.MountPoint | Should -Be (@($small) * 3)
        $reports.FileSystem | Should -Be (@('tmpfs') * 3)
        $reports[2].Message | Should -BeLike "*the file system $small (tmpfs on tmpfs)*"
        $reports.Image | Split-Path -Leaf | Should -Be 'disk.qcow2', 'disk-v2.qcow2', 'disk-zstd.qcow2'
        Test-ImageSpace "$data/disk*.qcow2" $small -Quiet | Should -Be $true, $true, $false
    }

    It 'compares with a volume as Cinder does' {
        $report = Test-ImageSpace "$data/disk.qcow2" -VolumeSize 1
        $report.Kind | Should -Be 'Volume'
        $report.AvailableBytes | Should -Be 1GB
        $report.IsEnough | Should -BeTrue
        $report = Test-ImageSpace "$data/disk.qcow2" -VolumeSize 0
        $report.IsEnough | Should -BeFalse
        $report.Message | Should -BeLike '*must have 1 GiB; it has 0 GiB.'
        Test-ImageSpace "$data/disk.qcow2" $TestDrive -VolumeSize 0 -Quiet | Should -BeExactly $false
    }

    It 'goes on after an image that has no size or is another' {
        $reports = Test-ImageSpace -LiteralPath "$data/disk.qcow2.gz", "$data/disk.vdi", "$data/disk.qcow2" $TestDrive `
            -SourceFormat qcow2 -ErrorAction SilentlyContinue -ErrorVariable failed
        $reports | Should -HaveCount 1
        $failed[0].FullyQualifiedErrorId | Should -BeLike 'ImageFormatMismatch*'
        $failed[1].FullyQualifiedErrorId | Should -BeLike 'ImageFormatMismatch*'
        { Test-ImageSpace "$data/disk.qcow2.gz" $TestDrive -ErrorAction Stop } | Should -Throw -ErrorId 'VirtualSizeUnknown*'
    }

    It 'takes an image that is known to be raw at its length' {
        (Test-ImageSpace "$data/disk.qcow2" $TestDrive -SourceFormat raw).RequiredBytes |
            Should -Be (Get-Item "$data/disk.qcow2").Length
    }

    It 'takes what a conversion would write where a format is named' {
        (Test-ImageSpace "$data/disk.qcow2" $TestDrive).RequiredBytes | Should -Be 1MB
        (Test-ImageSpace "$data/disk.qcow2" $TestDrive -DestinationFormat raw).RequiredBytes | Should -Be 0
        $dynamic = (Test-ImageSpace "$data/disk.qcow2" $TestDrive -DestinationFormat vhd).RequiredBytes
        $dynamic | Should -BeGreaterThan 0
        $dynamic | Should -BeLessThan 16KB
        $content = [byte[]]::new(1MB)
        [Array]::Fill($content, [byte]1)
        [IO.File]::WriteAllBytes("$TestDrive/full.raw", $content)
        (Test-ImageSpace "$TestDrive/full.raw" $TestDrive -DestinationFormat vpc -Subformat fixed).RequiredBytes |
            Should -Be (1MB + 512)
        $reports = Test-ImageSpace "$TestDrive/full.raw" $TestDrive -DestinationFormat qcow2 -VolumeSize 1
        $reports[0].RequiredBytes | Should -BeGreaterThan 1MB
        $reports[1].RequiredBytes | Should -Be 1MB
        { Test-ImageSpace "$data/overlay.qcow2" $TestDrive -DestinationFormat raw -ErrorAction Stop } |
            Should -Throw -ErrorId 'ImageIsUnsafe*'
    }

    It 'refuses what is no place' {
        { Test-ImageSpace "$data/disk.qcow2" "$TestDrive/missing/x" -ErrorAction Stop } | Should -Throw -ErrorId 'FileNotFound*'
        { Test-ImageSpace "$data/disk.qcow2" } | Should -Throw -ErrorId 'NoPlaceToTest*'
        { Test-ImageSpace -RequiredBytes -1 -Destination $TestDrive } | Should -Throw
    }

    It 'has help with examples' {
        (Get-Help Test-ImageSpace -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
