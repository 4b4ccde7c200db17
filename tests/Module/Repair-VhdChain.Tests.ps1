BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"

    function Edit-File($Path, [long] $Offset, [byte[]] $Bytes) {
        $file = [IO.File]::OpenWrite((Get-Item $Path).FullName)
        $file.Position = $Offset -lt 0 ? $file.Length + $Offset : $Offset
        $file.Write($Bytes)
        $file.Dispose()
    }
}

Describe 'Repair-VhdChain' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        [IO.File]::WriteAllBytes("$directory/disk.raw", [byte[]](1..255 * 8192))
        Convert-DiskImage disk.raw parent.vhd -KnownRaw | Out-Null
        New-DiskImage child.vhd -BackingFile parent.vhd -AllowBackingFile . | Out-Null
        $null = New-Item -ItemType Directory export
        Copy-Item child.vhd export/0.vhd
        Copy-Item parent.vhd export/1.vhd
    }

    AfterEach { Pop-Location }

    It 'names the parents of an exported chain' {
        $results = Repair-VhdChain export
        $results | Should -BeOfType ImageUtils.VhdChains.VhdRepairResult
        $results.IsValid | Should -Be $true, $true
        $results[0].Actions | Should -BeLike '*1.vhd*'
        $results[1].Actions | Should -BeNullOrEmpty
        Compare-DiskImage export/0.vhd disk.raw -ReferenceKnownRaw -Quiet -AllowBackingFile export |
            Should -BeTrue
        (Repair-VhdChain export).Actions | Should -BeNullOrEmpty
        ($results | Out-String) | Should -Match '0.vhd'
    }

    It 'restores a footer from its copy, and a copy from the footer' {
        Edit-File child.vhd -512 (, [byte]0 * 512)
        Edit-File parent.vhd 0 (, [byte]7 * 512)
        $results = Repair-VhdChain child.vhd, parent.vhd
        $results.IsValid | Should -Be $true, $true
        $results.Actions | Should -HaveCount 2
        (Test-ImageFormat parent.vhd).IsSafe | Should -BeTrue
        Compare-DiskImage child.vhd disk.raw -ReferenceKnownRaw -Quiet -AllowBackingFile . | Should -BeTrue
    }

    It 'computes a header''s checksum anew' {
        Edit-File parent.vhd (512 + 36) (1, 2, 3, 4)
        (Test-ImageFormat parent.vhd).IsSafe | Should -BeFalse
        (Get-Item parent.vhd | Repair-VhdChain).IsValid | Should -BeTrue
        (Test-ImageFormat parent.vhd).IsSafe | Should -BeTrue
    }

    It 'says what it would do with -WhatIf, and changes nothing' {
        Edit-File parent.vhd -512 (, [byte]0 * 512)
        $before = (Get-FileHash parent.vhd).Hash
        (Repair-VhdChain parent.vhd -WhatIf).Problems | Should -Not -BeNullOrEmpty
        (Get-FileHash parent.vhd).Hash | Should -Be $before
    }

    It 'says what cannot be repaired' {
        $results = Repair-VhdChain parent.vhd, child.vhd
        $results[0].IsValid | Should -BeFalse
        $results.Actions | Should -BeNullOrEmpty
        { Repair-VhdChain child.vhd, child.vhd -ErrorAction Stop } | Should -Throw -ErrorId 'VhdChainCycle*'
        { Repair-VhdChain "$data/disk.qcow2" -ErrorAction Stop } | Should -Throw -ErrorId 'VhdNotUsable*'
    }

    It 'has help with examples' {
        (Get-Help Repair-VhdChain -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
