BeforeDiscovery {
    $hasQemu = [bool](Get-Command qemu-img -ErrorAction Ignore)
    . "$PSScriptRoot/OpenStackCloud.ps1"
    $hasCloud = Test-OpenStackCloud
}

BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
}

Describe 'Get-QemuImageInfo' {
    Context 'natively' {
        It 'describes an image without qemu-img' {
            $path = $env:PATH
            try {
                $env:PATH = ''
                $info = Get-QemuImageInfo "$data/disk-v2.qcow2"
            } finally {
                $env:PATH = $path
            }
            $info | Should -BeOfType ImageUtils.Qemu.QemuImageInfo
            $info.Format | Should -Be 'Qcow2'
            $info.FormatName | Should -BeExactly 'qcow2'
            $info.VirtualSize | Should -Be 1MB
            $info.ClusterSize | Should -Be 512
            $info.Engine | Should -Be 'Native'
            $info.FormatSpecific.Compat | Should -Be '0.10'
            $info.Snapshots | Should -HaveCount 1
            $info.Snapshots[0].Name | Should -Be 'before-upgrade'
            $info.Snapshots[0].Id | Should -Be '1'
        }

        It 'describes a refused image, and says what failed' {
            $info = Get-QemuImageInfo "$data/overlay.qcow2"
            $info.BackingFile | Should -Be '/etc/passwd'
            $info.BackingFormat | Should -Be 'raw'
            $info.Failures.Name | Should -Be 'backing_file'
        }

        It 'takes files from Get-ChildItem' {
            (Get-ChildItem "$data/*.vhd" | Get-QemuImageInfo).FormatName | Should -Be 'vpc', 'vpc'
        }

        It 'takes a known raw at its word' {
            $info = Get-QemuImageInfo "$data/disk.qcow2" -Format raw
            $info.FormatName | Should -Be 'raw'
            $info.VirtualSize | Should -Be 2KB
        }

        It 'refuses another format than the one demanded, and goes on' {
            $infos = Get-QemuImageInfo "$data/disk.qcow2", "$data/disk-fixed.vhd" -Format vpc `
                -ErrorVariable problem -ErrorAction SilentlyContinue
            $infos | Should -HaveCount 1
            $problem.FullyQualifiedErrorId | Should -BeLike 'ImageFormatMismatch,*'
        }

        It 'says that a header is cut short' {
            [IO.File]::WriteAllBytes("$TestDrive/cut.qcow2", [IO.File]::ReadAllBytes("$data/disk.qcow2")[0..99])
            $null = Get-QemuImageInfo "$TestDrive/cut.qcow2" -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem.FullyQualifiedErrorId | Should -BeLike 'ImageIsTruncated,*'
        }

        It 'reports <Id> and goes on' -ForEach @(
            @{ Id = 'FileNotFound'; Make = { "$TestDrive/missing" } }
            @{ Id = 'FileIsEmpty'; Make = { New-Item "$TestDrive/empty" -Force } }
            @{ Id = 'PathIsDirectory'; Make = { New-Item -ItemType Directory "$TestDrive/directory" -Force } }
        ) {
            $bad = "$(& $Make)"
            $infos = Get-QemuImageInfo -LiteralPath $bad, "$data/disk.raw" -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem.FullyQualifiedErrorId | Should -BeLike "$Id,*"
            $infos | Should -HaveCount 1
        }
    }

    Context 'chains' -Skip:(-not $hasQemu) {
        BeforeAll {
            qemu-img create -q -f qcow2 "$TestDrive/base.qcow2" 1M
            qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 "$TestDrive/middle.qcow2"
            qemu-img create -q -f qcow2 -b middle.qcow2 -F qcow2 "$TestDrive/top.qcow2"
        }

        It 'follows backing files below an allowed directory with <Engine>' -ForEach @(
            @{ Engine = 'Native' }, @{ Engine = 'Qemu' }
        ) {
            $info = Get-QemuImageInfo "$TestDrive/top.qcow2" -BackingChain -AllowBackingFile $TestDrive -Engine $Engine
            $info.BackingChain.FileName | Split-Path -Leaf | Should -Be 'middle.qcow2', 'base.qcow2'
        }

        It 'does not follow them without' {
            $null = Get-QemuImageInfo "$TestDrive/top.qcow2" -BackingChain -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem.FullyQualifiedErrorId | Should -BeLike 'ImageIsUnsafe,*'
        }
    }

    Context 'with qemu-img' -Skip:(-not $hasQemu) {
        It 'agrees on <Name>' -ForEach @(
            @{ Name = 'disk.qcow2' }, @{ Name = 'disk-zstd.qcow2' }, @{ Name = 'disk-dynamic.vhd' }
            @{ Name = 'disk-fixed.vhd' }, @{ Name = 'disk.vdi' }, @{ Name = 'disk.raw' }
        ) {
            $native = Get-QemuImageInfo "$data/$Name" -Engine Native
            $qemu = Get-QemuImageInfo "$data/$Name" -Engine Qemu
            $qemu.Engine | Should -Be 'Qemu'
            foreach ($property in 'FileName', 'FormatName', 'VirtualSize', 'ActualSize', 'BackingFile', 'IsEncrypted', 'IsDirty') {
                $qemu.$property | Should -Be $native.$property -Because $property
            }
        }

        It 'is never given an unsafe image' {
            $null = Get-QemuImageInfo "$data/overlay.qcow2" -Engine Qemu -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem.FullyQualifiedErrorId | Should -BeLike 'ImageIsUnsafe,*'
            $problem.CategoryInfo.Category | Should -Be 'SecurityError'
        }

        It 'lives within its limits' {
            $null = Get-QemuImageInfo "$data/disk.qcow2" -Engine Qemu -AddressSpaceLimit 1MB `
                -ErrorVariable problem -ErrorAction SilentlyContinue
            $problem | Should -HaveCount 1
            (Get-QemuImageInfo "$data/disk.qcow2" -Engine Qemu -AddressSpaceLimit 0 -CpuTimeLimit 0 -TimeLimit 0).VirtualSize |
                Should -Be 1MB
        }

        It 'says which package to install where qemu-img is missing' {
            $path = $env:PATH
            try {
                $env:PATH = '/nowhere'
                $null = Get-QemuImageInfo "$data/disk.qcow2" -Engine Qemu -ErrorVariable problem -ErrorAction SilentlyContinue
            } finally {
                $env:PATH = $path
            }
            $problem.FullyQualifiedErrorId | Should -BeLike 'QemuImgNotFound,*'
            $problem.Exception.Message | Should -BeLike '*qemu-utils*'
        }
    }

    Context 'luks' -Skip:(-not $hasQemu) {
        It 'is a format of its own, treated as raw' {
            'secret' | Set-Content "$TestDrive/key" -NoNewline
            qemu-img create -q -f luks --object "secret,id=s,file=$TestDrive/key" -o key-secret=s,iter-time=10 "$TestDrive/disk.luks" 1M
            $info = Get-QemuImageInfo "$TestDrive/disk.luks"
            $info.Format | Should -Be 'Luks'
            $info.TreatAs | Should -Be 'Raw'
            $info.VirtualSize | Should -Be 1MB
            $info.IsEncrypted | Should -BeTrue
        }
    }

    Context 'display' {
        It 'shows a line an image' {
            Get-QemuImageInfo "$data/overlay.qcow2" | Out-String -Width 140 |
                Should -Match 'qcow2\s+1 MiB\s+4 KiB\s+512 B\s+0\s+overlay\.qcow2\s+/etc/passwd'
        }

        It 'completes its engines' {
            $line = 'Get-QemuImageInfo x -Engine '
            (TabExpansion2 $line $line.Length).CompletionMatches.CompletionText | Should -Be 'Auto', 'Native', 'Qemu'
        }

        It 'has help with examples' {
            $help = Get-Help Get-QemuImageInfo -Full
            $help.examples.example.Count | Should -BeGreaterThan 2
            $help.parameters.parameter.Where{ $_.name -eq 'Engine' }.description.Text | Should -Not -BeNullOrEmpty
        }
    }

    Context 'in Glance and on the web' -Skip:(-not $hasCloud) {
        BeforeAll {
            . "$PSScriptRoot/OpenStackCloud.ps1"
            . "$PSScriptRoot/GlanceImages.ps1"
            $cloud = Start-OpenStackCloud
            $image = New-TestImage $cloud.open_glance 'info-test' qcow2 "$data/overlay.qcow2"
            $session = Connect-ImageService -Endpoint $cloud.open_glance
            $uri = "$($cloud.open_glance)/v2/images/$image/file"
        }

        AfterAll {
            Disconnect-ImageService $session
            Remove-TestImage $cloud.open_glance
            Stop-OpenStackCloud $cloud
        }

        It 'describes an image as if it were a file' {
            foreach ($info in @(
                    Get-QemuImageInfo -GlanceImageId info-test
                    Get-GlanceImage -Id $image | Get-QemuImageInfo -Session $session
                    Get-QemuImageInfo -Uri $uri -AllowPrivateAddress)) {
                $info.FileName | Should -BeIn $image, $uri
                $info.Format | Should -Be 'Qcow2'
                $info.BackingFile | Should -Be '/etc/passwd'
                $info.Failures.Name | Should -Be 'backing_file'
                $info.ActualSize | Should -BeNullOrEmpty
                $info.Engine | Should -Be 'Native'
            }
        }

        It 'takes a known raw at its word, and refuses another format' {
            (Get-QemuImageInfo -GlanceImageId $image -Format raw).VirtualSize | Should -Be 2KB
            { Get-QemuImageInfo -Uri $uri vmdk -AllowPrivateAddress -ErrorAction Stop } |
                Should -Throw -ErrorId 'ImageFormatMismatch*'
        }

        It 'hands nothing of it to qemu-img' {
            { Get-QemuImageInfo -GlanceImageId $image -Engine Qemu } | Should -Throw -ErrorId 'AmbiguousParameterSet*'
            { Get-QemuImageInfo -Uri $uri -BackingChain } | Should -Throw -ErrorId 'AmbiguousParameterSet*'
        }
    }
}
