using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;

namespace ImageUtils.Signatures;

/// <summary>Signs an image whose bytes pass by once, from the first to the last, as OpenStack verifies it.</summary>
public sealed class ImageSigner : IDisposable
{
    private readonly X509Certificate2 _certificate;
    private readonly PublicSigningKey _public;
    private readonly SignatureHash _hash;
    private readonly SignatureHashMethod _method;
    private readonly string? _certificateId;

    /// <summary>Makes a signer.</summary>
    /// <param name="certificate">The certificate with its private key. It stays the caller's.</param>
    /// <param name="method">What the image is hashed with.</param>
    /// <param name="certificateId">The id of the certificate in the key manager, where it is known already.</param>
    /// <param name="clock">What time it is.</param>
    /// <exception cref="SigningCertificateException">The certificate or its key cannot be used.</exception>
    /// <exception cref="SignatureNotSupportedException">The platform cannot calculate with its key.</exception>
    public ImageSigner(
        X509Certificate2 certificate,
        SignatureHashMethod method = SignatureHashMethod.Sha256,
        string? certificateId = null,
        TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        if (!certificate.HasPrivateKey)
        {
            throw NoPrivateKey(certificate.Subject);
        }

        SigningCertificate.ThrowIfUnusable(certificate, (clock ?? TimeProvider.System).GetUtcNow());
        (_certificate, _method, _certificateId) = (certificate, method, certificateId);
        _public = PublicSigningKey.Of(certificate, PublicSigningKey.TypeOf(certificate));
        if (_public.Type == SignatureKeyType.RsaPss
            && PssEncoding.MaximumSaltLength(_public.ModulusBits, SignatureNames.LengthOf(method)) < 0)
        {
            var bits = _public.ModulusBits;
            _public.Dispose();
            throw new SigningCertificateException(
                SigningCertificateProblem.WrongKeyType, certificate.Subject,
                $"has an RSA key of {bits} bits, which is too small for {SignatureNames.ToName(method)}. Use one of "
                + "2048 bits or more.");
        }

        Certificate = SigningCertificate.Of(certificate);
        _hash = new SignatureHash(method);
    }

    /// <summary>The certificate that the signature is verified with.</summary>
    public SigningCertificate Certificate { get; }

    /// <summary>Adds the image's next bytes.</summary>
    /// <exception cref="InvalidOperationException">The signature was made already.</exception>
    public void Append(ReadOnlySpan<byte> data) => _hash.Append(data);

    /// <summary>Ends the image and signs it. The signature is verified before it is returned.</summary>
    /// <exception cref="SigningCertificateException">The private key is not to be had, or not its own.</exception>
    public ImageSignature Sign()
    {
        var hash = _hash.Finish();
        byte[] signature;
        try
        {
            signature = SignHash(hash);
        }
        catch (CryptographicException exception)
        {
            throw new SigningCertificateException(
                SigningCertificateProblem.NoPrivateKey, _certificate.Subject,
                "has a private key that does not sign, or that must not leave where it is kept (RSA-PSS needs its "
                + "numbers). Use a PFX file, or a key that can be exported.",
                exception);
        }

        if (_public.WhyInvalid(hash, signature, _method) is not null)
        {
            throw new SigningCertificateException(
                SigningCertificateProblem.NoPrivateKey, _certificate.Subject,
                "has a private key that is not its own: what it signs is not valid. Use the certificate of this key.");
        }

        return new ImageSignature
        {
            Signature = Convert.ToBase64String(signature),
            HashMethod = _method,
            KeyType = _public.Type,
            CertificateId = _certificateId,
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _hash.Dispose();
        _public.Dispose();
    }

    internal static SigningCertificateException NoPrivateKey(string certificate) => new(
        SigningCertificateProblem.NoPrivateKey, certificate,
        "has no private key with it, and nothing can be signed without. Use a PFX file that has both.");

    [SuppressMessage("Security", "CA5351", Justification = "DSA is one of the key types that OpenStack verifies.")]
    private byte[] SignHash(byte[] hash)
    {
        switch (_public.Type)
        {
            case SignatureKeyType.RsaPss:
                using (var rsa = _certificate.GetRSAPrivateKey()!)
                {
                    return SignPss(rsa, hash);
                }

            case SignatureKeyType.Dsa:
                using (var dsa = _certificate.GetDSAPrivateKey()!)
                {
                    return dsa.CreateSignature(hash, DSASignatureFormat.Rfc3279DerSequence);
                }

            default:
                using (var ecc = _certificate.GetECDsaPrivateKey()!)
                {
                    return ecc.SignHash(hash, DSASignatureFormat.Rfc3279DerSequence);
                }
        }
    }

    private byte[] SignPss(RSA rsa, byte[] hash)
    {
        var numbers = rsa.ExportParameters(includePrivateParameters: true);
        try
        {
            return RsaPrimitives.Sign(PssEncoding.Encode(hash, _public.ModulusBits, _method), numbers);
        }
        finally
        {
            byte[]?[] secrets = [numbers.D, numbers.P, numbers.Q, numbers.DP, numbers.DQ, numbers.InverseQ];
            Array.ForEach(secrets, secret => CryptographicOperations.ZeroMemory(secret));
        }
    }
}
