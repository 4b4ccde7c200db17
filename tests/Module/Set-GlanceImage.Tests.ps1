BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    . "$PSScriptRoot/OpenStackCloud.ps1"
}

Describe 'Set-GlanceImage without a session' {
    It 'says how to make one' {
        { Set-GlanceImage x -Name y } | Should -Throw -ErrorId 'NotConnected,*'
    }
}

Describe 'Set-GlanceImage' -Skip:(-not $hasCloud) {
    BeforeAll {
        $cloud = Start-OpenStackCloud
        $session = Connect-ImageService -Endpoint $cloud.open_glance
        $tag = "pester-$(New-Guid)"
        $image = New-CloudImage $session "$tag-a" $tag
    }

    AfterAll {
        $false, $true | ForEach-Object { Get-GlanceImage -Tag $tag -Hidden:$_ } | Remove-GlanceImage -Force -Confirm:$false
        Get-ImageServiceSession -All | Disconnect-ImageService
        Stop-OpenStackCloud $cloud
    }

    It 'changes what is named, and nothing else' {
        $changed = $image | Set-GlanceImage -Name "$tag-z" -MinDisk 4 -MinRam 512 -Property @{ one = 1; two = 'x' } -PassThru
        $changed.Name, $changed.MinDisk, $changed.MinRam, $changed.Properties['one'] | Should -Be "$tag-z", 4, 512, '1'
        $changed.Tags, $changed.Protected, $changed.DiskFormat | Should -Be $tag, $false, 'qcow2'
    }

    It 'removes properties, and passes over those that are not there' {
        $changed = Set-GlanceImage $image.Id -RemoveProperty two, none -PassThru
        $changed.Properties.Keys | Should -Be 'one'
        (Set-GlanceImage $image.Id -RemoveProperty none -PassThru).Properties.Keys | Should -Be 'one'
    }

    It 'sets flags, tags and visibility' {
        $changed = Set-GlanceImage $image.Id -Protected $true -Hidden $true -Tag $tag, more -Visibility shared -PassThru
        $changed.Protected, $changed.OsHidden, $changed.Visibility | Should -Be $true, $true, 'shared'
        $changed.Tags | Sort-Object | Should -Be ($tag, 'more' | Sort-Object)
    }

    It 'changes nothing with -WhatIf' {
        Set-GlanceImage $image.Id -Name other -WhatIf
        (Get-GlanceImage -Id $image.Id).Name | Should -Be "$tag-z"
    }

    It 'refuses what makes no sense' {
        { Set-GlanceImage $image.Id } | Should -Throw -ErrorId 'NothingToSet,*'
        { Set-GlanceImage $image.Id -Property @{ a = 1 } -RemoveProperty a } | Should -Throw -ErrorId 'SetAndRemoved,*'
        { Set-GlanceImage (New-Guid) -Name x -ErrorAction Stop } | Should -Throw -ErrorId 'ImageNotFoundInGlance,*'
    }
}
