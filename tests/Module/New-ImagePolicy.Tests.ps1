BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'New-ImagePolicy' {
    It 'makes the strict default' {
        $policy = New-ImagePolicy
        $policy | Should -BeOfType ImageUtils.Safety.SafetyPolicy
        $policy.AllowedVmdkTypes | Should -Be 'streamOptimized', 'monolithicSparse'
        $policy.BackingFileDirectories | Should -HaveCount 0
        $policy.MaximumVirtualSize | Should -BeNullOrEmpty
        $policy.AllowExtendedL2 | Should -BeFalse
    }

    It 'starts from what is configured' {
        $env:IMAGEUTILS_ALLOWED_VMDK_TYPES = 'monolithicFlat'
        try {
            (New-ImagePolicy).AllowedVmdkTypes | Should -Be 'monolithicFlat'
            (New-ImagePolicy -AllowedVmdkType streamOptimized).AllowedVmdkTypes | Should -Be 'streamOptimized'
            $stream = "$root/tests/data/disk-stream.vmdk"
            (Test-ImageFormat $stream -Policy @{ MaximumVirtualSize = 1GB }).Failures.Name | Should -Be 'descriptor'
        }
        finally { Remove-Item Env:IMAGEUTILS_ALLOWED_VMDK_TYPES }
    }

    It 'takes everything that a policy has' {
        $policy = New-ImagePolicy -BackingFileDirectory $TestDrive -DataFileDirectory $TestDrive -AllowedVmdkType @() `
            -NonFatalCheck checksum, truncated -AllowedFormat raw, vpc -MaximumVirtualSize 10GB `
            -MaximumExpansionRatio 1000 -AllowExtendedL2 -MaximumLuksIterations 5
        $policy.BackingFileDirectories | Should -Be "$TestDrive"
        $policy.DataFileDirectories | Should -Be "$TestDrive"
        $policy.AllowedVmdkTypes | Should -HaveCount 0
        $policy.NonFatalChecks | Should -Be 'checksum', 'truncated'
        $policy.AllowedFormats | Should -Be 'Raw', 'Vhd'
        $policy.MaximumVirtualSize | Should -Be 10GB
        $policy.MaximumExpansionRatio | Should -Be 1000
        $policy.AllowExtendedL2 | Should -BeTrue
        $policy.MaximumLuksIterations | Should -Be 5
    }

    It 'resolves directories against the current location' {
        Push-Location $TestDrive
        try { (New-ImagePolicy -BackingFileDirectory sub).BackingFileDirectories | Should -Be "$TestDrive/sub" }
        finally { Pop-Location }
    }

    It 'refuses a negative size' {
        { New-ImagePolicy -MaximumVirtualSize -1 } | Should -Throw
    }

    It 'completes formats and checks' {
        $line = 'New-ImagePolicy -AllowedFormat qc'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Contain 'qcow2'
        $line = 'New-ImagePolicy -NonFatalCheck back'
        (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'backing_file'
    }

    It 'has help with examples' {
        $help = Get-Help New-ImagePolicy -Full
        $help.examples.example.Count | Should -BeGreaterThan 0
        $help.parameters.parameter.Where{ $_.name -eq 'AllowedFormat' }.description.Text | Should -Not -BeNullOrEmpty
    }
}
