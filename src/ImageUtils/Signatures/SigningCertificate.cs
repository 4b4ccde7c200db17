using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;

namespace ImageUtils.Signatures;

/// <summary>What is said of a certificate that an image was signed with. It holds no key.</summary>
/// <param name="Subject">Whose it is.</param>
/// <param name="Issuer">Who issued it.</param>
/// <param name="Thumbprint">The SHA-256 of the certificate, in hexadecimal.</param>
/// <param name="NotBefore">When it becomes valid.</param>
/// <param name="NotAfter">Until when it is valid.</param>
public sealed record SigningCertificate(
    string Subject, string Issuer, string Thumbprint, DateTimeOffset NotBefore, DateTimeOffset NotAfter)
{
    internal static SigningCertificate Of(X509Certificate2 certificate) => new(
        certificate.Subject,
        certificate.Issuer,
        certificate.GetCertHashString(HashAlgorithmName.SHA256),
        new DateTimeOffset(certificate.NotBefore.ToUniversalTime()),
        new DateTimeOffset(certificate.NotAfter.ToUniversalTime()));

    /// <summary>Refuses a certificate that is not valid now, or not meant for signatures.</summary>
    /// <remarks>
    /// cursive looks at the dates (<c>is_within_valid_dates</c>; both ends are within). RFC 5280, section 4.2.1.3: a
    /// key usage, where there is one, must have digitalSignature or nonRepudiation to sign anything but certificates.
    /// </remarks>
    internal static void ThrowIfUnusable(X509Certificate2 certificate, DateTimeOffset now)
    {
        var (notBefore, notAfter) = (certificate.NotBefore.ToUniversalTime(), certificate.NotAfter.ToUniversalTime());
        if (now.UtcDateTime < notBefore)
        {
            throw new SigningCertificateException(
                SigningCertificateProblem.NotYetValid, certificate.Subject,
                $"is not valid before {notBefore:u}. Check this machine's clock, or use another certificate.");
        }

        if (now.UtcDateTime > notAfter)
        {
            throw new SigningCertificateException(
                SigningCertificateProblem.Expired, certificate.Subject,
                $"was valid until {notAfter:u}. Sign the image again, with a certificate that is valid.");
        }

        var usage = UsageOf(certificate);
        if (usage is not null && (usage & (X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.NonRepudiation)) == 0)
        {
            throw new SigningCertificateException(
                SigningCertificateProblem.NotForSigning, certificate.Subject,
                $"is not meant for signatures: its key usage is {usage}. Use one that has digitalSignature.");
        }
    }

    /// <summary>A certificate's key usage; null where it has none, which allows all.</summary>
    internal static X509KeyUsageFlags? UsageOf(X509Certificate2 certificate) =>
        certificate.Extensions.OfType<X509KeyUsageExtension>().FirstOrDefault()?.KeyUsages;
}
