BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $id = '0c7f1c1e-6f0a-4f6c-9a55-2f0a4c1de001'
    $password = ConvertTo-SecureString 's3cret' -AsPlainText -Force
    function New-Certificate($name, $key) {
        $request = $key -is [Security.Cryptography.RSA] ?
            [Security.Cryptography.X509Certificates.CertificateRequest]::new(
                "CN=$name", $key, 'SHA256', [Security.Cryptography.RSASignaturePadding]::Pkcs1) :
            [Security.Cryptography.X509Certificates.CertificateRequest]::new("CN=$name", $key, 'SHA256')
        $request.CreateSelfSigned([DateTimeOffset]::Now.AddDays(-1), [DateTimeOffset]::Now.AddDays(9))
    }
    $certificate = New-Certificate images ([Security.Cryptography.RSA]::Create(2048))
    [IO.File]::WriteAllBytes("$TestDrive/signing.pfx", $certificate.Export('Pfx', 's3cret'))
}

Describe 'New-ImageSignature' {
    It 'emits the four properties' {
        $signature = New-ImageSignature $data/disk.qcow2 $TestDrive/signing.pfx -PfxPassword $password -CertificateId $id
        $signature | Should -BeOfType ImageUtils.Signatures.ImageFileSignature
        $signature.Property.Count | Should -Be 4
        $signature.Property['img_signature'] | Should -Be $signature.Signature
        $signature.Property['img_signature_hash_method'] | Should -Be 'SHA-256'
        $signature.Property['img_signature_key_type'] | Should -Be 'RSA-PSS'
        $signature.Property['img_signature_certificate_uuid'] | Should -Be $id
        $signature.Length | Should -Be (Get-Item $data/disk.qcow2).Length
        [Convert]::FromBase64String($signature.Signature).Length | Should -Be 256
        ([hashtable]$signature.Property).Count | Should -Be 4
        ($signature | Out-String) | Should -Match 'RSA-PSS\s+SHA-256'
    }

    It 'signs many, with each hash, and can do without the id' {
        foreach ($method in 'SHA-224', 'SHA-256', 'SHA-384', 'sha-512') {
            $all = Get-ChildItem $data/disk*.vhd | New-ImageSignature -Certificate $certificate -HashMethod $method
            $all.Count | Should -Be 2
            $all[0].Property.Keys | Should -Not -Contain 'img_signature_certificate_uuid'
            $all[0].Property['img_signature_hash_method'] | Should -Be $method.ToUpper()
        }
    }

    It 'signs with a curve as its type says' {
        $curve = [Security.Cryptography.ECDsa]::Create([Security.Cryptography.ECCurve+NamedCurves]::nistP384)
        (New-ImageSignature $data/disk.raw -Certificate (New-Certificate curve $curve)).KeyType | Should -Be 'EccSecp384R1'
        $small = New-Certificate small ([Security.Cryptography.ECDsa]::Create([Security.Cryptography.ECCurve+NamedCurves]::nistP256))
        { New-ImageSignature $data/disk.raw -Certificate $small } | Should -Throw '*ECC_SECP384R1*' -ErrorId 'CertificateKeyTypeWrong,*'
    }

    It 'wants one certificate, its password and its key' {
        { New-ImageSignature $data/disk.raw } | Should -Throw -ErrorId 'OneCertificateNeeded,*'
        { New-ImageSignature $data/disk.raw $TestDrive/signing.pfx -Certificate $certificate } |
            Should -Throw -ErrorId 'OneCertificateNeeded,*'
        { New-ImageSignature $data/disk.raw $TestDrive/signing.pfx } | Should -Throw -ErrorId 'CertificatePasswordWrong,*'
        { New-ImageSignature $data/disk.raw $TestDrive/missing.pfx } | Should -Throw -ErrorId 'FileNotFound,*'
        { New-ImageSignature $data/disk.raw $data/disk.raw } | Should -Throw -ErrorId 'CertificateMalformed,*'
        $bare = [Security.Cryptography.X509Certificates.X509CertificateLoader]::LoadCertificate($certificate.RawData)
        { New-ImageSignature $data/disk.raw -Certificate $bare } | Should -Throw -ErrorId 'CertificateHasNoPrivateKey,*'
    }

    It 'says nothing of a password that is wrong' {
        $wrong = ConvertTo-SecureString 'wr0ng' -AsPlainText -Force
        $caught = $null
        try { New-ImageSignature $data/disk.raw $TestDrive/signing.pfx -PfxPassword $wrong } catch { $caught = $_ }
        $caught.FullyQualifiedErrorId | Should -BeLike 'CertificatePasswordWrong,*'
        ($caught | Format-List * -Force | Out-String) | Should -Not -Match 'wr0ng'
        ($caught.Exception | Format-List * -Force | Out-String) | Should -Not -Match 'wr0ng'
    }

    It 'is an error of one file for what cannot be read' {
        $found = New-ImageSignature $TestDrive/missing, $data/disk.raw -Certificate $certificate -ErrorAction SilentlyContinue -ErrorVariable errors
        $found.Path | Should -Be "$data/disk.raw"
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'FileNotFound,*'
    }

    It 'ends within a second of Ctrl+C' {
        $file = [IO.File]::Create("$TestDrive/large")
        $file.SetLength(64GB)
        $file.Dispose()
        $shell = [powershell]::Create()
        $null = $shell.AddScript("Import-Module '$root/ImageUtils.psd1'; `$input | Out-Null; New-ImageSignature '$TestDrive/large' -Certificate `$args[0]").AddArgument($certificate)
        $running = $shell.BeginInvoke()
        $deadline = [DateTime]::Now.AddSeconds(20)
        while ($shell.Streams.Progress.Count -eq 0 -and [DateTime]::Now -lt $deadline) { Start-Sleep -Milliseconds 50 }
        $shell.Streams.Progress[0].StatusDescription | Should -Match 'Hashing: .* of 64 GiB'
        $running.IsCompleted | Should -BeFalse
        (Measure-Command { $shell.Stop() }).TotalSeconds | Should -BeLessThan 1
        $shell.Dispose()
    }
}
