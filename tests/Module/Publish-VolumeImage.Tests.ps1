BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Publish-VolumeImage' -Skip:(-not $hasCloud) {
    BeforeAll {
        . "$PSScriptRoot/OpenStackCloud.ps1"
        . "$PSScriptRoot/GlanceImages.ps1"
        . "$PSScriptRoot/SlowGlance.ps1"
        $cloud = Start-OpenStackCloud
        $glance = $cloud.open_glance
        $data = "$root/tests/data"
    }

    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        Copy-Item "$data/disk.raw" volume.raw
        Connect-ImageService -Endpoint $glance | Out-Null
    }

    AfterEach {
        Pop-Location
        Get-ImageServiceSession -All | Disconnect-ImageService
    }

    AfterAll {
        Remove-TestImage $glance
        Stop-OpenStackCloud $cloud
    }

    It 'publishes a volume, which comes back the same' {
        $result = Publish-VolumeImage volume.raw -VolumeFormat raw -Name published -BaseImageRef abc -Tag one, two -MinDisk 1 -Property @{ os_type = 'linux' }
        $testImages.Add($result.ImageId)
        $result | Should -BeOfType ImageUtils.Glance.VolumePublishResult
        $result.HashVerified | Should -BeTrue
        $result.TemporaryBytes | Should -Be 0
        ($result | Out-String -Width 300) | Should -Match 'published'
        $image = Invoke-RestMethod "$glance/v2/images/$($result.ImageId)"
        $image.disk_format | Should -Be qcow2
        $image.base_image_ref | Should -Be abc
        $image.os_type | Should -Be linux
        $image.min_disk | Should -Be 1
        $image.tags | Sort-Object | Should -Be one, two
        Import-VolumeImage $result.ImageId back.raw | Out-Null
        Compare-DiskImage back.raw volume.raw -KnownRaw -ReferenceKnownRaw -Quiet | Should -BeTrue
    }

    It 'completes stores, and what a format has' {
        foreach ($try in @('Publish-VolumeImage x -StoreId s', 'slow'), @('Publish-VolumeImage x -DiskFormat vdi -Subformat s', 'static')) {
            (TabExpansion2 $try[0] $try[0].Length).CompletionMatches.CompletionText | Should -Be $try[1]
        }
    }

    It 'publishes in every format, wrapped or not, and emits the image with -PassThru' {
        foreach ($format in 'raw', 'vhd', 'vhdx', 'vmdk', 'vdi') {
            $image = Publish-VolumeImage volume.raw $format -VolumeFormat raw -Name $format -PassThru
            $testImages.Add($image.Id)
            $image.DiskFormat | Should -Be $format
            $image.Status | Should -Be active
        }
        $result = Publish-VolumeImage volume.raw -VolumeFormat raw -ContainerFormat compressed
        $testImages.Add($result.ImageId)
        $result.ContainerFormat | Should -Be compressed
        Import-VolumeImage $result.ImageId back.raw | Out-Null
        Compare-DiskImage back.raw volume.raw -KnownRaw -ReferenceKnownRaw -Quiet | Should -BeTrue
    }

    It 'ends soon after Ctrl+C, and leaves no image' {
        $bytes = [byte[]]::new(8MB)
        [Random]::new(3).NextBytes($bytes)
        [IO.File]::WriteAllBytes("$directory/big.raw", $bytes)
        $slow = Start-SlowGlance $glance
        Stop-HalfWay $slow "Publish-VolumeImage '$directory/big.raw' -VolumeFormat raw -Name publish-stopped -StoreId fast" |
            Should -BeLessThan 2
        Stop-SlowGlance $slow
        (Invoke-RestMethod "$glance/v2/images?name=publish-stopped").images.Count | Should -Be 0
        Get-ChildItem -Name -Force | Sort-Object | Should -Be 'big.raw', 'volume.raw'
    }

    It 'leaves reserved properties out, and says so' {
        $result = Publish-VolumeImage volume.raw -VolumeFormat raw -Property @{ img_signature = 'x'; mine = 'y' } -WarningVariable warned -WarningAction SilentlyContinue
        $testImages.Add($result.ImageId)
        $warned | Should -BeLike '*img_signature*'
        (Invoke-RestMethod "$glance/v2/images/$($result.ImageId)").PSObject.Properties.Name | Should -Not -Contain img_signature
    }

    It 'publishes nothing with -WhatIf, of what is dangerous, or to a store that is not there' {
        $before = (Invoke-RestMethod "$glance/v2/images?limit=1000").images.Count
        Publish-VolumeImage volume.raw -VolumeFormat raw -WhatIf | Should -BeNullOrEmpty
        qemu-img create -q -f qcow2 -b volume.raw -F raw overlay.qcow2
        { Publish-VolumeImage overlay.qcow2 -ErrorAction Stop } | Should -Throw -ErrorId 'ImageIsUnsafe*'
        { Publish-VolumeImage volume.raw -VolumeFormat raw -StoreId nowhere -ErrorAction Stop } | Should -Throw -ErrorId 'GlanceStoreNotFound*'
        { Publish-VolumeImage volume.raw -Import -Direct } | Should -Throw -ErrorId 'ImportOrDirect*'
        (Invoke-RestMethod "$glance/v2/images?limit=1000").images.Count | Should -Be $before
    }
}
