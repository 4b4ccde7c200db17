using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Signatures;

/// <summary>Whether trusted certificates issued a certificate, each the next one, up to a root.</summary>
/// <remarks>
/// As cursive's <c>certificate_utils</c>: every issuer must be among the trusted certificates, the root too; each must
/// be valid now, be a CA by its basic constraints, and have keyCertSign in its key usage; path lengths hold, and a CA
/// without one has no limit (RFC 5280, section 4.2.1.9). Nothing is fetched from a network, and revocation lists are
/// not asked for.
/// </remarks>
internal static class CertificateChain
{
    // Certificates of one name, each issued by each, make more paths than anybody would wait for.
    private const int MaximumPaths = 256;
    private const int MaximumReasons = 4;

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

        // Names say who can have issued whom; of several with one name, each is tried, as cursive does it.
        var found = new List<string>();
        var paths = new Stack<X509Certificate2[]>();
        paths.Push([certificate]);
        for (var tried = 0; tried < MaximumPaths && paths.TryPop(out var path); tried++)
        {
            var last = path[^1];
            if (IsSelfIssued(last) && issuers.Exists(issuer => IsSame(issuer, last)))
            {
                if (WhyBroken(path, now) is not { } reason)
                {
                    return;
                }

                found.Add(reason);
            }

            var next = issuers.Where(issuer => IsIssuerByName(issuer, last) && !path.Any(one => IsSame(one, issuer)))
                .ToArray();
            if (next.Length == 0 && !IsSelfIssued(last))
            {
                found.Add($"'{Printable.Text(last.Subject)}' was issued by '{Printable.Text(last.Issuer)}', which is "
                    + "not among them.");
            }

            foreach (var issuer in next)
            {
                paths.Push([.. path, issuer]);
            }
        }

        var reasons = string.Join(' ', found.Distinct().Take(MaximumReasons));
        var notUsed = passedOver.Count == 0
            ? ""
            : $" Passed over: {string.Join("; ", passedOver.Take(MaximumReasons))}.";
        throw new SigningCertificateException(
            SigningCertificateProblem.Untrusted, certificate.Subject,
            $"was not issued by the trusted certificates. {reasons}{notUsed} Name the certificates of all its issuers, "
            + "up to the root.");
    }

    // The last of a path is its root. Signatures, path lengths and all else that chains must have is the platform's.
    private static string? WhyBroken(X509Certificate2[] path, DateTimeOffset now)
    {
        using var chain = new X509Chain();
        var policy = chain.ChainPolicy;
        policy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        policy.RevocationMode = X509RevocationMode.NoCheck;
        policy.DisableCertificateDownloads = true;
        policy.VerificationTime = now.UtcDateTime;
        policy.CustomTrustStore.Add(path[^1]);
        policy.ExtraStore.AddRange(path[1..]);
        try
        {
            if (!chain.Build(path[0]))
            {
                return string.Join(' ', chain.ChainElements.SelectMany(element => element.ChainElementStatus.Select(
                    status => $"'{Printable.Text(element.Certificate.Subject)}': {status.Status}.")).Distinct());
            }

            // The platform may know certificates that could stand between; only those that are trusted count.
            var stranger = chain.ChainElements.Select(element => element.Certificate)
                .FirstOrDefault(element => !path.Any(one => IsSame(one, element)));
            return stranger is null ? null : $"'{Printable.Text(stranger.Subject)}' is not among them.";
        }
        finally
        {
            foreach (var element in chain.ChainElements)
            {
                element.Certificate.Dispose();
            }
        }
    }

    private static bool IsIssuerByName(X509Certificate2 issuer, X509Certificate2 issued) =>
        issuer.SubjectName.RawData.AsSpan().SequenceEqual(issued.IssuerName.RawData);

    private static bool IsSame(X509Certificate2 one, X509Certificate2 other) =>
        one.RawDataMemory.Span.SequenceEqual(other.RawDataMemory.Span);

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

    private static bool IsSelfIssued(X509Certificate2 certificate) => IsIssuerByName(certificate, certificate);
}
