using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using ImageUtils.Errors;
using ImageUtils.Signatures;

namespace ImageUtils.Tests.Signatures;

/// <summary>Signatures and chains made by cursive's means, and ours verified by cursive.</summary>
public sealed class CursiveTests
{
    private const string Id = "0c7f1c1e-6f0a-4f6c-9a55-2f0a4c1de001";

    private static readonly string[] s_curves =
        ["secp384r1", "secp521r1", "sect409k1", "sect409r1", "sect571k1", "sect571r1"];

    [SkippableFact]
    public async Task What_cursive_says_of_a_signature_is_said_here()
    {
        var image = CursivePeer.Cases.GetProperty("image").GetBytesFromBase64();
        var valid = 0;
        foreach (var one in CursivePeer.Cases.GetProperty("signatures").EnumerateArray())
        {
            using var certificate = X509CertificateLoader.LoadCertificate(
                one.GetProperty("certificate").GetBytesFromBase64());
            var error = await Record.ExceptionAsync(() => VerifyAsync(
                PropertiesOf(one), new CertificateTrust { Certificate = certificate }, image));
            var name = one.GetProperty("name").GetString();
            if (one.GetProperty("verdict").GetString() == "valid")
            {
                Assert.True(error is null, $"{name}: {error?.Message}");
                valid++;
            }
            else
            {
                Assert.True(error is ImageSignatureMismatchException, $"{name}: {error}");
                Assert.Equal(
                    name!.StartsWith("salt", StringComparison.Ordinal),
                    error.Message.Contains("longest salt", StringComparison.Ordinal));
            }
        }

        // Five RSA keys, two of DSA and six curves, with four hashes each, and one of the salts.
        Assert.Equal((13 * 4) + 1, valid);
    }

    [SkippableFact]
    public async Task One_flipped_bit_of_the_image_or_of_the_signature_is_found()
    {
        var image = CursivePeer.Cases.GetProperty("image").GetBytesFromBase64();
        string[] wanted =
            ["rsa2048 SHA-224", "rsa2049 SHA-512", "dsa1024 SHA-256", "secp384r1 SHA-384", "sect571r1 SHA-512"];
        foreach (var one in CursivePeer.Cases.GetProperty("signatures").EnumerateArray()
            .Where(one => wanted.Contains(one.GetProperty("name").GetString())))
        {
            using var certificate = X509CertificateLoader.LoadCertificate(
                one.GetProperty("certificate").GetBytesFromBase64());
            var trust = new CertificateTrust { Certificate = certificate };
            var properties = PropertiesOf(one);
            foreach (var at in (int[])[0, 1000, 1009, image.Length / 2, image.Length - 1])
            {
                image[at] ^= 0x10;
                await Assert.ThrowsAsync<ImageSignatureMismatchException>(() => VerifyAsync(properties, trust, image));
                image[at] ^= 0x10;
            }

            await Assert.ThrowsAsync<ImageSignatureMismatchException>(
                () => VerifyAsync(properties, trust, image[..^1]));
            var signature = Convert.FromBase64String(properties["img_signature"]!);
            for (var bit = 0; bit < signature.Length * 8; bit += signature.Length > 100 ? 7 : 1)
            {
                signature[bit / 8] ^= (byte)(1 << (bit % 8));
                properties["img_signature"] = Convert.ToBase64String(signature);
                var error = await Record.ExceptionAsync(() => VerifyAsync(properties, trust, image));
                Assert.True(error is ImageSignatureMismatchException, $"{one.GetProperty("name")}, bit {bit}: {error}");
                signature[bit / 8] ^= (byte)(1 << (bit % 8));
            }

            properties["img_signature"] = Convert.ToBase64String(signature);
            await VerifyAsync(properties, trust, image);
        }
    }

    [SkippableFact]
    public void What_is_signed_here_is_valid_to_cursive()
    {
        CursivePeer.Require();
        var image = new byte[300_001];
        new Random(5).NextBytes(image);
        var tampered = image.ToArray();
        tampered[^1] ^= 1;
        List<X509Certificate2> certificates =
        [
            .. new[] { 1024, 2048, 2056, 3072 }.Select(SampleCertificates.MakeRsa),
            SampleCertificates.MakeDsa(),
            .. s_curves.Select(SampleCertificates.MakeEcc),
        ];
        var signed = new List<(byte[] Certificate, IReadOnlyDictionary<string, string> Properties, byte[] Image)>();
        foreach (var certificate in certificates)
        {
            foreach (var method in Enum.GetValues<SignatureHashMethod>())
            {
                using var signer = new ImageSigner(certificate, method, Id);
                signer.Append(image.AsSpan(0, 100_003));
                signer.Append(image.AsSpan(100_003));
                signed.Add((certificate.RawData, signer.Sign().Property, image));
            }

            certificate.Dispose();
        }

        var said = CursivePeer.Verify(signed.Concat(signed.Select(one => (one.Certificate, one.Properties, tampered))));
        Assert.Equal(2 * 11 * 4, said.Length);
        Assert.All(said[..signed.Count], verdict => Assert.Equal("valid", verdict));
        Assert.All(said[signed.Count..], verdict => Assert.Equal("InvalidSignature", verdict));
    }

    [SkippableFact]
    public async Task What_cursive_says_of_a_chain_is_said_here()
    {
        foreach (var one in CursivePeer.Cases.GetProperty("chains").EnumerateArray())
        {
            using var certificate = X509CertificateLoader.LoadCertificate(
                one.GetProperty("certificate").GetBytesFromBase64());
            var trusted = one.GetProperty("trusted").EnumerateArray()
                .Select(data => X509CertificateLoader.LoadCertificate(data.GetBytesFromBase64())).ToArray();
            var error = await Record.ExceptionAsync(async () =>
            {
                using var verifier = await ImageSignatureVerifier.CreateAsync(
                    new ImageSignature
                    {
                        Signature = "AAAA",
                        HashMethod = SignatureHashMethod.Sha256,
                        KeyType = PublicSigningKey.TypeOf(certificate),
                    },
                    new CertificateTrust { Certificate = certificate, TrustedCertificates = trusted },
                    default);
            });
            var (name, verdict) = (one.GetProperty("name").GetString(), one.GetProperty("verdict").GetString());

            // cursive compares a path length that is not there with a number, and fails; RFC 5280 has it unlimited.
            Assert.Equal(name == "no path length", verdict == "TypeError");
            var expected = verdict is "valid" or "TypeError" ? null : (SigningCertificateProblem?)(name switch
            {
                "leaf expired" => SigningCertificateProblem.Expired,
                "leaf not yet valid" => SigningCertificateProblem.NotYetValid,
                _ => SigningCertificateProblem.Untrusted,
            });
            Assert.True(error is null or SigningCertificateException, $"{name}: {error}");
            Assert.True(expected == (error as SigningCertificateException)?.Problem, $"{name}: {verdict}, {error}");
        }
    }

    [SkippableFact]
    public void Sha224_is_what_python_says_for_every_length_up_to_300()
    {
        var image = CursivePeer.Cases.GetProperty("image").GetBytesFromBase64();
        var expected = CursivePeer.Cases.GetProperty("sha224").EnumerateArray()
            .Select(hash => hash.GetString()).ToArray();
        Assert.Equal(300, expected.Length);
        for (var length = 0; length < expected.Length; length++)
        {
            Assert.Equal(expected[length], Convert.ToHexStringLower(Sha224.HashData(image.AsSpan(0, length))));
        }
    }

    private static Dictionary<string, string?> PropertiesOf(JsonElement one) =>
        one.GetProperty("properties").EnumerateObject().ToDictionary(item => item.Name, item => item.Value.GetString());

    private static async Task VerifyAsync(
        Dictionary<string, string?> properties, CertificateTrust trust, byte[] image)
    {
        using var verifier = await ImageSignatureVerifier.CreateAsync(properties, trust, isRequired: true, default);
        for (var at = 0; at < image.Length; at += 1009)
        {
            verifier!.Append(image.AsSpan(at, Math.Min(1009, image.Length - at)));
        }

        verifier!.Verify();
    }
}
