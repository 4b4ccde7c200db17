BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Set-VhdParent' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        [IO.File]::WriteAllBytes("$directory/disk.raw", [byte[]](1..255 * 8192))
        Convert-DiskImage disk.raw parent.vhd -KnownRaw | Out-Null
        New-DiskImage child.vhd -BackingFile parent.vhd -AllowBackingFile . | Out-Null
    }

    AfterEach { Pop-Location }

    It 'names a parent in another place' {
        $null = New-Item -ItemType Directory base
        Move-Item parent.vhd base
        Set-VhdParent child.vhd base/parent.vhd | Should -BeNullOrEmpty
        $info = Test-ImageFormat child.vhd -AllowBackingFile .
        $info.IsSafe | Should -BeTrue
        $info.Inspection.BackingFile | Should -Be '.\base\parent.vhd'
        $info.Inspection.Details.ParentLocators.PlatformCode | Should -Be MacX, W2ku, W2ru
        Compare-DiskImage child.vhd disk.raw -ReferenceKnownRaw -Quiet -AllowBackingFile . | Should -BeTrue
    }

    It 'names the parent of a VHDX' {
        Convert-DiskImage disk.raw parent.vhdx -KnownRaw | Out-Null
        New-DiskImage child.vhdx -BackingFile parent.vhdx -AllowBackingFile . | Out-Null
        $null = New-Item -ItemType Directory base
        Move-Item parent.vhdx base
        $result = Set-VhdParent child.vhdx base/parent.vhdx -PassThru
        $result.ParentName | Should -Be base/parent.vhdx
        (Get-VhdChain child.vhdx).Path | Split-Path -Leaf | Should -Be child.vhdx, parent.vhdx
        Compare-DiskImage child.vhdx disk.raw -ReferenceKnownRaw -Quiet -AllowBackingFile . | Should -BeTrue
        { Set-VhdParent child.vhdx parent.vhd -ErrorAction Stop } | Should -Throw -ErrorId 'VhdNotUsable*'
    }

    It 'emits what was done with -PassThru' {
        $result = Get-Item child.vhd | Set-VhdParent -ParentPath parent.vhd -PassThru
        $result | Should -BeOfType ImageUtils.VhdChains.VhdParentChange
        $result.ParentName | Should -Be parent.vhd
        $result.ParentId | Should -Be $result.OldParentId
        ($result | Out-String) | Should -Match 'parent.vhd'
    }

    It 'refuses another id, unless told otherwise' {
        New-DiskImage other.vhd -Size 512 | Out-Null
        { Set-VhdParent child.vhd other.vhd -ErrorAction Stop } | Should -Throw -ErrorId 'VhdParentIdMismatch*'
        $result = Set-VhdParent child.vhd other.vhd -IgnoreIdMismatch -PassThru -WarningVariable warned -WarningAction SilentlyContinue
        $result.ParentId | Should -Not -Be $result.OldParentId
        $warned | Should -BeLike '*fewer*'
    }

    It 'takes a raw parent where it is said to be one' {
        { Set-VhdParent child.vhd disk.raw -IgnoreIdMismatch -ErrorAction Stop } | Should -Throw -ErrorId 'VhdNotUsable*'
        (Set-VhdParent child.vhd disk.raw -KnownRaw -IgnoreIdMismatch -PassThru).ParentId | Should -BeNullOrEmpty
        Compare-DiskImage child.vhd disk.raw -ReferenceKnownRaw -Quiet -AllowBackingFile . | Should -BeTrue
    }

    It 'refuses what would have no end, and what has no parent' {
        New-DiskImage leaf.vhd -BackingFile child.vhd -AllowBackingFile . | Out-Null
        { Set-VhdParent child.vhd child.vhd -ErrorAction Stop } | Should -Throw -ErrorId 'VhdChainCycle*'
        { Set-VhdParent child.vhd leaf.vhd -IgnoreIdMismatch -ErrorAction Stop } | Should -Throw -ErrorId 'VhdChainCycle*'
        { Set-VhdParent parent.vhd child.vhd -ErrorAction Stop } | Should -Throw -ErrorId 'VhdNotUsable*'
        { Set-VhdParent child.vhd nowhere.vhd -ErrorAction Stop } | Should -Throw -ErrorId 'FileNotFound*'
    }

    It 'changes nothing with -WhatIf' {
        $before = (Get-FileHash child.vhd).Hash
        Set-VhdParent child.vhd parent.vhd -WhatIf | Should -BeNullOrEmpty
        (Get-FileHash child.vhd).Hash | Should -Be $before
    }

    It 'has help with examples' {
        (Get-Help Set-VhdParent -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
