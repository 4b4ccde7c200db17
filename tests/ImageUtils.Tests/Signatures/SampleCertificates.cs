using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Signatures;

/// <summary>Certificates with their private keys, of every kind that images are signed with.</summary>
internal static class SampleCertificates
{
    internal static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    private static readonly Lazy<RSA> s_rsa = new(() => RSA.Create(2048));

    /// <summary>RSA of 2048 bits, valid for a month.</summary>
    internal static X509Certificate2 Rsa { get; } = MakeRsa();

    internal static X509Certificate2 MakeRsa(
        X509KeyUsageFlags? usage = null, int firstDay = -1, int lastDay = 30, string name = "rsa") =>
        Make(new CertificateRequest($"CN={name}", s_rsa.Value, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1),
            usage, firstDay, lastDay);

    internal static X509Certificate2 MakeRsa(int bits)
    {
        using var key = RSA.Create(bits);
        return Make(new CertificateRequest($"CN=rsa{bits}", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    /// <summary>A curve by its friendly name or object identifier.</summary>
    internal static X509Certificate2 MakeEcc(string curve)
    {
        using var key = ECDsa.Create(ECCurve.CreateFromFriendlyName(curve));
        return Make(new CertificateRequest($"CN={curve}", key, HashAlgorithmName.SHA256));
    }

    /// <summary>.NET makes no certificates for DSA keys; openssl does.</summary>
    internal static X509Certificate2 MakeDsa()
    {
        Tool.Require("openssl", "openssl");
        using var directory = new TemporaryDirectory();
        var (parameters, key, certificate) =
            (directory["parameters"], directory["key"], directory["certificate"]);
        Tool.Run("openssl", "dsaparam", "-out", parameters, "1024");
        Tool.Run("openssl", "gendsa", "-out", key, parameters);
        Tool.Run("openssl", "req", "-new", "-x509", "-key", key, "-out", certificate, "-subj", "/CN=dsa");
        using var dsa = DSA.Create();
        dsa.ImportFromPem(File.ReadAllText(key));
        using var bare = X509Certificate2.CreateFromPem(File.ReadAllText(certificate));
        return bare.CopyWithPrivateKey(dsa);
    }

    internal static X509Certificate2 WithoutKey(X509Certificate2 certificate) =>
        X509CertificateLoader.LoadCertificate(certificate.RawData);

    private static X509Certificate2 Make(
        CertificateRequest request, X509KeyUsageFlags? usage = null, int firstDay = -1, int lastDay = 30)
    {
        if (usage is not null)
        {
            request.CertificateExtensions.Add(new X509KeyUsageExtension(usage.Value, critical: true));
        }

        return request.CreateSelfSigned(Now.AddDays(firstDay), Now.AddDays(lastDay));
    }
}
