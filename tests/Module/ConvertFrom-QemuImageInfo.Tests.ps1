BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $text = @'
image: disk.qcow2
file format: qcow2
virtual size: 1.0G (1073741824 bytes)
disk size: 196K
cluster_size: 65536
backing file: base.qcow2 (actual path: /images/base.qcow2)
Snapshot list:
ID        TAG                 VM SIZE                DATE       VM CLOCK
1         before                    0 2024-01-02 03:04:05   00:00:00.000
Format specific information:
    compat: 1.1
    lazy refcounts: false
'@
    $json = '{"virtual-size": 67108864, "filename": "disk.vhd", "format": "vpc", "actual-size": 8192, "dirty-flag": false}'
}

Describe 'ConvertFrom-QemuImageInfo' {
    It 'reads text' {
        $info = $text | ConvertFrom-QemuImageInfo
        $info | Should -BeOfType ImageUtils.Qemu.QemuImageInfo
        $info.FileName | Should -Be 'disk.qcow2'
        $info.FormatName | Should -Be 'qcow2'
        $info.VirtualSize | Should -Be 1GB
        $info.ActualSize | Should -Be 196KB
        $info.ClusterSize | Should -Be 64KB
        $info.BackingFile | Should -Be 'base.qcow2'
        $info.FullBackingFile | Should -Be '/images/base.qcow2'
        $info.Snapshots.Name | Should -Be 'before'
        $info.Engine | Should -Be 'Parsed'
    }

    It 'reads text line by line' {
        ($text -split '\r?\n' | ConvertFrom-QemuImageInfo).VirtualSize | Should -Be 1GB
    }

    It 'reads JSON' {
        $info = $json | ConvertFrom-QemuImageInfo
        $info.Format | Should -Be 'Vhd'
        $info.FormatName | Should -Be 'vpc'
        $info.VirtualSize | Should -Be 64MB
    }

    It 'reads several outputs from a pipeline' {
        ($json, $json | ConvertFrom-QemuImageInfo) | Should -HaveCount 2
        Set-Content "$TestDrive/a.json" $json
        Set-Content "$TestDrive/b.txt" $text
        (Get-ChildItem $TestDrive | Get-Content -Raw | ConvertFrom-QemuImageInfo).VirtualSize | Should -Be 64MB, 1GB
    }

    It 'takes the output as an argument' {
        (ConvertFrom-QemuImageInfo $json).VirtualSize | Should -Be 64MB
    }

    It 'reads what qemu-img prints now' -Skip:(-not (Get-Command qemu-img -ErrorAction Ignore)) {
        $image = "$root/tests/data/disk-v2.qcow2"
        foreach ($format in 'json', 'human') {
            $info = qemu-img info --output=$format $image | ConvertFrom-QemuImageInfo
            $info.FileName | Should -Be $image
            $info.VirtualSize | Should -Be 1MB
            $info.Snapshots.Name | Should -Be 'before-upgrade'
        }
    }

    It 'says that it does not understand, and goes on' {
        $infos = "nonsense`nand more", $json | ConvertFrom-QemuImageInfo -ErrorVariable problem -ErrorAction SilentlyContinue
        $problem.FullyQualifiedErrorId | Should -BeLike 'QemuOutputNotUnderstood,*'
        $infos.VirtualSize | Should -Be 64MB
    }

    It 'makes nothing of nothing' {
        '' | ConvertFrom-QemuImageInfo | Should -BeNullOrEmpty
    }

    It 'has help with examples' {
        (Get-Help ConvertFrom-QemuImageInfo -Full).examples.example.Count | Should -BeGreaterThan 1
    }
}
