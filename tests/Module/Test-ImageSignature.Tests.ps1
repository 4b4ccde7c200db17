BeforeAll {
    $root = Resolve-Path "$PSScriptRoot/../.."
    Import-Module "$root/ImageUtils.psd1" -Force
    $data = "$root/tests/data"
    $id = '0c7f1c1e-6f0a-4f6c-9a55-2f0a4c1de001'
    $names = 'System.Security.Cryptography.X509Certificates'
    $padding = [Security.Cryptography.RSASignaturePadding]::Pkcs1
    function New-Request($name, $key, [bool] $isAuthority) {
        $request = New-Object "$names.CertificateRequest" "CN=$name", $key, ([Security.Cryptography.HashAlgorithmName]::SHA256), $padding
        $usage = $isAuthority ? 'KeyCertSign' : 'DigitalSignature'
        $request.CertificateExtensions.Add((New-Object "$names.X509BasicConstraintsExtension" $isAuthority, $false, 0, $true))
        $request.CertificateExtensions.Add((New-Object "$names.X509KeyUsageExtension" $usage, $true))
        $request
    }
    $now = [DateTimeOffset]::Now
    $authority = (New-Request authority ([Security.Cryptography.RSA]::Create(2048)) $true).CreateSelfSigned($now.AddDays(-2), $now.AddDays(9))
    $other = (New-Request authority ([Security.Cryptography.RSA]::Create(2048)) $true).CreateSelfSigned($now.AddDays(-2), $now.AddDays(9))
    function New-Leaf($first, $last) {
        $key = [Security.Cryptography.RSA]::Create(2048)
        $bare = (New-Request images $key $false).Create($authority, $now.AddDays($first), $now.AddDays($last), [byte[]](1, 2, 3))
        [Security.Cryptography.X509Certificates.RSACertificateExtensions]::CopyWithPrivateKey($bare, $key)
    }
    $certificate = New-Leaf -1 5
    'authority', 'other', 'certificate' | ForEach-Object {
        Set-Content "$TestDrive/$_.pem" (Get-Variable $_).Value.ExportCertificatePem()
    }
    Copy-Item $data/disk.raw $TestDrive/disk.raw
    $signature = New-ImageSignature $TestDrive/disk.raw -Certificate $certificate -CertificateId $id
    $properties = [hashtable]$signature.Property
}

Describe 'Test-ImageSignature' {
    It 'verifies what was signed' {
        $check = $signature | Test-ImageSignature -CertificatePath $TestDrive/certificate.pem
        $check | Should -BeOfType ImageUtils.Signatures.ImageSignatureCheck
        $check.IsValid | Should -BeTrue
        $check.Reason | Should -BeNullOrEmpty
        $check.Certificate.Subject | Should -Be 'CN=images'
        $check.IsChainChecked | Should -BeFalse
        ($check | Out-String) | Should -Match 'valid\s+RSA-PSS\s+SHA-256'
        Test-ImageSignature $TestDrive/disk.raw ($properties + @{ os_distro = 'debian'; min_disk = 3; kernel_id = $null }) -Certificate $certificate -Quiet |
            Should -BeTrue
    }

    It 'finds a changed image' {
        $bytes = [IO.File]::ReadAllBytes("$TestDrive/disk.raw")
        $bytes[1000] = $bytes[1000] -bxor 1
        [IO.File]::WriteAllBytes("$TestDrive/changed.raw", $bytes)
        $check = Test-ImageSignature $TestDrive/changed.raw $properties $TestDrive/certificate.pem
        $check.IsValid | Should -BeFalse
        $check.Problem | Should -Be 'ImageSignatureMismatch'
        ($check | Out-String) | Should -Match 'NOT VALID'
        Test-ImageSignature $TestDrive/changed.raw $properties $TestDrive/certificate.pem -Quiet | Should -BeFalse
    }

    It 'looks at who issued the certificate where it is told to' {
        $check = Test-ImageSignature $TestDrive/disk.raw $properties $TestDrive/certificate.pem -TrustedCertificatePath $TestDrive/other.pem, $TestDrive/authority.pem
        $check.IsValid | Should -BeTrue
        $check.IsChainChecked | Should -BeTrue
        $check = Test-ImageSignature $TestDrive/disk.raw $properties $TestDrive/certificate.pem -TrustedCertificatePath $TestDrive/other.pem
        $check.Problem | Should -Be 'CertificateUntrusted'
    }

    It 'refuses a certificate of another key, and one that is over' {
        $check = Test-ImageSignature $TestDrive/disk.raw $properties -Certificate (New-Leaf -1 5)
        $check.Problem | Should -Be 'ImageSignatureMismatch'
        $check = Test-ImageSignature $TestDrive/disk.raw $properties -Certificate (New-Leaf -2 -1)
        $check.Problem | Should -Be 'CertificateExpired'
        $check.Certificate | Should -BeNullOrEmpty
    }

    It 'names properties that are missing' {
        foreach ($name in 'img_signature', 'img_signature_hash_method', 'img_signature_key_type') {
            $some = $properties.Clone()
            $some.Remove($name)
            Test-ImageSignature $TestDrive/disk.raw $some $TestDrive/certificate.pem -Quiet -ErrorAction SilentlyContinue -ErrorVariable errors |
                Should -BeNullOrEmpty
            $errors[0].FullyQualifiedErrorId | Should -BeLike 'SignaturePropertyMissing,*'
            $errors[0].Exception.Missing | Should -Be $name
        }
        Test-ImageSignature $TestDrive/disk.raw @{ os_distro = 'debian' } $TestDrive/certificate.pem -ErrorAction SilentlyContinue -ErrorVariable errors
        $errors[0].FullyQualifiedErrorId | Should -BeLike 'ImageNotSigned,*'
        $some = $properties.Clone()
        $some.Remove('img_signature_certificate_uuid')
        Test-ImageSignature $TestDrive/disk.raw $some $TestDrive/certificate.pem -Quiet -WarningVariable warnings -WarningAction SilentlyContinue |
            Should -BeTrue
        $warnings | Should -Match 'img_signature_certificate_uuid'
    }

    It 'wants one certificate that can be read' {
        { Test-ImageSignature $TestDrive/disk.raw $properties } | Should -Throw -ErrorId 'OneCertificateNeeded,*'
        { Test-ImageSignature $TestDrive/disk.raw $properties $data/disk.raw } | Should -Throw -ErrorId 'CertificateMalformed,*'
        { Test-ImageSignature $TestDrive/disk.raw $properties $TestDrive/missing.pem } | Should -Throw -ErrorId 'FileNotFound,*'
    }
}
