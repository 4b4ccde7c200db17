BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force

    function New-Chain([string] $name, [int] $depth = 3) {
        $directory = (New-Item -ItemType Directory "$TestDrive/$name").FullName
        $raw = [byte[]]::new(3MB)
        [Random]::new(1).NextBytes($raw)
        $raw[0] = 0xEB
        [IO.File]::WriteAllBytes("$TestDrive/$name.raw", $raw)
        $null = Convert-DiskImage "$TestDrive/$name.raw" "$directory/$($depth - 1).vhd" vhd -KnownRaw
        for ($index = $depth - 2; $index -ge 0; $index--) {
            $null = New-DiskImage "$directory/$index.vhd" -BackingFile "$($index + 1).vhd" -AllowBackingFile $directory
        }
        $directory
    }

    # Gives an empty child all blocks of 2 MiB: each behind its bitmap, and in the table, which has no checksum.
    function Add-Data([string] $child, [byte[]] $data) {
        $bytes = [IO.File]::ReadAllBytes($child)
        $at = $bytes.Length - 512
        $tableOffset = [Net.IPAddress]::NetworkToHostOrder([BitConverter]::ToInt64($bytes, 512 + 16))
        $file = [IO.File]::OpenWrite($child)
        for ($block = 0; $block -lt $data.Length / 2MB; $block++) {
            $file.Position = $tableOffset + 4 * $block
            $file.Write([BitConverter]::GetBytes([Net.IPAddress]::HostToNetworkOrder([int]($at / 512))), 0, 4)
            $file.Position = $at
            $file.Write([byte[]](, 255 * 512), 0, 512)
            $file.Write($data, $block * 2MB, 2MB)
            $at += 512 + 2MB
        }

        $file.Write($bytes, $bytes.Length - 512, 512)
        $file.Dispose()
    }

    function Test-Same([string] $image, [string] $name) {
        (Compare-DiskImage $image "$TestDrive/$name.raw" -AllowBackingFile $TestDrive).IsIdentical
    }
}

Describe 'Merge-VhdChain' {
    It 'merges a chain into its base, and removes what was merged' {
        $chain = New-Chain whole
        $result = Merge-VhdChain "$chain/0.vhd" -Verify
        $result | Should -BeOfType ImageUtils.VhdChains.VhdMergeResult
        $result.Path | Should -Be "$chain/2.vhd"
        $result.Merged | Should -Be "$chain/0.vhd", "$chain/1.vhd"
        $result.Verified | Should -BeTrue
        (Get-ChildItem $chain).Name | Should -Be '2.vhd'
        Test-Same "$chain/2.vhd" whole | Should -BeTrue
    }

    It 'takes a chain from the pipeline and hands the file on' {
        $chain = New-Chain pipeline
        $report = Get-VhdChain "$chain/0.vhd" | Merge-VhdChain -PassThru | Test-ImageFormat
        $report.Path | Should -Be "$chain/2.vhd"
        $report.IsSafe | Should -BeTrue
        $report.Format | Should -Be 'Vhd'
    }

    It 'takes leaves from Get-ChildItem, each with its own chain' {
        $first = New-Chain one 2
        $second = New-Chain two 2
        $results = Get-Item "$first/0.vhd", "$second/0.vhd" | Merge-VhdChain
        $results.Path | Should -Be "$first/1.vhd", "$second/1.vhd"
    }

    It 'names each file that would change, and changes none' {
        $chain = New-Chain whatif
        $before = (Get-FileHash (Get-ChildItem $chain)).Hash
        $log = "$TestDrive/whatif.txt"
        pwsh -NoProfile -Command "Import-Module '$root/ImageUtils.psd1'; Merge-VhdChain '$chain/0.vhd' -WhatIf" > $log
        foreach ($name in '0.vhd', '1.vhd', '2.vhd') { Get-Content -Raw $log | Should -Match "$chain/$name" }
        (Get-FileHash (Get-ChildItem $chain)).Hash | Should -Be $before
    }

    It 'merges into a disk in the middle' {
        $chain = New-Chain middle
        (Merge-VhdChain "$chain/0.vhd" -Depth 1).Path | Should -Be "$chain/1.vhd"
        (Get-ChildItem $chain).Name | Should -Be '1.vhd', '2.vhd'
        $other = New-Chain middle2
        (Merge-VhdChain "$other/0.vhd" -Into "$other/1.vhd" -KeepChildren).ChildrenKept | Should -BeTrue
        (Get-ChildItem $other).Name | Should -Be '0.vhd', '1.vhd', '2.vhd'
        Test-Same "$other/0.vhd" middle2 | Should -BeTrue
    }

    It 'writes the merged disk to a new file and leaves the chain alone' {
        $chain = New-Chain export
        $before = (Get-FileHash (Get-ChildItem $chain)).Hash
        foreach ($format in 'qcow2', 'raw', 'vhdx', 'vhd') {
            $result = Merge-VhdChain "$chain/0.vhd" -Destination "$TestDrive/merged.$format"
            $result.DestinationFormat | Should -Be $format
            Test-Same "$TestDrive/merged.$format" export | Should -BeTrue
        }
        (Get-FileHash (Get-ChildItem $chain)).Hash | Should -Be $before
        Merge-VhdChain "$chain/0.vhd" -Destination "$TestDrive/merged.raw" -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'DestinationExists*'
    }

    It 'refuses to change a disk that another one depends on' {
        $chain = New-Chain shared
        Copy-Item "$chain/0.vhd" "$chain/other.vhd"
        Merge-VhdChain "$chain/0.vhd" -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure[0].FullyQualifiedErrorId | Should -BeLike 'VhdParentShared*'
        (Get-ChildItem $chain).Count | Should -Be 4
        (Merge-VhdChain "$chain/0.vhd" -Force).Path | Should -Be "$chain/2.vhd"
    }

    It 'ends soon after Ctrl+C with the chain as it was, and the same command finishes' {
        $chain = (New-Item -ItemType Directory "$TestDrive/stopped").FullName
        $raw = [byte[]]::new(64MB)
        [Random]::new(2).NextBytes($raw)
        [IO.File]::WriteAllBytes("$TestDrive/stopped.raw", $raw)
        $null = New-DiskImage "$chain/2.vhd" -Size 64MB
        $null = New-DiskImage "$chain/1.vhd" -BackingFile 2.vhd
        $null = New-DiskImage "$chain/0.vhd" -BackingFile 1.vhd -AllowBackingFile $chain
        Add-Data "$chain/0.vhd" $raw
        Test-Same "$chain/0.vhd" stopped | Should -BeTrue

        $shell = [powershell]::Create()
        $null = $shell.AddScript("Import-Module '$root/ImageUtils.psd1'; Merge-VhdChain '$chain/0.vhd' -Verify")
        $run = $shell.BeginInvoke()
        $limit = [Diagnostics.Stopwatch]::StartNew()

        # It has begun once the base has grown.
        while ((Get-Item "$chain/2.vhd").Length -lt 8MB -and $limit.Elapsed.TotalSeconds -lt 60) { Start-Sleep -Milliseconds 2 }
        $clock = [Diagnostics.Stopwatch]::StartNew()
        $shell.Stop()
        $clock.Elapsed.TotalSeconds | Should -BeLessThan 2
        $shell.InvocationStateInfo.State | Should -Be Stopped
        $shell.Dispose()

        (Get-ChildItem $chain -Force).Name | Should -Be '0.vhd', '1.vhd', '2.vhd'
        (Get-VhdChain "$chain/0.vhd").IdMatches | Should -Be $true, $true, $null
        Get-VhdChain "$chain/0.vhd" | Test-VhdImage -Quiet | Should -Be $true, $true, $true
        Test-Same "$chain/0.vhd" stopped | Should -BeTrue

        (Merge-VhdChain "$chain/0.vhd" -Verify).Path | Should -Be "$chain/2.vhd"
        (Get-ChildItem $chain -Force).Name | Should -Be '2.vhd'
        Test-Same "$chain/2.vhd" stopped | Should -BeTrue
    }

    It 'says which parent is missing' {
        $chain = New-Chain missing
        Remove-Item "$chain/1.vhd"
        Merge-VhdChain "$chain/0.vhd" -ErrorVariable failure -ErrorAction SilentlyContinue
        $failure[0].FullyQualifiedErrorId | Should -Match 'VhdParentMissing|VhdNotInChain'
        Test-Path "$chain/0.vhd" | Should -BeTrue
    }

    It 'refuses parameters that contradict each other' {
        { Merge-VhdChain x.vhd -Destination y.vhd -KeepChildren } | Should -Throw
        { Merge-VhdChain x.vhd -Depth 1 -Into y.vhd } | Should -Throw
    }

    It 'has help with examples' {
        (Get-Help Merge-VhdChain -Full).Examples.Example.Count | Should -BeGreaterThan 2
    }
}
