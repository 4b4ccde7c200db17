BeforeDiscovery {
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"

    function New-Big ([string] $Path, [long] $Length) {
        $stream = [IO.File]::Create($Path)
        $stream.SetLength($Length)
        $stream.Dispose()
    }
}

Describe 'Test-ImageFormat' {
    Context 'files' {
        It 'says what a file is and that it is safe' {
            $report = Test-ImageFormat "$data/disk.qcow2"
            $report | Should -BeOfType ImageUtils.Inspection.ImageFormatReport
            $report.Path | Should -Be (Convert-Path "$data/disk.qcow2")
            $report.Format | Should -Be 'qcow2'
            $report.IsSafe | Should -BeTrue
            $report.MatchesExpected | Should -BeNullOrEmpty
            $report.VirtualSize | Should -Be 1MB
            $report.FileSize | Should -Be (Get-Item "$data/disk.qcow2").Length
            $report.Failures | Should -HaveCount 0
            $report.Checks.Name | Should -Contain 'backing_file'
        }

        It 'finds <Format> in <Name>, safe: <Safe>' -ForEach @(
            @{ Name = 'disk.raw'; Format = 'Raw'; Safe = $true }
            @{ Name = 'disk-v2.qcow2'; Format = 'Qcow2'; Safe = $true }
            @{ Name = 'disk-zstd.qcow2'; Format = 'Qcow2'; Safe = $true }
            @{ Name = 'disk-dynamic.vhd'; Format = 'Vhd'; Safe = $true }
            @{ Name = 'disk-fixed.vhd'; Format = 'Vhd'; Safe = $true }
            @{ Name = 'disk-stream.vmdk'; Format = 'Vmdk'; Safe = $true }
            @{ Name = 'disk.vdi'; Format = 'Vdi'; Safe = $true }
            @{ Name = 'disk.qcow2.gz'; Format = 'Gzip'; Safe = $true }
            @{ Name = 'refused.qed'; Format = 'Qed'; Safe = $false; Failure = 'banned' }
            @{ Name = 'overlay.qcow2'; Format = 'Qcow2'; Safe = $false; Failure = 'backing_file' }
            @{ Name = 'descriptor.vmdk'; Format = 'Vmdk'; Safe = $false; Failure = 'extents' }
        ) {
            $report = Test-ImageFormat "$data/$Name"
            "$($report.Format)" | Should -BeExactly $Format
            $report.IsSafe | Should -Be $Safe
            if ($Failure) { $report.Failures.Name | Should -Contain $Failure }
        }

        It 'expands wildcards' {
            (Test-ImageFormat "$data/*.qcow2").Path | Split-Path -Leaf |
                Should -Be (Get-ChildItem "$data/*.qcow2").Name
        }

        It 'takes names with wildcard characters literally when told to' {
            Copy-Item "$data/disk.qcow2" -Destination "$TestDrive/a.qcow2"
            [IO.File]::Copy("$data/disk.qcow2", "$TestDrive/a[1].qcow2")
            (Test-ImageFormat -LiteralPath "$TestDrive/a[1].qcow2").Format | Should -Be 'Qcow2'
            (Get-ChildItem $TestDrive | Test-ImageFormat).Path | Should -Contain "$TestDrive/a[1].qcow2"
            $found = Test-ImageFormat "$TestDrive/a[1].qcow2" -ErrorVariable problem -ErrorAction SilentlyContinue
            $found | Should -BeNullOrEmpty
            $problem.FullyQualifiedErrorId | Should -BeLike 'PathHasWildcards,*'
        }

        It 'resolves paths against the current location and through drives' {
            Push-Location $data
            try { (Test-ImageFormat disk.raw).Path | Should -Be (Convert-Path disk.raw) } finally { Pop-Location }
            Copy-Item "$data/disk.qcow2" 'TestDrive:/drive.qcow2'
            (Test-ImageFormat 'TestDrive:/drive.qcow2').Format | Should -Be 'Qcow2'
        }

        It 'binds objects with a FullName or Path' {
            ([pscustomobject]@{ FullName = "$data/disk.qcow2" } | Test-ImageFormat).Format | Should -Be 'Qcow2'
            ([pscustomobject]@{ Path = "$data/disk.qcow2" } | Test-ImageFormat).Format | Should -Be 'Qcow2'
            ("$data/disk.qcow2" | Test-ImageFormat).Format | Should -Be 'Qcow2'
        }

        It 'reads a stream' {
            $stream = [IO.File]::OpenRead("$data/overlay.qcow2")
            try { $report = Test-ImageFormat -Stream $stream } finally { $stream.Dispose() }
            $report.Format | Should -Be 'Qcow2'
            $report.Failures.Name | Should -Be 'backing_file'
        }
    }

    Context 'claims' {
        It '<Claim> of <Name> is <Matches>' -ForEach @(
            @{ Claim = 'qcow2'; Name = 'disk.qcow2'; Matches = $true }
            @{ Claim = 'vpc'; Name = 'disk-dynamic.vhd'; Matches = $true }
            @{ Claim = 'vhd'; Name = 'disk-fixed.vhd'; Matches = $true }
            @{ Claim = 'ami'; Name = 'disk.vdi'; Matches = $true }
            @{ Claim = 'raw'; Name = 'disk.qcow2'; Matches = $false }
            @{ Claim = 'parallels'; Name = 'disk.qcow2'; Matches = $false }
        ) {
            (Test-ImageFormat "$data/$Name" -ExpectedFormat $Claim).MatchesExpected | Should -Be $Matches
        }

        It 'accepts a partitioned disk as raw' {
            $bytes = [byte[]]::new(4096)
            $bytes[510] = 0x55; $bytes[511] = 0xAA
            $bytes[450] = 0x83; $bytes[454] = 1; $bytes[458] = 4
            [IO.File]::WriteAllBytes("$TestDrive/mbr.img", $bytes)
            $report = Test-ImageFormat "$TestDrive/mbr.img" -ExpectedFormat raw
            $report.Format | Should -Be 'Mbr'
            $report.MatchesExpected | Should -BeTrue
            $report.IsSafe | Should -BeTrue
        }

        It 'does not look into a known raw' {
            $report = Test-ImageFormat "$data/overlay.qcow2" -KnownRaw -ExpectedFormat raw
            $report.Format | Should -Be 'Raw'
            $report.IsSafe | Should -BeTrue
            $report.VirtualSize | Should -Be $report.FileSize
        }

        It 'says only true or false with -Quiet' {
            Test-ImageFormat "$data/disk.qcow2" -Quiet | Should -BeExactly $true
            Test-ImageFormat "$data/overlay.qcow2" -Quiet | Should -BeExactly $false
            Test-ImageFormat "$data/disk.qcow2" vhd -Quiet | Should -BeExactly $false
        }

        It 'refuses a format that there is not' {
            { Test-ImageFormat "$data/disk.raw" -ExpectedFormat vpx } | Should -Throw '*not an image format*'
        }

        It 'completes formats' {
            $line = 'Test-ImageFormat x -ExpectedFormat vh'
            (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'vhd', 'vhdx'
        }
    }

    Context 'policy' {
        It 'allows a backing file below a listed directory' {
            (Test-ImageFormat "$data/overlay.qcow2" -AllowBackingFile /etc).IsSafe | Should -BeTrue
            (Test-ImageFormat "$data/overlay.qcow2" -AllowBackingFile $data).IsSafe | Should -BeFalse
        }

        It 'limits the virtual size' {
            (Test-ImageFormat "$data/disk.qcow2" -MaximumVirtualSize 1MB).IsSafe | Should -BeTrue
            (Test-ImageFormat "$data/disk.qcow2" -MaximumVirtualSize 1000000).Failures.Name | Should -Be 'expansion'
        }

        It 'allows no VMDK with an empty list' {
            (Test-ImageFormat "$data/disk-stream.vmdk" -AllowedVmdkType @()).Failures.Name | Should -Contain 'descriptor'
        }

        It 'takes a policy and a hashtable' {
            $policy = New-ImagePolicy -NonFatalCheck backing_file
            (Test-ImageFormat "$data/overlay.qcow2" -Policy $policy).IsSafe | Should -BeTrue
            $report = Test-ImageFormat "$data/disk.qcow2" -Policy @{ AllowedFormats = 'raw', 'vpc' }
            $report.Failures.Name | Should -Be 'format'
            { Test-ImageFormat "$data/disk.raw" -Policy @{ Nonsense = 1 } } | Should -Throw '*has no ''Nonsense''*'
        }
    }

    Context 'encrypted volumes' -Skip:(-not (Get-Command qemu-img, cryptsetup -ErrorAction Ignore)) {
        BeforeAll {
            'correct horse' | Set-Content "$TestDrive/key" -NoNewline
            # qemu-img measures the processor to choose iterations, and gives up now and then on a fast one.
            function New-Luks ([string] $Source, [string] $Destination) {
                foreach ($try in 1..10) {
                    qemu-img convert -f raw -O luks --object "secret,id=s,file=$TestDrive/key" `
                        -o key-secret=s,iter-time=10 $Source $Destination 2>$null
                    if ($LASTEXITCODE -eq 0) { return }
                }
                throw 'qemu-img cannot make a LUKS volume'
            }
            New-Luks "$data/disk.raw" "$TestDrive/disk.luks"
            # The overlay's bytes as a guest would have put them on the disk.
            New-Luks "$data/overlay.qcow2" "$TestDrive/overlay.luks"
            $secret = ConvertTo-SecureString 'correct horse' -AsPlainText -Force
        }

        It 'looks inside with the passphrase' {
            (Test-ImageFormat "$TestDrive/disk.luks").InnerFormat | Should -BeNullOrEmpty
            $report = Test-ImageFormat "$TestDrive/disk.luks" -Passphrase $secret
            $report.Format | Should -Be 'Luks'
            $report.InnerFormat | Should -Be 'Raw'
            $report.IsSafe | Should -BeTrue
        }

        It 'finds what is hidden inside' {
            $report = Test-ImageFormat "$TestDrive/overlay.luks" -Passphrase $secret
            $report.InnerFormat | Should -Be 'Qcow2'
            $report.Failures.Name | Should -Contain 'inner_backing_file'
        }

        It 'fails a wrong passphrase without saying it' {
            $report = Test-ImageFormat "$TestDrive/disk.luks" -Passphrase (ConvertTo-SecureString 'wr0ng' -AsPlainText -Force)
            $report.Failures.Name | Should -Contain 'passphrase'
            $report | ConvertTo-Json -Depth 5 | Should -Not -Match 'wr0ng'
        }
    }

    Context 'errors' {
        It 'reports <Id> and goes on' -ForEach @(
            @{ Id = 'FileNotFound'; Make = { "$TestDrive/missing" } }
            @{ Id = 'PathIsDirectory'; Make = { New-Item -ItemType Directory "$TestDrive/directory" -Force } }
            @{ Id = 'FileIsEmpty'; Make = { New-Item "$TestDrive/empty" -Force } }
            @{ Id = 'PathIsNotAFile'; Make = { if (-not (Test-Path "$TestDrive/fifo")) { mkfifo "$TestDrive/fifo" }; "$TestDrive/fifo" } }
            @{ Id = 'PathIsNotOnAFileSystem'; Make = { 'Variable:/HOME' } }
        ) {
            $bad = "$(& $Make)"
            $reports = Test-ImageFormat -LiteralPath $bad, "$data/disk.raw" -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem | Should -HaveCount 1
            $problem.FullyQualifiedErrorId | Should -Be "$Id,ImageUtils.PowerShell.Commands.TestImageFormatCommand"
            $reports | Should -HaveCount 1
        }

        It 'reports a header that is cut short as unsafe' {
            [IO.File]::WriteAllBytes("$TestDrive/cut.qcow2", [IO.File]::ReadAllBytes("$data/disk.qcow2")[0..99])
            $report = Test-ImageFormat "$TestDrive/cut.qcow2"
            $report.Format | Should -Be 'Qcow2'
            $report.IsSafe | Should -BeFalse
        }

        It 'passes over directories from the pipeline' {
            New-Item -ItemType Directory "$TestDrive/tree/sub" -Force
            Copy-Item "$data/disk.raw" "$TestDrive/tree"
            $output = Get-ChildItem "$TestDrive/tree" | Test-ImageFormat -Verbose 4>&1
            $output.Where{ $_ -is [Management.Automation.VerboseRecord] }.Message | Should -BeLike '*is a directory; passed over.'
            $output.Where{ $_ -is [ImageUtils.Inspection.ImageFormatReport] } | Should -HaveCount 1
        }
    }

    Context 'a long pipeline' {
        It 'goes through 3,000 files with bad ones among them' {
            $many = New-Item -ItemType Directory "$TestDrive/many"
            $samples = Get-ChildItem "$data/disk*", "$data/refused.qed"
            foreach ($number in 0..2999) {
                $target = "$many/{0:d4}" -f $number
                switch ($number) {
                    { $_ % 1000 -eq 500 } { $null = New-Item $target; break }
                    { $_ % 1000 -eq 700 } { mkfifo $target; break }
                    { $_ % 1000 -eq 900 } { $null = New-Item -ItemType SymbolicLink $target -Target "$many/gone"; break }
                    default { [IO.File]::Copy($samples[$number % $samples.Count].FullName, $target) }
                }
            }
            $reports = Get-ChildItem $many | Test-ImageFormat -ErrorVariable problems -ErrorAction SilentlyContinue
            $reports | Should -HaveCount 2991
            $problems | Should -HaveCount 9
            $problems.FullyQualifiedErrorId | Group-Object | ForEach-Object Count | Should -Be 3, 3, 3
            ($reports | Where-Object Format -EQ Qed | Measure-Object).Count | Should -BeGreaterThan 100
            ($reports | Where-Object IsSafe -EQ $false | Group-Object { $_.Format }).Name | Should -Be 'Qed'
        }

        It 'keeps the order of what went in' {
            $many = New-Item -ItemType Directory "$TestDrive/order"
            foreach ($number in 0..499) { [IO.File]::Copy("$data/disk.raw", "$many/{0:d4}" -f $number) }
            $names = (Get-ChildItem $many | Test-ImageFormat).Path | Split-Path -Leaf
            $names | Should -Be (0..499).ForEach{ '{0:d4}' -f $_ }
        }

        It 'stops within a second when it is told to, whatever it reads' {
            $shell = [powershell]::Create().AddScript({
                    param($Manifest)
                    Import-Module $Manifest
                    Test-ImageFormat -Stream ([IO.File]::OpenRead('/dev/zero'))
                }).AddArgument("$root/ImageUtils.psd1")
            try {
                $running = $shell.BeginInvoke()
                Start-Sleep -Seconds 2
                $running.IsCompleted | Should -BeFalse
                (Measure-Command { $shell.Stop() }).TotalSeconds | Should -BeLessThan 1
            } finally {
                $shell.Dispose()
            }
        }

        It 'stops early when what follows has had enough' {
            (Get-ChildItem "$data/*.qcow2" | Test-ImageFormat | Select-Object -First 1) | Should -HaveCount 1
        }
    }

    Context 'in Glance and on the web' -Skip:(-not $hasCloud) {
        BeforeAll {
            . "$PSScriptRoot/OpenStackCloud.ps1"
            . "$PSScriptRoot/GlanceImages.ps1"
            $cloud = Start-OpenStackCloud
            $glance = $cloud.open_glance
            New-Big "$TestDrive/large" 4MB
            $good = New-TestImage $glance 'remote-good' qcow2 "$data/disk.qcow2"
            $bad = New-TestImage $glance 'remote-bad' qcow2 "$data/overlay.qcow2"
            $other = New-TestImage $glance 'remote-other' vmdk "$data/disk.qcow2"
            $large = New-TestImage $glance 'remote-large' raw "$TestDrive/large"
            $session = Connect-ImageService -Endpoint $glance
            # Its images are files on the web, too, of which there are ranges.
            $web = "$glance/v2/images"
        }

        AfterAll {
            Get-ImageServiceSession -All | Disconnect-ImageService
            Remove-TestImage $glance
            Stop-OpenStackCloud $cloud
        }

        It 'holds an image against what Glance says of it' {
            $reports = Test-ImageFormat -GlanceImageId remote-good, $bad, remote-other
            $reports.Path | Should -Be $good, $bad, $other
            "$($reports.Format)" | Should -Be 'Qcow2 Qcow2 Qcow2'
            $reports.IsSafe | Should -Be $true, $false, $true
            $reports.MatchesExpected | Should -Be $true, $true, $false
            $reports[0].FileSize | Should -Be (Get-Item "$data/disk.qcow2").Length
            Test-ImageFormat -GlanceImageId $other -Quiet -Session $session | Should -BeExactly $false
            Test-ImageFormat -GlanceImageId $other qcow2 -Quiet | Should -BeExactly $true
        }

        It 'takes images and ids from the pipeline' {
            (Get-GlanceImage -Id $good, $other | Test-ImageFormat).MatchesExpected | Should -Be $true, $false
            ([pscustomobject]@{ GlanceImageId = $good } | Test-ImageFormat).Path | Should -Be $good
            $saved = Save-GlanceImage $good "$TestDrive/saved"
            ($saved | Test-ImageFormat).Path | Should -Be $saved.Path
        }

        It 'completes names of images' {
            $line = 'Test-ImageFormat -GlanceImageId remote-g'
            (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'remote-good'
        }

        It 'reads a little of a large image, and says how much' {
            $output = Test-ImageFormat -GlanceImageId $large -Verbose 4>&1
            $output.Where{ $_ -is [ImageUtils.Inspection.ImageFormatReport] }.FileSize | Should -Be 4MB
            $said = "$($output.Where{ $_ -is [Management.Automation.VerboseRecord] })"
            [long][regex]::Match($said, 'bytes read: (\d+),').Groups[1].Value | Should -BeGreaterThan 512
            [long][regex]::Match($said, 'bytes read: (\d+),').Groups[1].Value | Should -BeLessThan 64KB
        }

        It 'reads images on the web, by name from the pipeline too' {
            $report = Test-ImageFormat -Uri "$web/$good/file?a=secret" qcow2 -AllowPrivateAddress
            $report.Path | Should -BeExactly "$web/$good/file"
            $report.MatchesExpected | Should -BeTrue
            $report.FileSize | Should -Be (Get-Item "$data/disk.qcow2").Length
            $reports = [pscustomobject]@{ Uri = "$web/$bad/file" } | Test-ImageFormat -AllowPrivateAddress
            $reports.Failures.Name | Should -Be 'backing_file'
        }

        It 'reports what is wrong with one, and goes on' {
            $reports = Test-ImageFormat -GlanceImageId no-such-image, $good -ErrorVariable problem -ErrorAction SilentlyContinue
            $reports.Path | Should -Be $good
            $problem.FullyQualifiedErrorId | Should -BeLike 'ImageNotFoundInGlance,*'
            $addresses = 'file:///etc/passwd', "http://me:hunter2@localhost/x", "$web/none/file", "$web/$good/file"
            $reports = Test-ImageFormat -Uri $addresses -AllowPrivateAddress -ErrorVariable problems -ErrorAction SilentlyContinue
            $reports.Path | Should -Be "$web/$good/file"
            $problems.FullyQualifiedErrorId -replace ',.*' | Should -Be 'UriNotUsable', 'UriNotUsable', 'ServiceHasNoSuchThing'
            "$problems $($problems.TargetObject)" | Should -Not -Match 'hunter2'
        }

        It 'asks no machine that is not public, and no proxy, unless it may' {
            { Test-ImageFormat -Uri "$web/$good/file" -ErrorAction Stop } | Should -Throw -ErrorId 'AddressIsPrivate*'
            { Test-ImageFormat -Uri http://h/x -Proxy http://h } | Should -Throw -ErrorId 'AddressIsPrivate*'
        }

        It 'needs a session for Glance, and no directories' {
            { Test-ImageFormat -GlanceImageId $good -AllowBackingFile . } | Should -Throw -ErrorId 'OnlyForFiles*'
            Get-ImageServiceSession -All | Disconnect-ImageService
            { Test-ImageFormat -GlanceImageId $good } | Should -Throw -ErrorId 'NotConnected*'
        }
    }

    Context 'display' {
        It 'shows one line a file with the failed checks' {
            $lines = (Test-ImageFormat "$data/disk.qcow2", "$data/overlay.qcow2" | Out-String -Width 120) -split '\n'
            ($lines -match 'overlay\.qcow2') | Should -Match 'UNSAFE\s+qcow2\s+1 MiB\s+1\.75 KiB\s+overlay\.qcow2\s+backing_file'
            ($lines -match 'disk\.qcow2') | Should -Match 'safe\s+qcow2'
        }

        It 'has help with examples' {
            $help = Get-Help Test-ImageFormat -Full
            $help.Synopsis | Should -Not -BeNullOrEmpty
            $help.examples.example.Count | Should -BeGreaterThan 2
            $help.parameters.parameter.Where{ $_.name -eq 'ExpectedFormat' }.description.Text | Should -Not -BeNullOrEmpty
        }
    }
}
