BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Import-VolumeImage' -Skip:(-not $hasCloud) {
    BeforeAll {
        . "$PSScriptRoot/OpenStackCloud.ps1"
        . "$PSScriptRoot/GlanceImages.ps1"
        . "$PSScriptRoot/SlowGlance.ps1"
        $cloud = Start-OpenStackCloud
        $data = "$root/tests/data"
        $image = New-TestImage $cloud.open_glance 'import-test' qcow2 "$data/disk.qcow2"
    }

    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        $null = New-Item -ItemType Directory conversion
        Connect-ImageService -Endpoint $cloud.open_glance | Out-Null
    }

    AfterEach {
        Pop-Location
        Get-ImageServiceSession -All | Disconnect-ImageService
    }

    AfterAll {
        Remove-TestImage $cloud.open_glance
        Stop-OpenStackCloud $cloud
    }

    It 'makes a raw volume in one pass, without a temporary file' {
        $result = Import-VolumeImage import-test volume.raw -ConversionDirectory conversion
        $result | Should -BeOfType ImageUtils.Glance.VolumeImportResult
        $result.Method | Should -Be Streamed
        $result.TemporaryBytes | Should -Be 0
        $result.ImageId | Should -Be $image
        Compare-DiskImage volume.raw "$data/disk.raw" -KnownRaw -ReferenceKnownRaw -Quiet | Should -BeTrue
        Get-ChildItem conversion -Force | Should -BeNullOrEmpty
        ($result | Out-String -Width 400) | Should -Match 'volume.raw'
    }

    It 'makes volumes of other formats' {
        foreach ($format in 'qcow2', 'vhd', 'vhdx', 'vmdk', 'vdi') {
            (Import-VolumeImage $image "volume.$format" $format).DestinationFormat | Should -Be $format
            Compare-DiskImage "volume.$format" "$data/disk.raw" -ReferenceKnownRaw -Quiet | Should -BeTrue
        }
    }

    It 'uses what was downloaded in the same session, and in no other' {
        $saved = Save-GlanceImage $image saved.qcow2
        ($saved | Import-VolumeImage -Destination one.raw).Method | Should -Be SavedFile
        (Import-VolumeImage import-test named.raw).Method | Should -Be SavedFile
        $other = Connect-ImageService -Endpoint $cloud.open_glance
        (Import-VolumeImage $image two.raw -Session $other).Method | Should -Be Streamed
        Add-Content saved.qcow2 more
        Connect-ImageService -Endpoint $cloud.open_glance | Out-Null
        (Import-VolumeImage $image three.raw).Method | Should -Be Streamed
    }

    It 'completes images by name and id, and what a format has' {
        foreach ($line in 'Import-VolumeImage import-te', "Import-VolumeImage $($image.Substring(0, 8))", 'Save-GlanceImage import-te') {
            (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be $image
        }
        $line = 'Import-VolumeImage x y -Format vhd -Subformat f'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be fixed
    }

    It 'keeps the image where it is told to, and clears nothing of a process that runs' {
        $result = Import-VolumeImage $image volume.raw -KeepSource -ConversionDirectory conversion
        $result.TemporaryBytes | Should -BeGreaterThan 0
        $result.Source.Path | Should -Exist
        Clear-ImageTemporaryFile conversion -PassThru | Should -BeNullOrEmpty
        $result.Source.Path | Should -Exist
    }

    It 'ends soon after Ctrl+C, and leaves nothing' {
        $bytes = [byte[]]::new(8MB)
        [Random]::new(3).NextBytes($bytes)
        [IO.File]::WriteAllBytes("$directory/big.raw", $bytes)
        $big = New-TestImage $cloud.open_glance 'import-big' raw "$directory/big.raw"
        $slow = Start-SlowGlance $cloud.open_glance
        foreach ($way in '', '-KeepSource') {
            Stop-HalfWay $slow "Import-VolumeImage $big '$directory/volume' qcow2 -ConversionDirectory '$directory/conversion' $way" |
                Should -BeLessThan 2
            Get-ChildItem -Name -Force -Recurse | Sort-Object | Should -Be 'big.raw', 'conversion'
        }
        Stop-SlowGlance $slow
    }

    It 'refuses what is too large for the volume, or to replace what is there' {
        Set-Content there old
        { Import-VolumeImage $image there -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists*'
        qemu-img create -q -f qcow2 large 2G
        $large = New-TestImage $cloud.open_glance 'import-large' qcow2 large
        { Import-VolumeImage $large x -VolumeSize 1 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageUnacceptable*'
        Import-VolumeImage $image x -WhatIf | Should -BeNullOrEmpty
        'x' | Should -Not -Exist
    }
}
