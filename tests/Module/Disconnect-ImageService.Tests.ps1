BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Disconnect-ImageService' {
    It 'says that there is no session' {
        { Disconnect-ImageService -ErrorAction Stop } | Should -Throw -ErrorId 'NotConnected,*'
    }
}

Describe 'Disconnect-ImageService from a cloud' -Skip:(-not $hasCloud) {
    BeforeAll {
        . "$PSScriptRoot/OpenStackCloud.ps1"
        $cloud = Start-OpenStackCloud
        $env:OS_CLIENT_CONFIG_FILE = $cloud.clouds
    }

    AfterAll {
        Remove-Item env:OS_CLIENT_CONFIG_FILE
        Stop-OpenStackCloud $cloud
    }

    It 'closes the default session, and the one before it is the default again' {
        $first = Connect-ImageService member
        $second = Connect-ImageService open
        Disconnect-ImageService | Should -BeNullOrEmpty
        $second.IsClosed | Should -BeTrue
        Get-ImageServiceSession | Should -Be $first
        $first | Disconnect-ImageService -PassThru | Should -Be $first
        Get-ImageServiceSession | Should -BeNullOrEmpty
    }
}
