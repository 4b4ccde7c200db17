BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    . "$PSScriptRoot/OpenStackCloud.ps1"
}

Describe 'Get-GlanceTask without a session' {
    It 'says how to make one' {
        { Get-GlanceTask } | Should -Throw -ErrorId 'NotConnected,*'
    }
}

Describe 'Get-GlanceTask' -Skip:(-not $hasCloud) {
    BeforeAll {
        $cloud = Start-OpenStackCloud
        # Imports need somebody whom Glance knows.
        $env:OS_CLIENT_CONFIG_FILE = $cloud.clouds
        $session = Connect-ImageService test
        $tag = "pester-$(New-Guid)"
        $image = New-CloudImage $session "$tag-a" $tag
        $null = $image | Start-GlanceImport -Path "$root/tests/data/disk.qcow2" -Wait
    }

    AfterAll {
        $false, $true | ForEach-Object { Get-GlanceImage -Tag $tag -Hidden:$_ } | Remove-GlanceImage -Force -Confirm:$false
        Get-ImageServiceSession -All | Disconnect-ImageService
        $env:OS_CLIENT_CONFIG_FILE = $null
        Stop-OpenStackCloud $cloud
    }

    It "gets an image's tasks" {
        $task = $image | Get-GlanceTask
        $task.Type, $task.Status, $task.ImageId | Should -Be api_image_import, success, $image.Id
        (Get-GlanceTask $image.Id -Status success).Id | Should -Be $task.Id
        Get-GlanceTask $image.Id -Status failure | Should -BeNullOrEmpty
    }

    It 'gets a task by its id, and lists all' {
        $task = Get-GlanceTask -ImageId $image.Id
        (Get-GlanceTask -Id $task.Id).Status | Should -Be success
        (Get-GlanceTask -Status success).Id | Should -Contain $task.Id
    }

    It 'has a view' {
        $image | Get-GlanceTask | Out-String -Width 140 | Should -Match 'Type\s+Status\s+Created\s+ImageId\s+Message'
    }
}
