BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $names = 'ConversionDirectory', 'CompressOnUpload', 'CpuTimeLimit', 'AddressSpaceLimit', 'TimeLimit',
        'ConversionTimeLimit', 'ConversionDisabled', 'AllowedVmdkTypes', 'ReservedNamespaces', 'BandwidthLimit',
        'DefaultFormat', 'ElevationCommand'
}

Describe 'Get-ImageUtilsConfiguration' {
    BeforeEach {
        $home_ = $env:XDG_CONFIG_HOME
        $env:XDG_CONFIG_HOME = "$TestDrive/$([guid]::NewGuid())"
        $file = "$env:XDG_CONFIG_HOME/imageutils/configuration.json"
    }

    AfterEach {
        $env:XDG_CONFIG_HOME = $home_
        Remove-Item env:IMAGEUTILS_* -Exclude IMAGEUTILS_QEMU_IMG
    }

    It 'emits every setting with where it comes from' {
        $settings = Get-ImageUtilsConfiguration
        $settings | Should -BeOfType ImageUtils.Configuration.ImageUtilsSetting
        $settings.Name | Should -Be $names
        $settings.Description | Should -Not -BeNullOrEmpty
        $settings.Where{ $_.Name -eq 'CpuTimeLimit' }.VariableName | Should -Be 'IMAGEUTILS_CPU_TIME_LIMIT'
    }

    It 'says which file and which variable' {
        Set-ImageUtilsConfiguration -BandwidthLimit 100MB -TimeLimit 10
        $env:IMAGEUTILS_TIME_LIMIT = '20'
        $bandwidth, $time = Get-ImageUtilsConfiguration BandwidthLimit, TimeLimit | Sort-Object Name
        $bandwidth.Value | Should -BeExactly 100MB
        $bandwidth.Source | Should -Be 'UserFile'
        $bandwidth.Origin | Should -Be $file
        $time.Value | Should -Be ([timespan]::FromSeconds(20))
        $time.Source | Should -Be 'Environment'
        $time.Origin | Should -Be 'IMAGEUTILS_TIME_LIMIT'
    }

    It 'takes wildcards and completes names' {
        (Get-ImageUtilsConfiguration *Time*).Name | Should -Be 'CpuTimeLimit', 'TimeLimit', 'ConversionTimeLimit'
        Get-ImageUtilsConfiguration *Nothing* | Should -BeNullOrEmpty
        $line = 'Get-ImageUtilsConfiguration -Name band'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'BandwidthLimit'
    }

    It 'reports a name that there is none of, and emits the rest' {
        (Get-ImageUtilsConfiguration Speed, TimeLimit -ErrorAction SilentlyContinue -ErrorVariable failed).Name |
            Should -Be 'TimeLimit'
        $failed[0].FullyQualifiedErrorId | Should -BeLike 'SettingNotFound*'
    }

    It 'emits one object with -Effective' {
        $env:IMAGEUTILS_DEFAULT_FORMAT = 'vpc'
        $configuration = Get-ImageUtilsConfiguration -Effective
        $configuration | Should -BeOfType ImageUtils.Configuration.ImageUtilsConfiguration
        $configuration.DefaultFormat | Should -Be 'Vhd'
        $text = $configuration | Out-String
        foreach ($name in $names) { $text | Should -Match "(?m)^\W*$name\b" }
    }

    It 'names the file and the line of what is wrong' {
        mkdir -p -m 700 (Split-Path $file)
        Set-Content $file "{`n  `"TimeLimit`": `"soon`"`n}"
        chmod 600 $file
        $thrown = { Get-ImageUtilsConfiguration } | Should -Throw -PassThru
        $thrown.FullyQualifiedErrorId | Should -BeLike 'ConfigurationValueInvalid*'
        $thrown.Exception.Message | Should -BeLike "'$file', line 2: TimeLimit*"
        # Nothing goes on as though there were no such file.
        { Test-ImageFormat "$root/tests/data/disk.qcow2" } | Should -Throw -ErrorId 'ConfigurationValueInvalid*'
    }

    It 'warns of settings that it does not know' {
        mkdir -p -m 700 (Split-Path $file)
        Set-Content $file '{ "Colour": "blue" }'
        chmod 600 $file
        $null = Get-ImageUtilsConfiguration -WarningAction SilentlyContinue -WarningVariable warned
        "$warned" | Should -BeLike "'$file', line 1: Colour*"
    }

    It 'does not trust a file that others can write' {
        mkdir -p -m 700 (Split-Path $file)
        Set-Content $file '{ }'
        chmod 666 $file
        $thrown = { Get-ImageUtilsConfiguration } | Should -Throw -PassThru
        $thrown.FullyQualifiedErrorId | Should -BeLike 'ConfigurationFileUnsafe*'
        $thrown.CategoryInfo.Category | Should -Be 'SecurityError'
    }

    Context 'what other cmdlets take from it' {
        It 'allows the VMDK createTypes that it lists, unless a parameter says which' {
            $vmdk = "$root/tests/data/disk-stream.vmdk"
            Test-ImageFormat $vmdk -Quiet | Should -BeTrue
            $env:IMAGEUTILS_ALLOWED_VMDK_TYPES = 'monolithicSparse'
            Test-ImageFormat $vmdk -Quiet | Should -BeFalse
            Test-ImageFormat $vmdk -Quiet -AllowedVmdkType streamOptimized | Should -BeTrue
            Test-ImageFormat $vmdk -Quiet -Policy (New-ImagePolicy) | Should -BeFalse
            Test-ImageFormat $vmdk -Quiet -Policy @{ AllowedFormats = 'vmdk' } | Should -BeFalse
            Test-ImageFormat $vmdk -Quiet -Policy (New-ImagePolicy -AllowedVmdkType streamOptimized) | Should -BeTrue
        }

        It 'limits qemu-img, unless a parameter does' {
            Set-Content "$TestDrive/qemu-img" "#!/bin/sh`nsleep 1.5`nexit 3"
            chmod +x "$TestDrive/qemu-img"
            $env:IMAGEUTILS_QEMU_IMG = "$TestDrive/qemu-img"
            try {
                $env:IMAGEUTILS_TIME_LIMIT = '1'
                $disk = "$root/tests/data/disk.qcow2"
                { Get-QemuImageInfo $disk -Engine Qemu -ErrorAction Stop } | Should -Throw -ErrorId 'QemuImgTimedOut*'
                { Get-QemuImageInfo $disk -Engine Qemu -TimeLimit 30 -ErrorAction Stop } |
                    Should -Throw -ErrorId 'QemuImgFailed*'
            } finally {
                $env:IMAGEUTILS_QEMU_IMG = ''
            }
        }
    }

    It 'has help with examples' {
        (Get-Help Get-ImageUtilsConfiguration -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
