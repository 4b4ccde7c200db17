BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Connect-ImageService' -Skip:(-not $hasCloud) {
    BeforeAll {
        . "$PSScriptRoot/OpenStackCloud.ps1"
        $cloud = Start-OpenStackCloud
        $keystone = $cloud.keystone
        function New-Credential($Name, $Text) {
            [pscredential]::new($Name, (ConvertTo-SecureString $Text -AsPlainText -Force))
        }
    }

    BeforeEach {
        $env:OS_CLIENT_CONFIG_FILE = $cloud.clouds
    }

    AfterEach {
        Remove-Item env:OS_*
        Get-ImageServiceSession -All | Disconnect-ImageService
    }

    AfterAll {
        Stop-OpenStackCloud $cloud
    }

    It 'connects to a cloud of clouds.yaml' {
        $session = Connect-ImageService member
        $session.User | Should -Be member
        $session.Project | Should -Be second
        $session.ProjectId | Should -Be $cloud.project_id
        $session.Roles | Should -Contain member
        $session.Endpoint | Should -Be "$($cloud.glance)/"
        Get-ImageServiceSession | Should -Be $session
    }

    It 'takes the cloud of OS_CLOUD' {
        $env:OS_CLOUD = 'runbook'
        (Connect-ImageService).Method | Should -Be ApplicationCredential
    }

    It 'takes the OS_ variables' {
        Remove-Item env:OS_CLIENT_CONFIG_FILE
        $env:OS_AUTH_URL = $keystone
        $env:OS_USERNAME, $env:OS_PASSWORD, $env:OS_PROJECT_NAME = 'member', 'member-Secret-2', 'second'
        $env:OS_USER_DOMAIN_NAME = $env:OS_PROJECT_DOMAIN_NAME = 'Default'
        (Connect-ImageService).Cloud | Should -Be envvars
    }

    It 'takes clouds.yaml of the current location' {
        Remove-Item env:OS_CLIENT_CONFIG_FILE
        Copy-Item $cloud.clouds $TestDrive/clouds.yaml
        Push-Location $TestDrive
        try { (Connect-ImageService member).User | Should -Be member } finally { Pop-Location }
    }

    It 'connects with a PSCredential, to a project, a domain or the system' {
        $admin = New-Credential admin 'admin-Secret-1'
        (Connect-ImageService -AuthUrl $keystone -Credential $admin -Project admin).Scope | Should -Be 'project admin'
        (Connect-ImageService -AuthUrl $keystone -Credential $admin -Domain Default).Scope | Should -Be 'domain Default'
        (Connect-ImageService -AuthUrl $keystone -Credential $admin -SystemScope).Scope | Should -Be system
        $member = New-Credential member 'member-Secret-2'
        (Connect-ImageService -AuthUrl $keystone -Credential $member -ProjectId $cloud.project_id).Project |
            Should -Be second
    }

    It 'connects with an application credential by id and by name' {
        $byId = New-Credential $cloud.application_credential_id 'application-Secret-3'
        (Connect-ImageService -AuthUrl $keystone -ApplicationCredential $byId).User | Should -Be member
        $byName = New-Credential runbook 'application-Secret-3'
        (Connect-ImageService -AuthUrl $keystone -ApplicationCredential $byName -UserName member).User |
            Should -Be member
    }

    It 'connects with a token' {
        $body = @{ auth = @{ identity = @{ methods = @('password'); password = @{ user = @{
            name = 'member'; domain = @{ id = 'default' }; password = 'member-Secret-2' } } } } } |
            ConvertTo-Json -Depth 9
        $null = Invoke-RestMethod "$keystone/v3/auth/tokens" -Method Post -Body $body -ContentType application/json `
            -ResponseHeadersVariable headers
        $token = ConvertTo-SecureString $headers['X-Subject-Token'][0] -AsPlainText -Force
        (Connect-ImageService -AuthUrl $keystone -Token $token -Project second).Method | Should -Be Token
    }

    It 'connects to a service without Keystone' {
        $session = Connect-ImageService -Endpoint $cloud.open_glance
        $session.Method | Should -Be None
        $session.Scope | Should -Be none
    }

    It 'takes another region and another project than the file says' {
        (Connect-ImageService test -Region RegionTwo).Endpoint | Should -Be "$($cloud.open_glance)/"
        { Connect-ImageService member -Project admin -ErrorAction Stop } |
            Should -Throw -ErrorId 'AuthenticationFailed,*'
    }

    It 'refuses a wrong password without saying it' {
        $wrong = New-Credential member 'hush-Hush-7'
        $records = $(
            try { Connect-ImageService -AuthUrl $keystone -Credential $wrong -Project second -Debug -Verbose }
            catch { $_; $_ | Format-List * -Force; $_.Exception | Format-List * -Force; "$($_.Exception)" }
        ) *>&1 | Out-String -Width 4096
        $records | Should -Match 'AuthenticationFailed'
        $records | Should -Match 'req-'
        $records | Should -Not -Match 'hush-Hush-7'
        Get-ImageServiceSession | Should -BeNullOrEmpty
    }

    It 'shows nothing secret' {
        $session = Connect-ImageService member -Debug -Verbose 5>&1 4>&1
        $shown = ($session | Format-List * -Force | Out-String) + ($session | Out-String) +
            ($session | ConvertTo-Json -Depth 5 -WarningAction Ignore) + "$session"
        $shown | Should -Match 'project second'
        $shown | Should -Not -Match 'member-Secret-2|gAAAA'
    }

    It 'names what is wrong with <What>' -ForEach @(
        @{ What = 'a cloud that there is not'; Arguments = @{ Cloud = 'nowhere' }; ErrorId = 'CloudNotFound' }
        @{ What = 'several clouds'; Arguments = @{}; ErrorId = 'NoCloudChosen' }
        @{ What = 'a region that there is not'; Arguments = @{ Cloud = 'test'; Region = 'X' }; ErrorId = 'EndpointNotFound' }
        @{ What = 'a refused connection'; Arguments = @{ Cloud = 'test'; Proxy = 'http://127.0.0.1:9' }; ErrorId = 'ServiceUnreachable' }
        @{ What = 'an address that is none'; Arguments = @{ Endpoint = 'ftp://x' }; ErrorId = 'CloudSettingInvalid' }
    ) {
        { Connect-ImageService @Arguments } | Should -Throw -ErrorId "$ErrorId,*"
    }

    It 'completes the names of clouds' {
        $line = 'Connect-ImageService run'
        $found = (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText
        $found | Should -Be 'runbook', 'runbook-by-name'
    }
}
