BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    . "$PSScriptRoot/OpenStackCloud.ps1"
}

Describe 'Remove-GlanceImage without a session' {
    It 'says how to make one' {
        { Remove-GlanceImage x -Confirm:$false } | Should -Throw -ErrorId 'NotConnected,*'
    }
}

Describe 'Remove-GlanceImage' -Skip:(-not $hasCloud) {
    BeforeAll {
        $cloud = Start-OpenStackCloud
        $session = Connect-ImageService -Endpoint $cloud.open_glance
        $tag = "pester-$(New-Guid)"
        $one, $two, $kept = 'a', 'b', 'c' | ForEach-Object { New-CloudImage $session "$tag-$_" $tag }
        Set-GlanceImage $kept.Id -Protected $true
    }

    AfterAll {
        $false, $true | ForEach-Object { Get-GlanceImage -Tag $tag -Hidden:$_ } | Remove-GlanceImage -Force -Confirm:$false
        Get-ImageServiceSession -All | Disconnect-ImageService
        Stop-OpenStackCloud $cloud
    }

    It 'deletes nothing with -WhatIf' {
        $one, $two | Remove-GlanceImage -WhatIf
        Get-GlanceImage -Tag $tag | Should -HaveCount 3
    }

    It 'deletes what comes along the pipeline and goes on after one that is protected' {
        $kept, $one, $two | Remove-GlanceImage -Confirm:$false -ErrorAction SilentlyContinue -ErrorVariable failed
        $failed.FullyQualifiedErrorId | Should -BeLike 'ImageProtected,*'
        (Get-GlanceImage -Tag $tag).Id | Should -Be $kept.Id
    }

    It 'deletes a protected image with -Force' {
        Remove-GlanceImage $kept.Id -Force -Confirm:$false
        Get-GlanceImage -Tag $tag | Should -BeNullOrEmpty
    }

    It 'asks first' {
        (Get-Command Remove-GlanceImage).ImplementingType.GetCustomAttributes($false).ConfirmImpact | Should -Contain High
    }
}
