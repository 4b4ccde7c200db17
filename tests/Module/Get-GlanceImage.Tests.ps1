BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    . "$PSScriptRoot/OpenStackCloud.ps1"
}

Describe 'Get-GlanceImage without a session' {
    It 'says how to make one' {
        { Get-GlanceImage } | Should -Throw -ErrorId 'NotConnected,*'
    }
}

Describe 'Get-GlanceImage' -Skip:(-not $hasCloud) {
    BeforeAll {
        $cloud = Start-OpenStackCloud
        $session = Connect-ImageService -Endpoint $cloud.open_glance
        $tag = "pester-$(New-Guid)"
        $images = 'a', 'b', 'b' | ForEach-Object { New-CloudImage $session "$tag-$_" $tag }
    }

    AfterAll {
        $false, $true | ForEach-Object { Get-GlanceImage -Tag $tag -Hidden:$_ } | Remove-GlanceImage -Force -Confirm:$false
        Get-ImageServiceSession -All | Disconnect-ImageService
        Stop-OpenStackCloud $cloud
    }

    It 'gets images by id, from the pipeline too' {
        (Get-GlanceImage -Id $images[0].Id).Name | Should -Be "$tag-a"
        ($images | Get-GlanceImage).Id | Should -Be $images.Id
    }

    It 'gets images by name, by pattern and by tag' {
        (Get-GlanceImage "$tag-a").Id | Should -Be $images[0].Id
        Get-GlanceImage "$tag-b" | Should -HaveCount 2
        Get-GlanceImage "$tag-?".ToUpper() | Should -HaveCount 3
        Get-GlanceImage -Tag $tag -Status queued | Should -HaveCount 3
        Get-GlanceImage -Tag $tag -Status active | Should -BeNullOrEmpty
    }

    It 'gets images by property' {
        Set-GlanceImage $images[1].Id -Property @{ color = 'red & blue' }
        (Get-GlanceImage -Property @{ color = 'red & blue' } -Tag $tag).Id | Should -Be $images[1].Id
    }

    It 'stops at the first ones, without an error' {
        Get-GlanceImage -Tag $tag -First 2 | Should -HaveCount 2
        Get-GlanceImage -Tag $tag -ErrorVariable failed | Select-Object -First 1 | Should -HaveCount 1
        $failed | Should -BeNullOrEmpty
    }

    It 'goes on after one that is not there' {
        $found = Get-GlanceImage -Id (New-Guid), $images[0].Id -ErrorAction SilentlyContinue -ErrorVariable failed
        $found.Id | Should -Be $images[0].Id
        $failed.FullyQualifiedErrorId | Should -BeLike 'ImageNotFoundInGlance,*'
        $failed.CategoryInfo.Category | Should -Be ObjectNotFound
        { Get-GlanceImage "$tag-none" -ErrorAction Stop } | Should -Throw -ErrorId 'ImageNotFoundInGlance,*'
        Get-GlanceImage "$tag-none*" | Should -BeNullOrEmpty
    }

    It 'completes names and ids' {
        $line = "Get-GlanceImage $tag-"
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be "$tag-a", "$tag-b"
        $line = "Get-GlanceImage -Id $tag-a"
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be $images[0].Id
    }

    It 'has a view' {
        $images[0] | Out-String -Width 120 | Should -Match 'Name\s+Status\s+Format\s+Size\s+Visibility\s+Id'
    }
}
