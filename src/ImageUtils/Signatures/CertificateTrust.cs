using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;

namespace ImageUtils.Signatures;

/// <summary>Where the certificate of a signature comes from, and what it is held against.</summary>
public sealed record CertificateTrust
{
    /// <summary>
    /// The certificate, where it is at hand; it goes before <see cref="Fetch"/>, and stays the caller's.
    /// </summary>
    public X509Certificate2? Certificate { get; init; }

    /// <summary>
    /// Fetches a certificate by its id from a key manager. It raises <see cref="SigningCertificateException"/> where
    /// there is none. The id is a UUID; what is fetched is disposed of after its use.
    /// </summary>
    public Func<string, CancellationToken, ValueTask<X509Certificate2>>? Fetch { get; init; }

    /// <summary>
    /// The certificates by which the signature's certificate must be issued, up to a root among them. Null: whatever
    /// issued it is not looked at, as Cinder does it. Empty: none is trusted.
    /// </summary>
    public IReadOnlyCollection<X509Certificate2>? TrustedCertificates { get; init; }

    /// <summary>
    /// The same by ids, to be fetched. Those that cannot be fetched are passed over, as cursive does it.
    /// </summary>
    public IReadOnlyCollection<string>? TrustedCertificateIds { get; init; }

    /// <summary>What time it is.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Whether the certificate's issuers are looked at.</summary>
    internal bool IsChainWanted => TrustedCertificates is not null || TrustedCertificateIds is not null;

    /// <summary>Finds a signature's certificate, checks it, and takes its public key.</summary>
    internal async Task<(PublicSigningKey Key, SigningCertificate Certificate)> ResolveAsync(
        ImageSignature signature, CancellationToken cancellationToken)
    {
        var fetched = new List<X509Certificate2>();
        try
        {
            var certificate = Certificate;
            if (certificate is null)
            {
                certificate = await FetchAsync(signature, cancellationToken).ConfigureAwait(false);
                fetched.Add(certificate);
            }

            var now = Clock.GetUtcNow();
            SigningCertificate.ThrowIfUnusable(certificate, now);
            if (IsChainWanted)
            {
                var trusted = new List<X509Certificate2>(TrustedCertificates ?? []);
                var notes = new List<string>();
                await FetchTrustedAsync(trusted, fetched, notes, cancellationToken).ConfigureAwait(false);
                CertificateChain.ThrowIfUntrusted(certificate, trusted, notes, now);
            }

            return (PublicSigningKey.Of(certificate, signature.KeyType), SigningCertificate.Of(certificate));
        }
        finally
        {
            fetched.ForEach(certificate => certificate.Dispose());
        }
    }

    private async Task<X509Certificate2> FetchAsync(ImageSignature signature, CancellationToken cancellationToken)
    {
        if (signature.CertificateId is not { } id || Fetch is null)
        {
            throw new SigningCertificateException(
                SigningCertificateProblem.NotFound, signature.CertificateId ?? "",
                "is not at hand, and there is no key manager to fetch it from. Name the certificate's file.");
        }

        // It becomes a part of an address, and comes from whoever made the image.
        if (!Guid.TryParseExact(id, "D", out _))
        {
            throw new SignaturePropertyException(
                ImageSignature.CertificateIdProperty, id, "It must be the UUID of a certificate in the key manager.");
        }

        return await Fetch(id, cancellationToken).ConfigureAwait(false);
    }

    private async Task FetchTrustedAsync(
        List<X509Certificate2> trusted,
        List<X509Certificate2> fetched,
        List<string> notes,
        CancellationToken cancellationToken)
    {
        foreach (var id in TrustedCertificateIds ?? [])
        {
            try
            {
                if (Fetch is null || !Guid.TryParseExact(id, "D", out _))
                {
                    throw new SigningCertificateException(
                        SigningCertificateProblem.NotFound, id, Fetch is null ? "has no key manager." : "is no UUID.");
                }

                var certificate = await Fetch(id, cancellationToken).ConfigureAwait(false);
                fetched.Add(certificate);
                trusted.Add(certificate);
            }
            catch (SigningCertificateException exception)
            {
                notes.Add($"'{id}' could not be fetched: {exception.Message}");
            }
        }
    }
}
