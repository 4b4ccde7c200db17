BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Convert-GlanceImage' -Skip:(-not $hasCloud) {
    BeforeAll {
        . "$PSScriptRoot/OpenStackCloud.ps1"
        . "$PSScriptRoot/GlanceImages.ps1"
        $cloud = Start-OpenStackCloud
        $glance = $cloud.open_glance
        $data = "$root/tests/data"
        function Get-Record($Id) { (Invoke-WebRequest "$glance/v2/images/$Id").Content }
    }

    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        $name = "convert-$([guid]::NewGuid())"
        $id = New-TestImage $glance $name qcow2 "$data/disk.qcow2"
        Connect-ImageService -Endpoint $glance | Out-Null
    }

    AfterEach {
        Pop-Location
        Get-ImageServiceSession -All | Disconnect-ImageService
    }

    AfterAll {
        Remove-TestImage $glance
        Stop-OpenStackCloud $cloud
    }

    It 'makes new images of those that are named or piped, and leaves them as they are' {
        $before = Get-Record $id
        $result = Get-GlanceImage $name | Convert-GlanceImage -DiskFormat raw -Name "$name-raw" -Property @{ os_type = 'linux'; img_signature = 'x' } -Tag a, b -WarningVariable warned -WarningAction SilentlyContinue
        $testImages.Add($result.ImageId)
        $warned | Should -BeLike '*img_signature*'
        $result | Should -BeOfType ImageUtils.Glance.GlanceConversionResult
        $result.Converted, $result.HashVerified | Should -Be $true, $true
        $result.OriginalId | Should -Be $id
        $result.TemporaryBytes | Should -Be (Get-Item "$data/disk.qcow2").Length
        ($result | Out-String -Width 300) | Should -Match "raw.*Kept +$name-raw"
        Get-Record $id | Should -Be $before
        $image = $name | Convert-GlanceImage -DiskFormat vmdk -Compress -PassThru
        $testImages.Add($image.Id)
        $image | Should -BeOfType ImageUtils.Glance.GlanceImage
        $image.Name, $image.DiskFormat | Should -Be $name, vmdk
        Import-VolumeImage $result.ImageId one.raw | Out-Null
        Import-VolumeImage $image.Id two.raw | Out-Null
        foreach ($file in 'one.raw', 'two.raw') {
            Compare-DiskImage $file "$data/disk.raw" -KnownRaw -ReferenceKnownRaw -Quiet | Should -BeTrue
        }
    }

    It 'does nothing with -WhatIf, and only says so where the format is there already' {
        $before = (Invoke-RestMethod "$glance/v2/images?limit=1000").images.Count
        Convert-GlanceImage $id raw -RemoveOriginal -WhatIf | Should -BeNullOrEmpty
        $result = Convert-GlanceImage $id qcow2 -RemoveOriginal -Confirm:$false -WarningVariable warned -WarningAction SilentlyContinue
        $result.Converted | Should -BeFalse
        $result.ImageId | Should -Be $id
        $warned | Should -BeLike '*already*'
        { Convert-GlanceImage $id iso -ErrorAction Stop } | Should -Throw -ErrorId 'ImageNotSupported*'
        (Invoke-RestMethod "$glance/v2/images?limit=1000").images.Count | Should -Be $before
        $again = Convert-GlanceImage $id qcow2 -Force
        $testImages.Add($again.ImageId)
        $again.Converted | Should -BeTrue
    }

    It 'hides the original' {
        $result = Convert-GlanceImage $id vhd -HideOriginal
        $testImages.Add($result.ImageId)
        $result.Original | Should -Be Hidden
        (Get-Record $id | ConvertFrom-Json).os_hidden | Should -BeTrue
        (Get-Record $result.ImageId | ConvertFrom-Json).os_hidden | Should -BeFalse
    }

    It 'removes the original, unless it is protected' {
        Set-GlanceImage $id -Protected $true
        $before = Get-Record $id
        { Convert-GlanceImage $id raw -RemoveOriginal -Confirm:$false -ErrorAction Stop } | Should -Throw -ErrorId 'ImageProtected*'
        Get-Record $id | Should -Be $before
        Set-GlanceImage $id -Protected $false
        $result = Convert-GlanceImage $id raw -RemoveOriginal -Confirm:$false
        $testImages.Add($result.ImageId)
        $result.Original | Should -Be Removed
        { Get-Record $id } | Should -Throw
        $null = $testImages.Remove($id)
    }

    It 'does not remove the original of somebody who cannot be asked' {
        $before = Get-Record $id
        $shell = [powershell]::Create().AddScript({
                param($Root, $Glance, $Id)
                Import-Module "$Root/ImageUtils.psd1"
                Connect-ImageService -Endpoint $Glance | Out-Null
                Convert-GlanceImage $Id raw -RemoveOriginal -ErrorAction Stop
            }).AddParameters(@("$root", $glance, $id))
        $shell.Invoke() | Should -BeNullOrEmpty
        "$($shell.Streams.Error)" | Should -BeLike '*prompts the user*delete the image*'
        Get-Record $id | Should -Be $before
    }

    It 'uses what Save-GlanceImage has here' {
        $saved = Save-GlanceImage $id saved.qcow2
        $result = $saved | Convert-GlanceImage -DiskFormat vhdx
        $testImages.Add($result.ImageId)
        $result.TemporaryBytes | Should -Be 0
        'saved.qcow2' | Should -Exist
    }
}

Describe 'Convert-GlanceImage that is killed' {
    BeforeAll {
        # A service that has an image, and takes a new one's data for ever.
        $disk = [byte[]]::new(1MB)
        $disk[5] = 1
        $hash = [Convert]::ToHexString([Security.Cryptography.SHA512]::HashData($disk)).ToLowerInvariant()
        $original = '11111111-2222-3333-4444-555555555555'
        $state = @{ IsOver = $false }
        $requests = [Collections.Concurrent.ConcurrentQueue[string]]::new()
        $listener = [Net.HttpListener]::new()
        foreach ($port in 20000..20999 | Get-Random -Count 20) {
            try {
                $listener.Prefixes.Clear()
                $listener.Prefixes.Add("http://127.0.0.1:$port/")
                $listener.Start()
                break
            }
            catch { $listener = [Net.HttpListener]::new() }
        }
        $serving = Start-ThreadJob {
            $listener = $using:listener
            $state = $using:state
            while (-not $state.IsOver) {
                $next = $listener.GetContextAsync()
                while (-not $next.Wait(50)) { if ($state.IsOver) { return } }
                $context = $next.Result
                $request = $context.Request
                ($using:requests).Enqueue("$($request.HttpMethod) $($request.Url.AbsolutePath)")
                if ($request.HttpMethod -eq 'PUT') { continue }
                [byte[]]$body = $using:disk
                if ($request.Url.AbsolutePath -notlike '*/file') {
                    $image = @{
                        id = $request.HttpMethod -eq 'POST' ? 'new' : $using:original; status = 'active'; name = 'a'; size = 1MB
                        disk_format = 'raw'; container_format = 'bare'; os_hash_algo = 'sha512'; os_hash_value = $using:hash
                    }
                    if ($request.Url.AbsolutePath -eq '/v2/images' -and $request.HttpMethod -eq 'GET') { $image = @{ images = @($image) } }
                    $body = [Text.Encoding]::UTF8.GetBytes(($image | ConvertTo-Json))
                }
                $context.Response.OutputStream.Write($body, 0, $body.Length)
                $context.Response.Close()
            }
        }
    }

    AfterAll {
        $state.IsOver = $true
        $serving | Wait-Job -Timeout 10 | Remove-Job -Force
        $listener.Abort()
    }

    It 'leaves the original alone, and a file that Clear-ImageTemporaryFile removes' {
        $kept = New-Item -ItemType Directory TestDrive:/conversion
        $command = "Import-Module '$root/ImageUtils.psd1'; Connect-ImageService -Endpoint http://127.0.0.1:$port | Out-Null; " +
            "Convert-GlanceImage $original qcow2 -RemoveOriginal -Confirm:`$false -ConversionDirectory '$($kept.FullName)'"
        $process = Start-Process pwsh '-NoProfile', '-NonInteractive', '-Command', "`"$command`"" -PassThru
        foreach ($try in 1..300) {
            if ("$requests" -like '*PUT*') { break }
            Start-Sleep -Milliseconds 100
        }
        Clear-ImageTemporaryFile $kept -PassThru | Should -BeNullOrEmpty
        $process.Kill()
        $process.WaitForExit()
        (Get-ChildItem $kept).Length | Should -Be 1MB
        (Clear-ImageTemporaryFile $kept -PassThru).ImageId | Should -Be $original
        Get-ChildItem $kept | Should -BeNullOrEmpty
        $requests | Where-Object { $_ -notmatch '^GET ' } | Should -Be 'POST /v2/images', 'PUT /v2/images/new/file'
    }
}
