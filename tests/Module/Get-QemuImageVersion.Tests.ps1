BeforeDiscovery {
    $hasQemu = [bool](Get-Command qemu-img -ErrorAction Ignore)
}

BeforeAll {
    Import-Module (Resolve-Path "$PSScriptRoot/../../ImageUtils.psd1") -Force
}

Describe 'Get-QemuImageVersion' {
    It 'says which qemu-img there is' -Skip:(-not $hasQemu) {
        $version = Get-QemuImageVersion
        $version | Should -BeOfType ImageUtils.Qemu.QemuImgVersion
        $version.Path | Should -Be (Get-Command qemu-img).Source
        (qemu-img --version)[0] | Should -BeLike "qemu-img version $($version.Version)*"
    }

    It 'asks once for a session' -Skip:(-not $hasQemu) {
        $null = Get-QemuImageVersion
        (Measure-Command { foreach ($time in 1..50) { $null = Get-QemuImageVersion } }).TotalMilliseconds |
            Should -BeLessThan ((Measure-Command { foreach ($time in 1..50) { qemu-img --version } }).TotalMilliseconds)
    }

    It 'asks the one that the environment names' {
        Set-Content "$TestDrive/qemu-img" "#!/bin/sh`necho 'qemu-img version 4.2.1 (Test 1:4.2)'"
        chmod +x "$TestDrive/qemu-img"
        $env:IMAGEUTILS_QEMU_IMG = "$TestDrive/qemu-img"
        try {
            $version = Get-QemuImageVersion
            $version.Version | Should -Be '4.2.1'
            $version.Package | Should -Be 'Test 1:4.2'
        } finally {
            $env:IMAGEUTILS_QEMU_IMG = ''
        }
    }

    It 'names the package where there is none' {
        $path = $env:PATH
        try {
            $env:PATH = '/nowhere'
            $null = Get-QemuImageVersion -ErrorVariable problem -ErrorAction SilentlyContinue
        } finally {
            $env:PATH = $path
        }
        $problem.FullyQualifiedErrorId | Should -BeLike 'QemuImgNotFound,*'
        $problem.Exception.Message | Should -BeLike '*qemu-utils*'
    }

    It 'has help with examples' {
        (Get-Help Get-QemuImageVersion -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
