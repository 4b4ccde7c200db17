BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    . "$PSScriptRoot/OpenStackCloud.ps1"
}

Describe 'Get-GlanceStore without a session' {
    It 'says how to make one' {
        { Get-GlanceStore } | Should -Throw -ErrorId 'NotConnected,*'
    }
}

Describe 'Get-GlanceStore' -Skip:(-not $hasCloud) {
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

    It 'lists the stores' {
        $stores = Get-GlanceStore
        $stores.Id | Should -Be fast, slow, web
        ($stores | Where-Object IsDefault).Id | Should -Be fast
        ($stores | Where-Object IsReadOnly).Id | Should -Be web
    }

    It 'tells a store that is not there from one that can be read only' {
        (Get-GlanceStore slow).Description | Should -Be 'The second file store'
        { Get-GlanceStore none -ErrorAction Stop } | Should -Throw -ErrorId 'GlanceStoreNotFound,*'
        { Get-GlanceStore web -ErrorAction Stop } | Should -Throw -ErrorId 'GlanceStoreReadOnly,*'
    }

    It 'completes ids' {
        (TabExpansion2 'Get-GlanceStore s' 17).CompletionMatches.CompletionText | Should -Be slow
    }

    It 'has a view' {
        Get-GlanceStore | Out-String -Width 120 | Should -Match 'Id\s+Default\s+ReadOnly\s+Description'
    }
}
