using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Signatures;

/// <summary>Whether trusted certificates issued a certificate, each the next one, up to a root.</summary>
/// <remarks>
/// As cursive's <c>certificate_utils</c>: every issuer must be among the trusted certificates, the root too; each must be
/// valid now, be a CA by its basic constraints, and have keyCertSign in its key usage; path lengths hold, and a CA
/// without one has no limit (RFC 5280, section 4.2.1.9). Nothing is fetched from a network, and revocation lists are not
/// asked for.
/// </remarks>
internal static class CertificateChain
{
    /// <exception cref="SigningCertificateException">They did not.</exception>
    internal static void ThrowIfUntrusted(
        X509Certificate2 certificate,
        IReadOnlyCollection<X509Certificate2> trusted,
        IEnumerable<string> notes,
        DateTimeOffset now)
    {
        var passedOver = new List<string>(notes);
        var issuers = new List<X509Certificate2>();
        foreach (var candidate in trusted)
        {
            if (WhyNoIssuer(candidate, now) is { } reason)
            {
                passedOver.Add($"'{Printable.Text(candidate.Subject)}' {reason}");
            }
            else
            {
                issuers.Add(candidate);
            }
        }

        using var chain = new X509Chain();
        var policy = chain.ChainPolicy;
        policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        policy.RevocationMode = X509RevocationMode.NoCheck;
        policy.DisableCertificateDownloads = true;
        policy.VerificationTime = now.UtcDateTime;
        foreach (var issuer in issuers)
        {
            (IsSelfIssued(issuer) ? policy.CustomTrustStore : policy.ExtraStore).Add(issuer);
        }

        try
        {
            var isBuilt = chain.Build(certificate);
            // The platform may know certificates that could stand between; only those that are trusted count.
            var stranger = chain.ChainElements.Skip(1).Select(element => element.Certificate)
                .FirstOrDefault(element => !issuers.Exists(one => one.RawDataMemory.Span.SequenceEqual(
                    element.RawDataMemory.Span)));
            if (!isBuilt || stranger is not null)
            {
                throw Untrusted(certificate, chain, stranger, passedOver);
            }
        }
        finally
        {
            foreach (var element in chain.ChainElements)
            {
                element.Certificate.Dispose();
            }
        }
    }

    private static SigningCertificateException Untrusted(
        X509Certificate2 certificate, X509Chain chain, X509Certificate2? stranger, List<string> passedOver)
    {
        var found = stranger is not null
            ? [$"'{Printable.Text(stranger.Subject)}' is not among the trusted certificates."]
            : chain.ChainElements.SelectMany(element => element.ChainElementStatus.Select(status =>
                $"'{Printable.Text(element.Certificate.Subject)}': {status.Status}.")).Distinct();
        var notUsed = passedOver.Count == 0 ? "" : $" Passed over: {string.Join("; ", passedOver)}.";
        return new SigningCertificateException(
            SigningCertificateProblem.Untrusted, certificate.Subject,
            $"was not issued by the trusted certificates. {string.Join(" ", found)}{notUsed} Name the certificates of all "
            + "its issuers, up to the root.");
    }

    private static string? WhyNoIssuer(X509Certificate2 certificate, DateTimeOffset now)
    {
        if (now.UtcDateTime < certificate.NotBefore.ToUniversalTime()
            || now.UtcDateTime > certificate.NotAfter.ToUniversalTime())
        {
            return "is not valid at this time";
        }

        var constraints = certificate.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault();
        return constraints is not { CertificateAuthority: true }
            ? "is no CA by its basic constraints"
            : ((SigningCertificate.UsageOf(certificate) ?? 0) & X509KeyUsageFlags.KeyCertSign) == 0
                ? "does not have keyCertSign in its key usage"
                : null;
    }

    private static bool IsSelfIssued(X509Certificate2 certificate) =>
        certificate.SubjectName.RawData.AsSpan().SequenceEqual(certificate.IssuerName.RawData);
}
