BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    . "$PSScriptRoot/OpenStackCloud.ps1"
}

Describe 'Start-GlanceImport without a session' {
    It 'says how to make one' {
        { Start-GlanceImport x copy-image } | Should -Throw -ErrorId 'NotConnected,*'
    }
}

Describe 'Start-GlanceImport' -Skip:(-not $hasCloud) {
    BeforeAll {
        $cloud = Start-OpenStackCloud
        # Imports need somebody whom Glance knows.
        $env:OS_CLIENT_CONFIG_FILE = $cloud.clouds
        $session = Connect-ImageService test
        $tag = "pester-$(New-Guid)"
        $image = New-CloudImage $session "$tag-a" $tag
        $file = "$root/tests/data/disk.qcow2"
    }

    AfterAll {
        $false, $true | ForEach-Object { Get-GlanceImage -Tag $tag -Hidden:$_ } | Remove-GlanceImage -Force -Confirm:$false
        Get-ImageServiceSession -All | Disconnect-ImageService
        $env:OS_CLIENT_CONFIG_FILE = $null
        Stop-OpenStackCloud $cloud
    }

    It 'does nothing with -WhatIf' {
        $image | Start-GlanceImport -Path $file -WhatIf
        (Get-GlanceImage -Id $image.Id).Status | Should -Be queued
    }

    It 'refuses what makes no sense' {
        { Start-GlanceImport $image.Id } | Should -Throw -ErrorId 'NoImportMethod,*'
        { Start-GlanceImport $image.Id copy-image -Path $file } | Should -Throw -ErrorId 'OtherImportMethod,*'
        { Start-GlanceImport $image.Id by-pigeon -ErrorAction Stop } | Should -Throw -ErrorId 'ImportMethodUnusable,*'
        { Start-GlanceImport $image.Id -Path $file -Store web -ErrorAction Stop } |
            Should -Throw -ErrorId 'GlanceStoreReadOnly,*'
        (Get-GlanceImage -Id $image.Id).Status | Should -Be queued
    }

    It 'stages a file and imports it' {
        $done = $image | Start-GlanceImport -Path $file -Store fast -Wait
        $done.Status, $done.Size | Should -Be active, (Get-Item $file).Length
        $done.OsHashValue | Should -Be (Get-FileHash $file -Algorithm SHA512).Hash
    }

    It 'copies to another store' {
        (Start-GlanceImport $image.Id copy-image -Store slow -Wait).Stores | Sort-Object | Should -Be fast, slow
    }

    It 'imports into all stores, and names one that failed' {
        $new = New-CloudImage $session "$tag-d" $tag
        $obstacle = "$($cloud.directory)/glance/slow/$($new.Id)"
        $null = New-Item $obstacle
        $done = $new | Start-GlanceImport -Path $file -AllStores -AllowStoreFailure -Wait -WarningVariable warned -WarningAction SilentlyContinue
        $done.Status, $done.Stores | Should -Be active, fast
        $warned | Should -BeLike '*slow*'
        Remove-Item $obstacle
        { $done | Start-GlanceImport -Method copy-image -AllStores -Wait -ErrorAction Stop } | Should -Not -Throw
        (Get-GlanceImage -Id $new.Id).Stores | Sort-Object | Should -Be fast, slow
    }

    It 'fetches another region''s image' {
        $there = Invoke-RestMethod "$($cloud.open_glance)/v2/images" -Method Post -ContentType application/json -Body (
            @{ name = $tag; disk_format = 'qcow2'; container_format = 'bare' } | ConvertTo-Json)
        $null = Invoke-RestMethod "$($cloud.open_glance)/v2/images/$($there.id)/file" -Method Put -ContentType application/octet-stream -InFile $file
        $new = New-CloudImage $session "$tag-e" $tag
        $done = $new | Start-GlanceImport -Method glance-download -RemoteRegion RegionTwo -RemoteImageId $there.id -Wait
        $null = Invoke-RestMethod "$($cloud.open_glance)/v2/images/$($there.id)" -Method Delete
        $done.OsHashValue | Should -Be (Get-FileHash $file -Algorithm SHA512).Hash
    }

    It 'imports from the web' {
        $new = New-CloudImage $session "$tag-b" $tag
        ($new | Start-GlanceImport -Uri "$($cloud.open_glance)/v2/schemas/image" -Wait).Status | Should -Be active
    }

    It 'says why an import failed' {
        $new = New-CloudImage $session "$tag-c" $tag
        { $new | Start-GlanceImport -Uri "$($cloud.open_glance)/v2/none" -Wait -ErrorAction Stop } |
            Should -Throw -ErrorId 'ImageImportFailed,*'
    }
}
