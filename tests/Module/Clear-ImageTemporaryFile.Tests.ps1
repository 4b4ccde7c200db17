BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Clear-ImageTemporaryFile' {
    BeforeEach {
        $directory = New-Item -ItemType Directory "TestDrive:/$([guid]::NewGuid())"
        Push-Location $directory
        function New-Left($Owner, $Process, $Started = 1) {
            $name = "imageutils-$Owner-11111111_2222_3333_4444_555555555555-$Process-$Started-$([guid]::NewGuid().ToString('N')).image-tmp"
            Set-Content $name data
            $name
        }
    }

    AfterEach { Pop-Location }

    It 'removes what a process that is gone has left, and nothing else' {
        # No process has the first number, and this one began at another time.
        $gone = New-Left one 999999999
        $again = New-Left two $PID
        $mine = New-Left two $PID ([long][math]::Floor((Get-Process -Id $PID).StartTime.ToUniversalTime().Ticks / 10000000))
        Set-Content other.image-tmp data
        # One that was not complete, where a file must have a name until it is.
        $part = ".$(New-Left three 999999998).$([guid]::NewGuid().ToString('N')).imageutils-part"
        Get-Item imageutils-three-* | Rename-Item -NewName $part
        # One that a chain was unpacked in.
        $chain = New-Left three 999999998
        Remove-Item $chain
        $null = New-Item -ItemType Directory $chain
        Set-Content "$chain/0.vhd" 12345 -NoNewline
        $removed = Clear-ImageTemporaryFile . -PassThru
        ($removed | Where-Object Path -Like "*$chain").Length | Should -Be 5
        $removed | Should -BeOfType ImageUtils.Glance.ImageTemporaryFile
        $removed.ImageId | Select-Object -Unique | Should -Be '11111111-2222-3333-4444-555555555555'
        ($removed.Path | Split-Path -Leaf | Sort-Object) | Should -Be ($gone, $again, $part, $chain | Sort-Object)
        Get-ChildItem -Name -Force | Sort-Object | Should -Be ($mine, 'other.image-tmp' | Sort-Object)
        ($removed | Out-String) | Should -Match 'one'
    }

    It 'takes only those of an owner, and of an age' {
        $one = New-Left one 999999999
        $two = New-Left two 999999999
        Clear-ImageTemporaryFile . -OlderThan 01:00:00 -PassThru | Should -BeNullOrEmpty
        Clear-ImageTemporaryFile . -WhatIf | Should -BeNullOrEmpty
        (Clear-ImageTemporaryFile . -Owner TWO -PassThru).Owner | Should -Be two
        Get-ChildItem -Name | Should -Be $one
    }

    It 'says that a directory is not there' {
        { Clear-ImageTemporaryFile nowhere -ErrorAction Stop } | Should -Throw -ErrorId 'FileNotFound*'
    }
}
