BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $content = [byte[]]::new(1MB)
    $content[70000] = 1
    [IO.File]::WriteAllBytes("$TestDrive/other.raw", $content)
}

Describe 'Compare-DiskImage' {
    It 'says that disks are the same, whatever their formats' {
        $result = Compare-DiskImage $data/disk.qcow2 $data/disk-zstd.qcow2
        $result | Should -BeOfType ImageUtils.Conversion.DiskImageComparison
        $result.IsIdentical | Should -BeTrue
        $result.Difference | Should -Be 'None'
        $result.FirstDifference | Should -BeNullOrEmpty
        $result.VirtualSize | Should -Be 1MB
        $result.ReferencePath | Should -Be "$data/disk-zstd.qcow2"
        ($result | Out-String) | Should -Match 'yes'
    }

    It 'says where the first difference is' {
        $result = Compare-DiskImage $data/disk.qcow2 -ReferencePath $TestDrive/other.raw
        $result.IsIdentical | Should -BeFalse
        $result.FirstDifference | Should -Be 70000
        ($result | Out-String) | Should -Match 'NO\s+70000'
    }

    It 'compares many with one, and goes on after an error' {
        $results = Get-Item $data/disk.qcow2, $data/overlay.qcow2, $data/disk-v2.qcow2, $data |
            Compare-DiskImage -ReferencePath $data/disk-zstd.qcow2 -ErrorVariable errors -ErrorAction SilentlyContinue
        $results.IsIdentical | Should -Be $true, $true
        $errors.Count | Should -Be 1
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'ImageIsUnsafe,*'
        $errors[0].TargetObject | Should -Be "$data/overlay.qcow2"
    }

    It 'takes sizes for a difference only with -Strict' {
        Compare-DiskImage $data/disk.raw $data/disk.qcow2 -Quiet | Should -BeTrue
        Compare-DiskImage $data/disk.raw $data/disk.qcow2 -Quiet -Strict | Should -BeFalse
        (Compare-DiskImage $data/disk.raw $data/disk.qcow2 -Strict).Difference | Should -Be 'Size'
    }

    It 'holds both to what they are claimed to be' {
        { Compare-DiskImage $data/disk.qcow2 $data/disk.raw -ReferenceFormat vhd -ErrorAction Stop } |
            Should -Throw -ErrorId 'ImageFormatMismatch*'
        { Compare-DiskImage $data/disk.qcow2 $data/disk.raw -SourceFormat vpc -ErrorAction Stop } |
            Should -Throw -ErrorId 'ImageFormatMismatch*'
    }

    It 'says which file is missing' {
        { Compare-DiskImage $data/disk.qcow2 $TestDrive/none -ErrorAction Stop } | Should -Throw '*none*' -ErrorId 'FileNotFound*'
    }

    It 'ends when it is stopped' {
        foreach ($name in 'a', 'b') {
            $file = [IO.File]::Create("$TestDrive/$name.raw")
            foreach ($number in 1..16) { $file.Write([byte[]]::new(4MB)) }
            $file.Dispose()
        }
        $shell = [powershell]::Create().AddScript({
            param($module, $directory)
            Import-Module $module
            foreach ($turn in 1..1000) { Compare-DiskImage "$directory/a.raw" "$directory/b.raw" }
        }).AddArgument("$root/ImageUtils.psd1").AddArgument("$TestDrive")
        $null = $shell.BeginInvoke()
        Start-Sleep 3
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $watch.Elapsed.TotalSeconds | Should -BeLessThan 2
    }
}
