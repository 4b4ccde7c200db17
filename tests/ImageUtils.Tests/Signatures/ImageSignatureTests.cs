using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;
using ImageUtils.Signatures;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Signatures;

public sealed class ImageSignatureTests
{
    private const string Id = "0c7f1c1e-6f0a-4f6c-9a55-2f0a4c1de001";

    private static readonly byte[] s_image = [.. Enumerable.Range(0, 70_000).Select(index => (byte)(index * 7))];

    private static readonly string[] s_names =
        ["img_signature", "img_signature_hash_method", "img_signature_key_type", "img_signature_certificate_uuid"];

    public static TheoryData<string> PropertyNames => [.. s_names];

    private static CertificateTrust TheCertificate => new() { Certificate = SampleCertificates.Rsa };

    [Fact]
    public async Task An_image_without_the_properties_is_not_signed_and_an_error_only_where_it_must_be()
    {
        var properties = new Dictionary<string, string?> { ["os_distro"] = "debian", ["img_signature"] = null };
        Assert.Null(await ImageSignatureVerifier.CreateAsync(properties, TheCertificate, isRequired: false, default));
        await Assert.ThrowsAsync<ImageNotSignedException>(
            () => ImageSignatureVerifier.CreateAsync(properties, TheCertificate, isRequired: true, default));
    }

    [Theory]
    [MemberData(nameof(PropertyNames))]
    public async Task Each_property_that_is_missing_is_named(string name)
    {
        var one = Sign();
        one.Remove(name);
        var error = await Assert.ThrowsAsync<SignaturePropertyMissingException>(() => VerifyAsync(one));
        Assert.Equal([name], error.Missing);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        error = await Assert.ThrowsAsync<SignaturePropertyMissingException>(
            () => VerifyAsync(new() { [name] = Sign()[name] }));
        Assert.Equal(s_names.Where(other => other != name), error.Missing);
    }

    [Theory]
    [InlineData("img_signature", "")]
    [InlineData("img_signature", "not base64!")]
    [InlineData("img_signature", "AAA")]
    [InlineData("img_signature_hash_method", "MD5")]
    [InlineData("img_signature_hash_method", "sha-256")]
    [InlineData("img_signature_key_type", "RSA-PKCS1\u001b[31m")]
    [InlineData("img_signature_key_type", "ECC_SECP256R1")]
    [InlineData("img_signature_certificate_uuid", "")]
    public async Task A_property_with_a_value_that_it_cannot_have_is_named_and_printable(string name, string value)
    {
        var properties = Sign();
        properties[name] = value;
        var error = await Assert.ThrowsAsync<SignaturePropertyException>(() => VerifyAsync(properties));
        Assert.Equal(name, error.Name);
        Assert.Contains(name, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', error.Message);
    }

    [Fact]
    public async Task A_signature_of_endless_text_is_refused_before_it_is_decoded()
    {
        var properties = Sign();
        properties["img_signature"] = new string('A', 100_000);
        var error = await Assert.ThrowsAsync<SignaturePropertyException>(() => VerifyAsync(properties));
        Assert.True(error.Message.Length < 1000);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4096)]
    [InlineData(70_000)]
    public async Task What_is_signed_in_pieces_of_any_length_verifies_in_others(int length)
    {
        using var signer = new ImageSigner(SampleCertificates.Rsa, SignatureHashMethod.Sha384, Id);
        for (var at = 0; at < length; at += 999)
        {
            signer.Append(s_image.AsSpan(at, Math.Min(999, length - at)));
        }

        using var verifier = await ImageSignatureVerifier.CreateAsync(signer.Sign(), TheCertificate, default);
        verifier.Append(s_image.AsSpan(0, length));
        verifier.Verify();
        verifier.Verify();
        Assert.Throws<InvalidOperationException>(() => verifier.Append([1]));
        Assert.Equal("CN=rsa", verifier.Certificate.Subject);
    }

    [Fact]
    public async Task A_certificate_of_another_key_does_not_verify()
    {
        using var other = SampleCertificates.MakeRsa(2048);
        await Assert.ThrowsAsync<ImageSignatureMismatchException>(
            () => VerifyAsync(Sign(), new CertificateTrust { Certificate = other }));
        using var shorter = SampleCertificates.MakeRsa(1024);
        var error = await Assert.ThrowsAsync<ImageSignatureMismatchException>(
            () => VerifyAsync(Sign(), new CertificateTrust { Certificate = shorter }));
        Assert.Contains("256 bytes long", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("secp521r1", "ECC_SECP521R1")]
    [InlineData("nistP256", "curve 1.2.840.10045.3.1.7")]
    public async Task A_certificate_of_another_type_is_refused_and_says_of_which(string curve, string named)
    {
        using var certificate = SampleCertificates.MakeEcc(curve);
        var properties = Sign();
        properties["img_signature_key_type"] = "ECC_SECP384R1";
        var error = await Assert.ThrowsAsync<SigningCertificateException>(
            () => VerifyAsync(properties, new CertificateTrust { Certificate = certificate }));
        Assert.Equal(SigningCertificateProblem.WrongKeyType, error.Problem);
        Assert.Contains(named, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-9, -1, null, SigningCertificateProblem.Expired)]
    [InlineData(1, 9, null, SigningCertificateProblem.NotYetValid)]
    [InlineData(-1, 9, X509KeyUsageFlags.KeyCertSign, SigningCertificateProblem.NotForSigning)]
    public async Task A_certificate_that_is_not_to_be_used_neither_verifies_nor_signs(
        int firstDay, int lastDay, X509KeyUsageFlags? usage, SigningCertificateProblem problem)
    {
        using var certificate = SampleCertificates.MakeRsa(usage, firstDay, lastDay);
        var error = await Assert.ThrowsAsync<SigningCertificateException>(
            () => VerifyAsync(Sign(), new CertificateTrust { Certificate = certificate }));
        Assert.Equal(problem, error.Problem);
        error = Assert.Throws<SigningCertificateException>(() => new ImageSigner(certificate));
        Assert.Equal(problem, error.Problem);
    }

    [Theory]
    [InlineData(X509KeyUsageFlags.DigitalSignature)]
    [InlineData(X509KeyUsageFlags.NonRepudiation | X509KeyUsageFlags.KeyEncipherment)]
    public async Task A_key_usage_for_signatures_will_do(X509KeyUsageFlags usage)
    {
        using var certificate = SampleCertificates.MakeRsa(usage);
        await VerifyAsync(Sign(), new CertificateTrust { Certificate = certificate });
    }

    [Fact]
    public async Task A_certificate_is_valid_to_the_last_second_and_no_longer()
    {
        var last = new DateTimeOffset(SampleCertificates.Rsa.NotAfter.ToUniversalTime());
        await VerifyAsync(Sign(), TheCertificate with { Clock = new FixedClock(last) });
        var error = await Assert.ThrowsAsync<SigningCertificateException>(
            () => VerifyAsync(Sign(), TheCertificate with { Clock = new FixedClock(last.AddSeconds(1)) }));
        Assert.Equal(SigningCertificateProblem.Expired, error.Problem);
    }

    [Fact]
    public async Task A_certificate_is_fetched_by_the_id_that_the_image_names()
    {
        var asked = new List<string>();
        var trust = new CertificateTrust
        {
            Fetch = (id, _) =>
            {
                asked.Add(id);
                return ValueTask.FromResult(SampleCertificates.WithoutKey(SampleCertificates.Rsa));
            },
        };
        await VerifyAsync(Sign(), trust);
        Assert.Equal([Id], asked);
        var properties = Sign();
        properties["img_signature_certificate_uuid"] = "../../orders";
        await Assert.ThrowsAsync<SignaturePropertyException>(() => VerifyAsync(properties, trust));
        Assert.Single(asked);
        var error = await Assert.ThrowsAsync<SigningCertificateException>(
            () => VerifyAsync(Sign(), new CertificateTrust()));
        Assert.Equal(SigningCertificateProblem.NotFound, error.Problem);
    }

    [Fact]
    public async Task Trusted_certificates_that_cannot_be_fetched_are_passed_over_and_named()
    {
        using var root = SampleCertificates.MakeRsa(X509KeyUsageFlags.KeyCertSign, name: "other root");
        const string Gone = "11111111-1111-1111-1111-111111111111";
        var trust = TheCertificate with
        {
            TrustedCertificateIds = [Gone],
            TrustedCertificates = [root],
            Fetch = (id, _) => throw new SigningCertificateException(
                SigningCertificateProblem.NotFound, id, "is not in the key manager."),
        };
        var error = await Assert.ThrowsAsync<SigningCertificateException>(() => VerifyAsync(Sign(), trust));
        Assert.Equal(SigningCertificateProblem.Untrusted, error.Problem);
        Assert.Contains(Gone, error.Message, StringComparison.Ordinal);
        Assert.Contains("CN=other root' is no CA", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_that_images_are_not_signed_with_is_refused_with_the_types_that_are()
    {
        using var small = SampleCertificates.MakeEcc("nistP256");
        var error = Assert.Throws<SigningCertificateException>(() => new ImageSigner(small));
        Assert.Equal(SigningCertificateProblem.WrongKeyType, error.Problem);
        Assert.Contains("ECC_SECP384R1", error.Message, StringComparison.Ordinal);
        using var tiny = SampleCertificates.MakeRsa(512);
        error = Assert.Throws<SigningCertificateException>(() => new ImageSigner(tiny, SignatureHashMethod.Sha512));
        Assert.Contains("too small for SHA-512", error.Message, StringComparison.Ordinal);
        using var bare = SampleCertificates.WithoutKey(SampleCertificates.Rsa);
        error = Assert.Throws<SigningCertificateException>(() => new ImageSigner(bare));
        Assert.Equal(SigningCertificateProblem.NoPrivateKey, error.Problem);
    }

    [Fact]
    public void The_same_image_is_signed_with_another_salt_each_time() =>
        Assert.NotEqual(Sign()["img_signature"], Sign()["img_signature"]);

    [Fact]
    public async Task A_file_is_signed_and_checked_and_one_that_changed_is_not_valid()
    {
        using var file = new TemporaryFile(s_image, ".img");
        using var signer = new ImageSigner(SampleCertificates.Rsa, SignatureHashMethod.Sha512, Id);
        var signature = await ImageFileSignatures.SignAsync(file.Path, signer, null, default);
        Assert.Equal((file.Path, s_image.Length), (signature.Path, signature.Length));
        Assert.Equal(4, signature.Property.Count);
        var check = await ImageFileSignatures.CheckAsync(file.Path, signature, TheCertificate, null, default);
        Assert.True(check.IsValid, check.Reason);
        await File.AppendAllTextAsync(file.Path, "x");
        check = await ImageFileSignatures.CheckAsync(file.Path, signature, TheCertificate, null, default);
        Assert.False(check.IsValid);
        Assert.Equal("ImageSignatureMismatch", check.Problem);
    }

    [Fact]
    public async Task A_file_that_is_written_to_while_it_is_signed_is_an_error()
    {
        using var file = new TemporaryFile(new byte[3 << 20], ".img");
        using var signer = new ImageSigner(SampleCertificates.Rsa);
        var progress = new CallOnce(() => File.SetLastWriteTimeUtc(file.Path, DateTime.UtcNow.AddMinutes(-1)));
        var error = await Assert.ThrowsAsync<ImageFileException>(
            () => ImageFileSignatures.SignAsync(file.Path, signer, progress, default));
        Assert.Equal(ImageFileProblem.Changed, error.Problem);
    }

    [Fact]
    public async Task Certificates_are_read_from_pem_der_and_pfx_and_nothing_else()
    {
        using var directory = new TemporaryDirectory();
        var (pem, der, pfx, junk) =
            (directory["c.pem"], directory["c.der"], directory["c.pfx"], directory["junk"]);
        var text = SampleCertificates.Rsa.ExportCertificatePem();
        await File.WriteAllTextAsync(pem, $"first\n{text}\n{text}\n");
        await File.WriteAllBytesAsync(der, SampleCertificates.Rsa.RawData);
        await File.WriteAllBytesAsync(pfx, SampleCertificates.Rsa.Export(X509ContentType.Pfx, "s3cret"));
        await File.WriteAllTextAsync(junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
        foreach (var path in (string[])[pem, der])
        {
            using var certificate = await CertificateFile.ReadAsync(path, default);
            Assert.Equal(SampleCertificates.Rsa.Thumbprint, certificate.Thumbprint);
        }

        Assert.Equal(2, (await CertificateFile.ReadAllAsync(pem, default)).Count);
        using var withKey = await CertificateFile.ReadPfxAsync(pfx, "s3cret".AsMemory(), default);
        using var signer = new ImageSigner(withKey);
        Assert.NotNull(signer.Sign());
        var error = await Assert.ThrowsAsync<SigningCertificateException>(
            () => CertificateFile.ReadPfxAsync(pfx, "wr0ng".AsMemory(), default));
        Assert.Equal(SigningCertificateProblem.Password, error.Problem);
        Assert.DoesNotContain("wr0ng", error.ToString(), StringComparison.Ordinal);
        foreach (var path in (string[])[junk, pfx])
        {
            error = await Assert.ThrowsAsync<SigningCertificateException>(
                () => CertificateFile.ReadAsync(path, default));
            Assert.Equal(SigningCertificateProblem.Malformed, error.Problem);
        }

        foreach (var path in (string[])[junk, pem, der])
        {
            error = await Assert.ThrowsAsync<SigningCertificateException>(
                () => CertificateFile.ReadPfxAsync(path, "s3cret".AsMemory(), default));
            Assert.Equal(SigningCertificateProblem.Malformed, error.Problem);
        }

        await File.WriteAllBytesAsync(pfx, SampleCertificates.Rsa.Export(X509ContentType.Pfx));
        using var withoutPassword = await CertificateFile.ReadPfxAsync(pfx, default, default);
        Assert.True(withoutPassword.HasPrivateKey);
        using var bare = SampleCertificates.WithoutKey(SampleCertificates.Rsa);
        await File.WriteAllBytesAsync(pfx, bare.Export(X509ContentType.Pfx));
        error = await Assert.ThrowsAsync<SigningCertificateException>(
            () => CertificateFile.ReadPfxAsync(pfx, default, default));
        Assert.Equal(SigningCertificateProblem.NoPrivateKey, error.Problem);
        await Assert.ThrowsAsync<ImageFileException>(
            () => CertificateFile.ReadAsync(directory["missing"], default));
    }

    private static Dictionary<string, string?> Sign()
    {
        using var signer = new ImageSigner(SampleCertificates.Rsa, certificateId: Id);
        signer.Append(s_image);
        return signer.Sign().Property.ToDictionary(one => one.Key, one => (string?)one.Value);
    }

    private static async Task VerifyAsync(Dictionary<string, string?> properties, CertificateTrust? trust = null)
    {
        using var verifier = await ImageSignatureVerifier.CreateAsync(
            properties, trust ?? TheCertificate, isRequired: true, default);
        verifier!.Append(s_image);
        verifier.Verify();
    }

    private sealed class FixedClock(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }

    private sealed class CallOnce(Action action) : IProgress<ImageUtils.Conversion.ConversionProgress>
    {
        private Action? _action = action;

        public void Report(ImageUtils.Conversion.ConversionProgress value) =>
            Interlocked.Exchange(ref _action, null)?.Invoke();
    }
}
