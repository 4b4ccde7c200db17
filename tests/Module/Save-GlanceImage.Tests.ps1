BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Save-GlanceImage' -Skip:(-not $hasCloud) {
    BeforeAll {
        . "$PSScriptRoot/OpenStackCloud.ps1"
        . "$PSScriptRoot/GlanceImages.ps1"
        . "$PSScriptRoot/SlowGlance.ps1"
        $cloud = Start-OpenStackCloud
        $data = "$root/tests/data"
        $image = New-TestImage $cloud.open_glance 'save-test' qcow2 "$data/disk.qcow2"
    }

    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
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

    It 'downloads an image, by id or name, and says what it is' {
        $saved = Save-GlanceImage save-test saved.qcow2
        $saved | Should -BeOfType ImageUtils.Glance.SavedGlanceImage
        $saved.ImageId | Should -Be $image
        $saved.Format | Should -Be Qcow2
        $saved.HashAlgorithm | Should -Be sha512
        $saved.HashValue | Should -Be (Get-FileHash saved.qcow2 -Algorithm SHA512).Hash
        (Get-FileHash saved.qcow2).Hash | Should -Be (Get-FileHash "$data/disk.qcow2").Hash
        ($saved | Out-String) | Should -Match 'sha512'
        $null = New-Item -ItemType Directory many
        (@{ Id = $image }, @{ Id = 'save-test' } | ForEach-Object { [pscustomobject]$_ } | Save-GlanceImage -Destination many -Force).Path |
            Split-Path -Leaf | Should -Be $image, $image
    }

    It 'replaces nothing that it is not told to, and writes nothing with -WhatIf' {
        Set-Content there old
        { Save-GlanceImage $image there -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists*'
        Get-Content there | Should -Be old
        Save-GlanceImage $image new -WhatIf | Should -BeNullOrEmpty
        (Save-GlanceImage $image there -Force).Size | Should -Be (Get-Item there).Length
        Get-ChildItem -Name | Should -Be there
    }

    It 'refuses what is not there, not signed where it must be, or something else' {
        { Save-GlanceImage no-such-image x -ErrorAction Stop } | Should -Throw -ErrorId 'ImageNotFoundInGlance*'
        { Save-GlanceImage $image x -RequireSignature -ErrorAction Stop } | Should -Throw -ErrorId 'ImageNotSigned*'
        $other = New-TestImage $cloud.open_glance 'save-other' vmdk "$data/disk.qcow2"
        { Save-GlanceImage $other x -ErrorAction Stop } | Should -Throw -ErrorId 'ImageUnacceptable*'
        Get-ChildItem -Name -Force | Should -BeNullOrEmpty
    }

    It 'ends soon after Ctrl+C, and leaves nothing, or with -Resume what it goes on from' {
        $bytes = [byte[]]::new(8MB)
        [Random]::new(3).NextBytes($bytes)
        [IO.File]::WriteAllBytes("$directory/big.raw", $bytes)
        $big = New-TestImage $cloud.open_glance 'save-big' raw "$directory/big.raw"
        $slow = Start-SlowGlance $cloud.open_glance
        Stop-HalfWay $slow "Save-GlanceImage $big '$directory/saved'" | Should -BeLessThan 2
        Get-ChildItem -Name -Force | Should -Be 'big.raw'
        Stop-HalfWay $slow "Save-GlanceImage $big '$directory/saved' -Resume" | Should -BeLessThan 2
        Stop-SlowGlance $slow
        Get-ChildItem -Name -Force | Should -Be '.saved.imageutils-part', 'big.raw'
        (Save-GlanceImage $big saved -Resume).ResumedAt | Should -BeGreaterThan 0
        (Get-FileHash saved).Hash | Should -Be (Get-FileHash big.raw).Hash
    }

    It 'needs a session' {
        Get-ImageServiceSession -All | Disconnect-ImageService
        { Save-GlanceImage $image x } | Should -Throw -ErrorId 'NotConnected*'
    }
}
