BeforeAll {
    Import-Module (Resolve-Path "$PSScriptRoot/../../ImageUtils.psd1") -Force
    Set-Content "$TestDrive/qemu-img" "#!/bin/sh`necho 'qemu-img version 7.2.22 (Debian 1:7.2)'"
    chmod +x "$TestDrive/qemu-img"
}

Describe 'Test-QemuImageVersion' {
    BeforeEach { $env:IMAGEUTILS_QEMU_IMG = "$TestDrive/qemu-img" }
    AfterEach { $env:IMAGEUTILS_QEMU_IMG = '' }

    It '<Minimum> is <Enough> with 7.2.22' -ForEach @(
        @{ Minimum = '7.2'; Enough = $true }
        @{ Minimum = '7.2.22'; Enough = $true }
        @{ Minimum = '7.2.23'; Enough = $false }
        @{ Minimum = '7.10'; Enough = $false }
        @{ Minimum = '10.0'; Enough = $false }
    ) {
        Test-QemuImageVersion $Minimum | Should -BeExactly $Enough
    }

    It 'is false where there is no qemu-img' {
        $env:IMAGEUTILS_QEMU_IMG = ''
        $path = $env:PATH
        try {
            $env:PATH = '/nowhere'
            Test-QemuImageVersion 1.0 | Should -BeExactly $false
        } finally {
            $env:PATH = $path
        }
    }

    It 'refuses what is no version' {
        { Test-QemuImageVersion 'latest' } | Should -Throw
    }

    It 'has help with examples' {
        (Get-Help Test-QemuImageVersion -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
