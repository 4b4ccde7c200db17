BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Get-ImageServiceSession' {
    It 'emits nothing where there is no session' {
        Get-ImageServiceSession | Should -BeNullOrEmpty
        Get-ImageServiceSession -All | Should -BeNullOrEmpty
    }
}

Describe 'Get-ImageServiceSession with a cloud' -Skip:(-not $hasCloud) {
    BeforeAll {
        . "$PSScriptRoot/OpenStackCloud.ps1"
        $cloud = Start-OpenStackCloud
        $first = Connect-ImageService -Endpoint $cloud.open_glance
        $second = Connect-ImageService -Endpoint $cloud.open_glance
    }

    AfterAll {
        Get-ImageServiceSession -All | Disconnect-ImageService
        Stop-OpenStackCloud $cloud
    }

    It 'emits the default session, or all of them with the default one first' {
        Get-ImageServiceSession | Should -Be $second
        Get-ImageServiceSession -All | Should -Be $second, $first
    }

    It 'has other sessions in another runspace' {
        $shell = [powershell]::Create().AddScript("Import-Module '$root/ImageUtils.psd1'; Get-ImageServiceSession -All")
        $shell.Invoke() | Should -BeNullOrEmpty
        $shell.HadErrors | Should -BeFalse
        $shell.Dispose()
    }

    It 'has a view' {
        $second | Out-String -Width 120 | Should -Match 'Cloud\s+User\s+Scope\s+Region\s+Expires\s+Endpoint'
    }
}
