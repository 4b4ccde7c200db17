BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $size = 255 * 8192
}

Describe 'Resize-VhdImage' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        [IO.File]::WriteAllBytes("$directory/disk.raw", [byte[]](1..255 * 8192))
        Convert-DiskImage disk.raw parent.vhd -KnownRaw | Out-Null
        New-DiskImage child.vhd -BackingFile parent.vhd -AllowBackingFile . | Out-Null
    }

    AfterEach { Pop-Location }

    It 'grows a disk in place, and keeps its data' {
        $result = Resize-VhdImage parent.vhd 20GB
        $result | Should -BeOfType ImageUtils.Resizing.ImageResizeResult
        $result.Method | Should -Be InPlace
        $result.NewSize | Should -Be 20GB
        (Test-ImageFormat parent.vhd).IsSafe | Should -BeTrue
        (Get-QemuImageInfo parent.vhd).VirtualSize | Should -Be 20GB
        Compare-DiskImage parent.vhd disk.raw -ReferenceKnownRaw -Quiet | Should -BeTrue
    }

    It 'grows and shrinks a differencing disk, whose parent is found beside it' {
        (Resize-VhdImage child.vhd +3GB).NewSize | Should -Be (3GB + $size)
        (Resize-VhdImage child.vhd -Size '-3G' -AllowShrink).Method | Should -Be InPlace
        (Get-QemuImageInfo child.vhd -AllowBackingFile .).VirtualSize | Should -Be $size
    }

    It 'writes others anew, and says what cannot be' {
        New-DiskImage fixed.vhd -Size 8MB -Subformat fixed | Out-Null
        (Resize-VhdImage fixed.vhd 12MB).Method | Should -Be InPlace
        (Resize-VhdImage fixed.vhd 4MB -AllowShrink).Method | Should -Be Rewritten
        New-DiskImage disk.vhdx -Size 8MB | Out-Null
        (Resize-VhdImage disk.vhdx 12MB).Method | Should -Be InPlace
        New-DiskImage child.vhdx -BackingFile disk.vhdx -AllowBackingFile . | Out-Null
        (Resize-VhdImage child.vhdx 20MB).Method | Should -Be InPlace
        (Resize-VhdImage child.vhdx 1MB -AllowShrink).NewSize | Should -Be 1MB
        (Test-VhdImage child.vhdx).IsValid | Should -BeTrue
        Copy-Item "$data/disk.qcow2"
        { Resize-VhdImage disk.qcow2 20MB -ErrorAction Stop } | Should -Throw -ErrorId 'VhdNotUsable*'
    }

    It 'shrinks only where that is allowed and nothing is lost' {
        { Resize-VhdImage parent.vhd 512 -ErrorAction Stop } | Should -Throw -ErrorId 'ShrinkNotAllowed*'
        { Resize-VhdImage parent.vhd 512 -AllowShrink -ErrorAction Stop } | Should -Throw -ErrorId 'DataBeyondNewEnd*'
        { Resize-VhdImage child.vhd 512 -AllowShrink -ErrorAction Stop } | Should -Throw -ErrorId 'DataBeyondNewEnd*'
    }

    It 'does not let a larger parent appear' {
        Resize-VhdImage child.vhd 20MB | Out-Null
        New-DiskImage small.vhd -Size 512 | Out-Null
        New-DiskImage over.vhd -BackingFile small.vhd -AllowBackingFile . | Out-Null
        Set-VhdParent over.vhd parent.vhd -IgnoreIdMismatch
        { Resize-VhdImage over.vhd 20MB -ErrorAction Stop } | Should -Throw -ErrorId 'ImageHasParent*'
    }

    It 'changes nothing with -WhatIf, and emits files with -PassThru' {
        $before = (Get-FileHash parent.vhd).Hash
        Resize-VhdImage parent.vhd 2GB -WhatIf | Should -BeNullOrEmpty
        (Get-FileHash parent.vhd).Hash | Should -Be $before
        Get-Item parent.vhd | Resize-VhdImage -SizeBytes 2GB -PassThru | Should -BeOfType IO.FileInfo
    }

    It 'refuses what is no size' {
        { Resize-VhdImage parent.vhd many } | Should -Throw -ErrorId 'InvalidImageOption*'
        { Resize-VhdImage parent.vhd 3TB -ErrorAction Stop } | Should -Throw -ErrorId 'InvalidImageOption*'
    }

    It 'has help with examples' {
        (Get-Help Resize-VhdImage -Full).examples.example.Count | Should -BeGreaterThan 0
    }
}
