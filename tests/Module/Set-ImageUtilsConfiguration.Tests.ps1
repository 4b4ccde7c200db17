BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Set-ImageUtilsConfiguration' {
    BeforeEach {
        $home_ = $env:XDG_CONFIG_HOME
        $env:XDG_CONFIG_HOME = "$TestDrive/$([guid]::NewGuid())"
        $file = "$env:XDG_CONFIG_HOME/imageutils/configuration.json"
    }

    AfterEach {
        $env:XDG_CONFIG_HOME = $home_
        Remove-Item env:IMAGEUTILS_* -Exclude IMAGEUTILS_QEMU_IMG
    }

    It 'sets everything that there is, and emits nothing by itself' {
        Set-ImageUtilsConfiguration -ConversionDirectory $TestDrive -CompressOnUpload $false -CpuTimeLimit 10 `
            -AddressSpaceLimit 2GB -TimeLimit 20 -ConversionTimeLimit 30 -ConversionDisabled $true `
            -AllowedVmdkTypes monolithicSparse -ReservedNamespaces os_glance, mine -BandwidthLimit 100MB `
            -DefaultFormat vpc -ElevationCommand sudo, -n | Should -BeNullOrEmpty
        $now = Get-ImageUtilsConfiguration -Effective
        $now.ConversionDirectory | Should -Be "$TestDrive"
        $now.CompressOnUpload | Should -BeFalse
        $now.CpuTimeLimit.TotalSeconds | Should -Be 10
        $now.AddressSpaceLimit | Should -Be 2GB
        $now.TimeLimit.TotalSeconds | Should -Be 20
        $now.ConversionTimeLimit.TotalSeconds | Should -Be 30
        $now.ConversionDisabled | Should -BeTrue
        $now.AllowedVmdkTypes | Should -Be 'monolithicSparse'
        $now.ReservedNamespaces | Should -Be 'os_glance', 'mine'
        $now.BandwidthLimit | Should -Be 100MB
        $now.DefaultFormat | Should -Be 'Vhd'
        $now.ElevationCommand | Should -Be 'sudo', '-n'
        (Get-ImageUtilsConfiguration).Source | Should -Be (@('UserFile') * 12)
    }

    It 'makes a file that only its owner can read' {
        Set-ImageUtilsConfiguration -TimeLimit 5
        stat -c %a $file | Should -Be '600'
    }

    It 'changes what is named and keeps the rest' {
        Set-ImageUtilsConfiguration -TimeLimit 5 -BandwidthLimit 1MB -DefaultFormat qcow2
        $changed = Set-ImageUtilsConfiguration -DefaultFormat $null -CpuTimeLimit 0 -Remove BandwidthLimit -PassThru
        $changed.Name | Should -Be 'CpuTimeLimit', 'BandwidthLimit', 'DefaultFormat'
        $changed.ValueText | Should -Be 'none', 'none', 'none'
        $changed.Source | Should -Be 'UserFile', 'Default', 'UserFile'
        (Get-ImageUtilsConfiguration TimeLimit).Value.TotalSeconds | Should -Be 5
    }

    It 'resolves a directory against the current location' {
        Push-Location $TestDrive
        try {
            (Set-ImageUtilsConfiguration -ConversionDirectory . -PassThru).Value | Should -Be "$TestDrive"
            Set-ImageUtilsConfiguration -ConversionDirectory missing -WarningAction SilentlyContinue -WarningVariable warned
            "$warned" | Should -BeLike '*missing*'
        } finally {
            Pop-Location
        }
    }

    It 'does nothing with -WhatIf, whatever the scope' {
        Set-ImageUtilsConfiguration -TimeLimit 5 -WhatIf
        Test-Path $file | Should -BeFalse
        pwsh -NoProfile -Command "Import-Module '$root/ImageUtils.psd1'
            Set-ImageUtilsConfiguration -TimeLimit 5 -Remove BandwidthLimit -Scope Machine -WhatIf" |
            Should -BeLike '*"set TimeLimit, remove BandwidthLimit"*"/etc/imageutils/configuration.json"*'
    }

    It 'warns where the environment goes over the file' {
        $env:IMAGEUTILS_BANDWIDTH_LIMIT = '5M'
        $now = Set-ImageUtilsConfiguration -BandwidthLimit 1MB -PassThru -WarningAction SilentlyContinue -WarningVariable warned
        $now.Value | Should -Be 5MB
        "$warned" | Should -BeLike "BandwidthLimit stays 5 MiB: IMAGEUTILS_BANDWIDTH_LIMIT goes over '$file'."
    }

    It 'refuses <Name>' -ForEach @(
        @{ Name = 'an address space in another unit'; Value = @{ AddressSpaceLimit = 1 }; Id = 'ConfigurationValueInvalid*' }
        @{ Name = 'a format that nothing writes'; Value = @{ DefaultFormat = 'iso' }; Id = 'ConfigurationValueInvalid*' }
        @{ Name = 'a program in the current directory'; Value = @{ ElevationCommand = './sudo' }; Id = 'ConfigurationValueInvalid*' }
        @{ Name = 'a command in one word'; Value = @{ ElevationCommand = 'sudo -n' }; Id = 'ConfigurationValueInvalid*' }
        @{ Name = 'a name with a blank'; Value = @{ AllowedVmdkTypes = 'a b' }; Id = 'ConfigurationValueInvalid*' }
        @{ Name = 'to remove what there is not'; Value = @{ Remove = 'Speed' }; Id = 'ConfigurationValueInvalid*' }
        @{ Name = 'a negative limit'; Value = @{ TimeLimit = -1 }; Id = 'ParameterArgumentValidationError*' }
        @{ Name = 'nothing'; Value = @{}; Id = 'NothingToSet*' }
        @{ Name = 'both at once'; Value = @{ TimeLimit = 1; Remove = 'timelimit' }; Id = 'SetAndRemoved*' }
    ) {
        { Set-ImageUtilsConfiguration @Value -ErrorAction Stop } | Should -Throw -ErrorId $Id
        Test-Path $file | Should -BeFalse
    }

    It 'does not build on a file that is malformed' {
        mkdir -p -m 700 (Split-Path $file)
        Set-Content $file '{ oh' -NoNewline
        chmod 600 $file
        { Set-ImageUtilsConfiguration -TimeLimit 5 -ErrorAction Stop } | Should -Throw -ErrorId 'ConfigurationFileMalformed*'
        Get-Content $file | Should -Be '{ oh'
    }

    It 'completes what can be removed' {
        $line = 'Set-ImageUtilsConfiguration -Remove elev'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'ElevationCommand'
    }

    It 'has help with examples' {
        (Get-Help Set-ImageUtilsConfiguration -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
