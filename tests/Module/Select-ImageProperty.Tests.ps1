BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
}

Describe 'Select-ImageProperty' {
    It 'leaves out what is reserved, and what holds for the old image only' {
        $selected = Select-ImageProperty ([ordered]@{
            os_distro = 'debian'; os_glance_stage_host = 'x'; img_signature = 's'; signature_verified = 'True'
            size = 5; id = 'i'; image_name = 'n'; hw_disk_bus = 'virtio'
        })
        $selected | Should -BeOfType System.Collections.Specialized.OrderedDictionary
        $selected.Keys | Should -Be 'os_distro', 'hw_disk_bus'
        $selected.os_distro | Should -Be 'debian'
    }

    It 'takes dictionaries and objects from the pipeline, each by itself' {
        $all = @(@{ a = 1; id = 2 }, ('{ "b": "x", "status": "active" }' | ConvertFrom-Json) | Select-ImageProperty)
        $all | Should -HaveCount 2
        $all[0].Keys | Should -Be 'a'
        $all[1].Keys | Should -Be 'b'
    }

    It 'takes the dictionary that an image has its properties in' {
        class SomeImage { [string] $Name = 'n'; [hashtable] $Properties = @{ os_type = 'linux'; img_signature = 's' } }
        $selected = [SomeImage]::new() | Select-ImageProperty
        $selected.Keys | Should -Be 'os_type'
    }

    It 'leaves out further namespaces, given and configured' {
        $given = @{ mine_a = 1; ours_b = 2; c = 3 }
        ($given | Select-ImageProperty -ReservedNamespace mine_, ours_).Keys | Should -Be 'c'
        $env:IMAGEUTILS_RESERVED_NAMESPACES = 'ours_'
        try { ($given | Select-ImageProperty).Keys | Sort-Object | Should -Be 'c', 'mine_a' }
        finally { Remove-Item Env:IMAGEUTILS_RESERVED_NAMESPACES }
    }

    It 'says what it left out' {
        $lines = @{ size = 1; os_glance_x = 2 } | Select-ImageProperty -Verbose 4>&1
        $lines -join ' ' | Should -BeLike '*os_glance_x*'
    }

    It 'makes something of nothing' {
        (@{} | Select-ImageProperty).Count | Should -Be 0
        { Select-ImageProperty $null } | Should -Throw
    }

    It 'has help with examples' {
        $help = Get-Help Select-ImageProperty -Full
        $help.examples.example.Count | Should -BeGreaterThan 0
        $help.parameters.parameter.Where{ $_.name -eq 'ReservedNamespace' }.description.Text | Should -Not -BeNullOrEmpty
    }
}
