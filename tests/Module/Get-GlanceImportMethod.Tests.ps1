BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    . "$PSScriptRoot/OpenStackCloud.ps1"
}

Describe 'Get-GlanceImportMethod without a session' {
    It 'says how to make one' {
        { Get-GlanceImportMethod } | Should -Throw -ErrorId 'NotConnected,*'
    }
}

Describe 'Get-GlanceImportMethod' -Skip:(-not $hasCloud) {
    BeforeAll {
        $cloud = Start-OpenStackCloud
        $session = Connect-ImageService -Endpoint $cloud.open_glance
        $tag = "pester-$(New-Guid)"
    }

    AfterAll {
        $false, $true | ForEach-Object { Get-GlanceImage -Tag $tag -Hidden:$_ } | Remove-GlanceImage -Force -Confirm:$false
        Get-ImageServiceSession -All | Disconnect-ImageService
        Stop-OpenStackCloud $cloud
    }

    It 'lists the methods' {
        Get-GlanceImportMethod | Should -Be glance-direct, web-download, copy-image, glance-download
    }

    It 'asks in the session that is named' {
        $other = Connect-ImageService -Endpoint 'http://127.0.0.1:1'
        Get-GlanceImportMethod -Session $session | Should -Contain copy-image
        Disconnect-ImageService $other
    }
}
