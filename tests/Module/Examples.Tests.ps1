# Every example of every page is run, in a directory that has the files that the examples name.
BeforeDiscovery {
    $pages = Get-ChildItem "$PSScriptRoot/../../docs/en-US/*-*.md"
    $examples = foreach ($page in $pages) {
        foreach ($match in [regex]::Matches((Get-Content -Raw $page), '(?ms)^### Example (\d+): (.*?)$\n\n```powershell\n(.*?)\n```')) {
            @{
                Page   = $page.BaseName
                Number = $match.Groups[1].Value
                Title  = $match.Groups[2].Value
                Code   = $match.Groups[3].Value
                # Whose examples talk to a cloud.
                NeedsCloud = $page.BaseName -match 'ImageService|Glance' -or $match.Groups[3].Value -match 'Glance|mirror'
            }
        }
    }
    $hasQemu = [bool](Get-Command qemu-img -ErrorAction Ignore)
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Examples' -Skip:(-not $hasQemu) {
    BeforeAll {
        $data = "$root/tests/data"
        Push-Location $TestDrive
        # Examples that change the configuration must not change this user's.
        $configurationHome = $env:XDG_CONFIG_HOME
        $env:XDG_CONFIG_HOME = "$TestDrive/configuration"
        Copy-Item "$data/disk.qcow2", "$data/disk.raw"
        Copy-Item "$data/disk.qcow2" upload.img
        Copy-Item "$data/disk-dynamic.vhd" disk.vhd
        Copy-Item "$data/disk-dynamic.vhd" old.vhd
        Copy-Item "$data/disk-stream.vmdk" disk.vmdk
        foreach ($name in 'image', 'one', 'two') { Copy-Item "$data/vhd-util/exported.tar.gz" "$name.tar.gz" }
        $null = New-Item -ItemType Directory out, vhds
        'grown.vhd', 'vhds/grown.vhd' | ForEach-Object { Copy-Item "$data/disk-dynamic.vhd" $_ }
        $volume = "$TestDrive/volume"
        $new = ConvertTo-SecureString secret -AsPlainText -Force
        qemu-img create -q -f qcow2 -b disk.qcow2 -F qcow2 overlay.qcow2
        qemu-img create -q -f qcow2 data.qcow2 1M
        qemu-img create -q -f vpc data.vhd 20M
        'secret' | Set-Content key -NoNewline
        foreach ($try in 1..10) {
            qemu-img create -q -f luks --object secret,id=s,file=key -o key-secret=s,iter-time=10 volume.luks 1M 2>$null
            if ($LASTEXITCODE -eq 0) { break }
        }
        $null = New-Item -ItemType Directory merge
        $null = New-DiskImage merge/2.vhd -Size 20MB
        $null = New-DiskImage merge/1.vhd -BackingFile 2.vhd -AllowBackingFile merge
        $null = New-DiskImage merge/0.vhd -BackingFile 1.vhd -AllowBackingFile merge
        $null = New-Item -ItemType Directory chain, image
        $null = New-DiskImage chain/base.vhd -Size 8MB
        $null = New-DiskImage chain/leaf.vhd -BackingFile base.vhd
        Copy-Item chain/leaf.vhd image/0.vhd
        Copy-Item chain/base.vhd image/1.vhd
        $null = New-Item -ItemType Directory vm, export
        Copy-Item "$data/disk-dynamic.vhd" vm/old.vhd
        $null = New-DiskImage vm/parent.vhd -Size 20MB
        $null = New-DiskImage vm/child.vhd -BackingFile parent.vhd
        Copy-Item vm/child.vhd export/0.vhd
        Copy-Item vm/parent.vhd export/1.vhd
        $null = New-Item -ItemType Directory saved
        qemu-img info --output=json disk.qcow2 | Set-Content saved/disk.json
        . "$PSScriptRoot/OpenStackCloud.ps1"
        if (Test-OpenStackCloud) {
            $cloud = Start-OpenStackCloud
            # Where the examples' cmdlets look first.
            Copy-Item $cloud.clouds clouds.yaml
            $keystone = $cloud.keystone
            $glance = $cloud.open_glance
            $made = Invoke-RestMethod "$glance/v2/images" -Method Post -ContentType application/json -Body (
                @{ name = 'server'; disk_format = 'qcow2'; container_format = 'bare' } | ConvertTo-Json)
            $null = Invoke-RestMethod "$glance/v2/images/$($made.id)/file" -Method Put -InFile disk.qcow2 -ContentType application/octet-stream
            $mirror = "$glance/v2/schemas"
            $session = Connect-ImageService member
            $property = @{ os_distro = 'debian'; old_note = 'none' }
            $null = 'web-image', 'old-image', 'new-image' | ForEach-Object { New-CloudImage $session $_ example }
            New-CloudImage $session web-server example |
                Start-GlanceImport -Session $session -Path disk.qcow2 -Wait |
                Set-GlanceImage -Property $property -Session $session
        }

        $names = 'System.Security.Cryptography.X509Certificates'
        $from, $to = [DateTimeOffset]::Now.AddDays(-1), [DateTimeOffset]::Now.AddDays(1)
        $authority, $signing = foreach ($name in 'authority', 'signing') {
            $key = [Security.Cryptography.RSA]::Create(2048)
            $request = New-Object "$names.CertificateRequest" "CN=$name", $key, ([Security.Cryptography.HashAlgorithmName]::SHA256), (
                [Security.Cryptography.RSASignaturePadding]::Pkcs1)
            $isAuthority = $name -eq 'authority'
            $request.CertificateExtensions.Add((New-Object "$names.X509BasicConstraintsExtension" $isAuthority, $false, 0, $true))
            $request.CertificateExtensions.Add((New-Object "$names.X509KeyUsageExtension" 'KeyCertSign, DigitalSignature', $true))
            if ($isAuthority) { ($issuer = $request.CreateSelfSigned($from, $to)) }
            else {
                [Security.Cryptography.X509Certificates.RSACertificateExtensions]::CopyWithPrivateKey(
                    $request.Create($issuer, $from, $to, [byte[]](1, 2, 3)), $key)
            }
        }
        Set-Content root.pem $authority.ExportCertificatePem()
        Set-Content signing.pem $signing.ExportCertificatePem()
        Set-Content signing.key $key.ExportPkcs8PrivateKeyPem()
        [IO.File]::WriteAllBytes("$TestDrive/signing.pfx", $signing.Export('Pfx', 'secret'))

        # Stand in for the person at the prompt, the web and another machine.
        function Read-Host {
            ConvertTo-SecureString $(if ($NeedsCloud) { 'member-Secret-2' } else { 'secret' }) -AsPlainText -Force
        }
        function Get-Credential {
            $secret = ConvertTo-SecureString 'application-Secret-3' -AsPlainText -Force
            [pscredential]::new($cloud.application_credential_id, $secret)
        }
        function Invoke-WebRequest { @{ RawContentStream = [IO.File]::OpenRead("$data/disk.qcow2") } }
        function openstack {
            $signature = New-ImageSignature disk.qcow2 -Certificate $signing -CertificateId ([guid]::NewGuid())
            @{ properties = $signature.Property } | ConvertTo-Json
        }
        function ssh { & $args[1] $args[2..($args.Count - 1)] }
    }

    AfterAll {
        $env:XDG_CONFIG_HOME = $configurationHome
        if ($cloud) {
            $session = Connect-ImageService member
            $false, $true | ForEach-Object { Get-GlanceImage -Tag example -Hidden:$_ -Session $session } |
                Remove-GlanceImage -Force -Confirm:$false -Session $session
        }
        Pop-Location
        Get-ImageServiceSession -All | Disconnect-ImageService
        if ($cloud) {
            $null = Invoke-RestMethod "$glance/v2/images/$($made.id)" -Method Delete
            Stop-OpenStackCloud $cloud
        }
    }

    It '<Page>, example <Number> (<Title>) runs' -ForEach $examples {
        if ($NeedsCloud -and -not $cloud) {
            Set-ItResult -Skipped -Because 'the servers of OpenStack are not installed'
        }
        $ErrorActionPreference = 'Stop'
        $output = & ([scriptblock]::Create($Code))
        # An example that decides, deletes, or only asks what would be done, may be silent.
        if ($Code -notmatch '^if|-WhatIf|Remove-') { $output | Should -Not -BeNullOrEmpty }
    }
}
