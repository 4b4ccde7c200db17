using ImageUtils.Errors;

namespace ImageUtils.Signatures;

/// <summary>Verifies the signature of an image whose bytes pass by once, from the first to the last.</summary>
public sealed class ImageSignatureVerifier : IDisposable
{
    private readonly SignatureHash _hash;
    private readonly PublicSigningKey _key;
    private readonly byte[] _signature;

    private ImageSignatureVerifier(ImageSignature signature, PublicSigningKey key, SigningCertificate certificate)
    {
        (Signature, _key, Certificate) = (signature, key, certificate);
        _signature = signature.Decode();
        _hash = new SignatureHash(signature.HashMethod);
    }

    /// <summary>What is verified.</summary>
    public ImageSignature Signature { get; }

    /// <summary>The certificate that it is verified with.</summary>
    public SigningCertificate Certificate { get; }

    /// <summary>Makes a verifier for an image with these properties. All but its bytes is checked here.</summary>
    /// <param name="properties">The image's properties in Glance.</param>
    /// <param name="trust">Where the certificate comes from, and what it is held against.</param>
    /// <param name="isRequired">Whether an image that is not signed is an error.</param>
    /// <param name="cancellationToken">Ends the fetching of certificates.</param>
    /// <returns>The verifier; null where the image is not signed.</returns>
    /// <exception cref="ImageNotSignedException">It is not signed, and must be.</exception>
    /// <exception cref="SignaturePropertyMissingException">It has some of the four properties only.</exception>
    /// <exception cref="SignaturePropertyException">One of them has a value that it cannot have.</exception>
    /// <exception cref="SigningCertificateException">The certificate cannot be used or trusted.</exception>
    /// <exception cref="SignatureNotSupportedException">The platform cannot calculate with its key.</exception>
    public static async Task<ImageSignatureVerifier?> CreateAsync(
        IReadOnlyDictionary<string, string?> properties,
        CertificateTrust trust,
        bool isRequired,
        CancellationToken cancellationToken) =>
        ImageSignature.FromProperties(properties) is { } signature
            ? await CreateAsync(signature, trust, cancellationToken).ConfigureAwait(false)
            : isRequired ? throw new ImageNotSignedException() : null;

    /// <summary>Makes a verifier for a signature. All but the image's bytes is checked here.</summary>
    /// <param name="signature">What is to be verified.</param>
    /// <param name="trust">Where the certificate comes from, and what it is held against.</param>
    /// <param name="cancellationToken">Ends the fetching of certificates.</param>
    /// <exception cref="SignaturePropertyException">The signature is no base64.</exception>
    /// <exception cref="SigningCertificateException">The certificate cannot be used or trusted.</exception>
    /// <exception cref="SignatureNotSupportedException">The platform cannot calculate with its key.</exception>
    public static async Task<ImageSignatureVerifier> CreateAsync(
        ImageSignature signature, CertificateTrust trust, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(signature);
        ArgumentNullException.ThrowIfNull(trust);
        signature.Decode();
        var (key, certificate) = await trust.ResolveAsync(signature, cancellationToken).ConfigureAwait(false);
        return new ImageSignatureVerifier(signature, key, certificate);
    }

    /// <summary>Adds the image's next bytes.</summary>
    /// <exception cref="InvalidOperationException">The signature was verified already.</exception>
    public void Append(ReadOnlySpan<byte> data) => _hash.Append(data);

    /// <summary>Ends the image and verifies its signature.</summary>
    /// <exception cref="ImageSignatureMismatchException">The image is not what was signed with this key.</exception>
    public void Verify()
    {
        if (_key.WhyInvalid(_hash.Finish(), _signature, Signature.HashMethod) is { } reason)
        {
            throw new ImageSignatureMismatchException(reason);
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _hash.Dispose();
        _key.Dispose();
    }
}
