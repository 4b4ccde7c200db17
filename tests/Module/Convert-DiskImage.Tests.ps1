BeforeDiscovery {
    $hasQemu = [bool](Get-Command qemu-img -ErrorAction Ignore)
    $formats = 'raw', 'qcow2', 'vhd', 'vhdx', 'vmdk', 'vdi'
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    # The user's configuration must not decide what is tested.
    $configurationHome = $env:XDG_CONFIG_HOME
    $env:XDG_CONFIG_HOME = "$TestDrive/configuration"

    function New-Disk([string] $Path, [int] $Megabytes = 3) {
        $bytes = [byte[]]::new($Megabytes * 1MB)
        [Random]::new(1).NextBytes($bytes)
        $bytes[0] = 0xEB
        [IO.File]::WriteAllBytes($Path, $bytes)
    }

    function Get-Names([string] $Directory) { (Get-ChildItem -Force $Directory | Sort-Object Name).Name }
}

AfterAll { $env:XDG_CONFIG_HOME = $configurationHome }

Describe 'Convert-DiskImage' {
    BeforeEach {
        $work = "$TestDrive/$([guid]::NewGuid())"
        $null = New-Item -ItemType Directory $work
        New-Disk "$work/a.raw"
        $hash = (Get-FileHash "$work/a.raw").Hash
    }

    It 'converts to <_> and back' -ForEach $formats {
        $there = Convert-DiskImage "$work/a.raw" "$work/b" $_ -Verify
        $there | Should -BeOfType ImageUtils.Conversion.ImageConversionResult
        $there.DestinationFormat | Should -Be $_
        $there.Engine | Should -Be Native
        $there.Verified | Should -BeTrue
        $there.VirtualSize | Should -Be 3MB
        $null = Convert-DiskImage "$work/b" "$work/back.raw"
        (Get-FileHash "$work/back.raw").Hash | Should -Be $hash
    }

    It 'takes the format from the extension' {
        (Convert-DiskImage "$work/a.raw" "$work/b.vhdx").DestinationFormat | Should -Be Vhdx
    }

    It 'wants a destination, and a format' {
        { Convert-DiskImage "$work/a.raw" } | Should -Throw -ErrorId 'NoDestination,*'
        { Convert-DiskImage "$work/a.raw" "$work/b" } | Should -Throw -ErrorId 'NoDestinationFormat,*'
        { Convert-DiskImage "$work/a.raw" "$work/b" raw -InPlace } | Should -Throw -ErrorId 'TwoDestinations,*'
        { Convert-DiskImage "$work/a.raw" "$work/none/" raw } | Should -Throw -ErrorId 'DirectoryNotFound,*'
    }

    It 'puts what comes through the pipeline into a directory, and goes on after a bad one' {
        $null = New-Item -ItemType Directory "$work/out"
        Copy-Item "$data/disk.qcow2", "$data/disk-dynamic.vhd", "$data/overlay.qcow2" $work
        $results = Get-ChildItem "$work/*.*" -File | Convert-DiskImage -Destination "$work/out" -DestinationFormat vdi -ErrorVariable bad -ErrorAction SilentlyContinue
        $results.Count | Should -Be 3
        $bad.Count | Should -Be 1
        $bad[0].FullyQualifiedErrorId | Should -BeLike 'ImageIsUnsafe,*'
        $bad[0].CategoryInfo.Category | Should -Be SecurityError
        Get-Names "$work/out" | Should -Be 'a.vdi', 'disk-dynamic.vdi', 'disk.vdi'
    }

    It 'does not let two sources replace each other' {
        $null = New-Item -ItemType Directory "$work/out"
        Copy-Item "$work/a.raw" "$work/a.img"
        $results = Get-ChildItem "$work/a.*" | Convert-DiskImage -Destination "$work/out" -DestinationFormat qcow2 -Force -ErrorVariable bad -ErrorAction SilentlyContinue
        @($results).Count | Should -Be 1
        $bad[0].FullyQualifiedErrorId | Should -BeLike 'DestinationIsTaken,*'
    }

    It 'does nothing with -WhatIf' {
        Convert-DiskImage "$work/a.raw" "$work/b.qcow2" -WhatIf | Should -BeNullOrEmpty
        Convert-DiskImage "$work/a.raw" -InPlace -DestinationFormat qcow2 -WhatIf | Should -BeNullOrEmpty
        Get-Names $work | Should -Be 'a.raw'
        (Get-FileHash "$work/a.raw").Hash | Should -Be $hash
    }

    It 'replaces a file with -Force alone' {
        'precious' | Set-Content "$work/b.qcow2"
        { Convert-DiskImage "$work/a.raw" "$work/b.qcow2" -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists,*'
        Get-Content "$work/b.qcow2" | Should -Be 'precious'
        (Convert-DiskImage "$work/a.raw" "$work/b.qcow2" -Force).DestinationFormat | Should -Be Qcow2
        Get-Names $work | Should -Be 'a.raw', 'b.qcow2'
    }

    It 'emits the file with -PassThru, for the next cmdlet' {
        (Convert-DiskImage "$work/a.raw" "$work/b.qcow2" -PassThru | Test-ImageFormat).Format | Should -Be Qcow2
    }

    It 'converts in place and keeps the name' {
        $result = Convert-DiskImage "$work/a.raw" -InPlace -DestinationFormat qcow2 -Compress
        $result.Destination | Should -Be "$work/a.raw"
        (Test-ImageFormat "$work/a.raw").Format | Should -Be Qcow2
        Get-Names $work | Should -Be 'a.raw'
    }

    It 'passes images through in place where no format is configured, and warns once' {
        Copy-Item "$work/a.raw" "$work/b.raw"
        $results = Get-ChildItem "$work/*.raw" | Convert-DiskImage -InPlace -WarningVariable warnings -WarningAction SilentlyContinue
        $results.Count | Should -Be 2
        $results.Converted | Should -Be $false, $false
        $warnings.Count | Should -Be 1
        (Get-FileHash "$work/a.raw").Hash | Should -Be $hash
    }

    It 'leaves the old image as it was when a conversion in place fails' {
        Copy-Item "$data/overlay.qcow2" "$work/o.qcow2"
        $before = (Get-FileHash "$work/o.qcow2").Hash
        Convert-DiskImage "$work/o.qcow2" -InPlace -DestinationFormat raw -ErrorVariable bad -ErrorAction SilentlyContinue
        $bad.Count | Should -Be 1
        (Get-FileHash "$work/o.qcow2").Hash | Should -Be $before
        Get-Names $work | Should -Be 'a.raw', 'o.qcow2'
    }

    It 'refuses what is not what it should be' {
        { Convert-DiskImage "$work/a.raw" "$work/b.raw" -SourceFormat qcow2 -ErrorAction Stop } |
            Should -Throw -ErrorId 'ImageFormatMismatch,*'
        (Convert-DiskImage "$work/a.raw" "$work/b.raw" -SourceFormat ami).SourceFormat | Should -Be Raw
    }

    It 'refuses a change of format where that is disabled' {
        $env:IMAGEUTILS_CONVERSION_DISABLED = 'true'
        try {
            { Convert-DiskImage "$work/a.raw" "$work/b.qcow2" -ErrorAction Stop } | Should -Throw -ErrorId 'ConversionDisabled,*'
        } finally {
            $env:IMAGEUTILS_CONVERSION_DISABLED = $null
        }
    }

    It 'refuses an option that the format does not have, and one that is out of range' {
        { Convert-DiskImage "$work/a.raw" "$work/b.vdi" -RefcountBits 16 -ErrorAction Stop } |
            Should -Throw -ErrorId 'InvalidImageOption,*'
        { Convert-DiskImage "$work/a.raw" "$work/b.qcow2" -CompressionLevel 99 -ErrorAction Stop } |
            Should -Throw -ErrorId 'InvalidImageOption,*'
        Get-Names $work | Should -Be 'a.raw'
    }

    It 'makes what the parameters ask for' {
        Convert-DiskImage "$work/a.raw" "$work/b.qcow2" -FormatVersion 2 -ClusterSize 4KB | Out-Null
        $info = Get-QemuImageInfo "$work/b.qcow2"
        $info.ClusterSize | Should -Be 4KB
        Convert-DiskImage "$work/a.raw" "$work/b.vhd" -AzureAligned | Out-Null
        (Test-ImageFormat "$work/b.vhd").Subformat | Should -Be 'fixed'
        (Get-Item "$work/b.vhd").Length | Should -Be (3MB + 512)
        Convert-DiskImage "$work/a.raw" "$work/b.vmdk" -Compress | Out-Null
        (Test-ImageFormat "$work/b.vmdk").Subformat | Should -Be 'streamOptimized'
    }

    It 'unpacks an image that is compressed as a whole' {
        Convert-DiskImage "$work/a.raw" "$work/b.qcow2" | Out-Null
        $in = [IO.File]::OpenRead("$work/b.qcow2")
        $out = [IO.Compression.GZipStream]::new([IO.File]::Create("$work/b.qcow2.gz"), [IO.Compression.CompressionLevel]::Fastest)
        $in.CopyTo($out); $out.Dispose(); $in.Dispose()
        $result = Convert-DiskImage "$work/b.qcow2.gz" "$work/c.raw"
        $result.SourceFormat | Should -Be Qcow2
        (Get-FileHash "$work/c.raw").Hash | Should -Be $hash
    }

    It 'ends within a second of Ctrl+C and leaves nothing' {
        New-Disk "$work/big.raw" 64
        $shell = [powershell]::Create()
        $null = $shell.AddScript("Import-Module '$root/ImageUtils.psd1'; Convert-DiskImage '$work/big.raw' '$work/b.qcow2' -BandwidthLimit 1MB")
        $run = $shell.BeginInvoke()
        Start-Sleep -Milliseconds 1500
        $run.IsCompleted | Should -BeFalse
        $clock = [Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $clock.Elapsed.TotalSeconds | Should -BeLessThan 1
        $shell.Dispose()
        Get-Names $work | Should -Be 'a.raw', 'big.raw'
    }

    It 'has a view that shows what happened' {
        $text = Convert-DiskImage "$work/a.raw" "$work/b.qcow2" | Out-String -Width 120
        $text | Should -Match 'Destination'
        $text | Should -Match 'raw +qcow2 +3\.0 MiB|raw +qcow2 +3 MiB'
    }

    It 'completes subformats of the destination format' {
        $line = 'Convert-DiskImage a b -DestinationFormat vmdk -Subformat '
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'monolithicSparse', 'streamOptimized'
    }

    It 'encrypts and decrypts through qemu-img, and only where that is allowed' -Skip:(-not $hasQemu) {
        $secret = ConvertTo-SecureString 'pass phrase' -AsPlainText -Force
        foreach ($try in 1..5) {
            $luks = Convert-DiskImage "$work/a.raw" "$work/b.luks" luks -DestinationPassphrase $secret -CipherSpec aes-xts-plain64 -KeySize 512 -ErrorVariable bad -ErrorAction SilentlyContinue
            if ($luks) { break }
        }
        $luks.Engine | Should -Be Qemu
        { Convert-DiskImage "$work/a.raw" "$work/d.luks" luks -DestinationPassphrase $secret -CipherSpec aes:2-cbc -ErrorAction Stop } |
            Should -Throw -ErrorId 'CipherSpecInvalid,*'

        # Its key takes a hundredth of a second, where one that is made to be safe takes some.
        qemu-img convert --object 'secret,id=s,data=pass phrase' -f raw -O luks -o key-secret=s,iter-time=10 "$work/a.raw" "$work/b.luks"
        { Convert-DiskImage "$work/b.luks" "$work/c.raw" raw -Passphrase $secret -ErrorAction Stop } |
            Should -Throw -ErrorId 'DecryptionNotAllowed,*'
        $null = Convert-DiskImage "$work/b.luks" "$work/c.raw" raw -Passphrase $secret -AllowDecrypt
        (Get-FileHash "$work/c.raw").Hash | Should -Be $hash
    }

    It 'uses qemu-img when asked' -Skip:(-not $hasQemu) {
        $result = Convert-DiskImage "$work/a.raw" "$work/b.qcow2" -Engine Qemu -Verify
        $result.Engine | Should -Be Qemu
        $result.Verified | Should -BeTrue
        $null = Convert-DiskImage "$work/b.qcow2" "$work/c.raw" -Engine Qemu
        (Get-FileHash "$work/c.raw").Hash | Should -Be $hash
        Get-Names $work | Should -Be 'a.raw', 'b.qcow2', 'c.raw'
    }
}
