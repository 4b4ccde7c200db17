BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $recorded = Import-Csv "$root/tests/data/vhd-util/chains.csv"
}

Describe 'Expand-XenServerImage' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        Copy-Item "$root/tests/data/vhd-util/exported.tar.gz" image.tar.gz
        $leaf = $recorded | Where-Object { $_.archive -eq 'exported' -and $_.disk -eq '0.vhd' }
    }

    AfterEach { Pop-Location }

    It 'makes a raw disk that is what vhd-util reads' {
        $result = Expand-XenServerImage image.tar.gz disk.raw
        $result | Should -BeOfType ImageUtils.XenServer.XenServerImageResult
        $result.Format, $result.ChainLength, $result.VirtualSize | Should -Be 'Raw', 3, 4MB
        (Get-FileHash disk.raw -Algorithm SHA256).Hash | Should -Be $leaf.sha256
        ($result | Out-String) | Should -Match 'disk\.raw'
    }

    It 'makes a VHD by itself, and takes the place of the archive' {
        $file = Get-Item *.tar.gz | Expand-XenServerImage -InPlace -Verify -PassThru
        $file | Should -BeOfType IO.FileInfo
        $file.Name | Should -Be image.tar.gz
        (Test-ImageFormat $file).Format | Should -Be Vhd
        Get-ChildItem -Force -Name | Should -Be image.tar.gz
    }

    It 'makes files in a directory' {
        $null = New-Item -ItemType Directory out
        Copy-Item image.tar.gz other.tgz
        Expand-XenServerImage *.tar.gz, *.tgz out -Format qcow2 | Should -HaveCount 2
        Get-ChildItem out -Name | Should -Be image.qcow2, other.qcow2
    }

    It 'wants one destination' {
        { Expand-XenServerImage image.tar.gz } | Should -Throw -ErrorId 'NoDestination*'
        { Expand-XenServerImage image.tar.gz a.vhd -InPlace } | Should -Throw -ErrorId 'TwoDestinations*'
        { Expand-XenServerImage image.tar.gz gone/ } | Should -Throw -ErrorId 'DirectoryNotFound*'
        { Expand-XenServerImage image.tar.gz a.vhd -MaximumSize many } | Should -Throw -ErrorId 'InvalidImageOption*'
        Expand-XenServerImage image.tar.gz image.tar.gz -ErrorAction SilentlyContinue -ErrorVariable failed
        $failed.Exception.Message | Should -BeLike '*-InPlace*'
    }

    It 'replaces a file only with -Force' {
        'mine' | Set-Content disk.vhd
        { Expand-XenServerImage image.tar.gz disk.vhd -ErrorAction Stop } | Should -Throw -ErrorId 'DestinationExists*'
        Get-Content disk.vhd | Should -Be mine
        (Expand-XenServerImage image.tar.gz disk.vhd -Force).Format | Should -Be Vhd
    }

    It 'refuses what unpacks to more than is allowed' {
        { Expand-XenServerImage image.tar.gz disk.vhd -MaximumSize 1MB -ErrorAction Stop } | Should -Throw -ErrorId 'ArchiveTooLarge*'
        $Error[0].CategoryInfo.Category | Should -Be LimitsExceeded
        Get-ChildItem -Force -Name | Should -Be image.tar.gz
    }

    It 'refuses an archive that leads elsewhere, and goes on to the next' {
        $target = New-Item -ItemType SymbolicLink 0.vhd -Target /etc/passwd
        tar -czf evil.tar.gz 0.vhd
        Remove-Item $target
        $null = New-Item -ItemType Directory out
        $made = Expand-XenServerImage *.tar.gz out -ErrorAction SilentlyContinue -ErrorVariable failed
        $made.Destination | Split-Path -Leaf | Should -Be image.vhd
        $failed.FullyQualifiedErrorId | Should -BeLike 'ArchiveEntryUnsafe*'
        $failed.CategoryInfo.Category | Should -Be SecurityError
    }

    It 'changes nothing with -WhatIf' {
        $hash = (Get-FileHash image.tar.gz).Hash
        Expand-XenServerImage image.tar.gz -InPlace -WhatIf | Should -BeNullOrEmpty
        Expand-XenServerImage image.tar.gz disk.vhd -WhatIf | Should -BeNullOrEmpty
        (Get-FileHash image.tar.gz).Hash | Should -Be $hash
        Get-ChildItem -Force -Name | Should -Be image.tar.gz
    }

    It 'says what Glance calls one' {
        [ImageUtils.XenServer.XenServerImage]::IsXenServerImage('vhd', 'ovf') | Should -BeTrue
        [ImageUtils.XenServer.XenServerImage]::IsXenServerImage('vhd', 'bare') | Should -BeFalse
    }

    It 'has help with examples' {
        (Get-Help Expand-XenServerImage -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
