using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;

namespace ImageUtils.Signatures;

/// <summary>The public key of a certificate, of a type that images are signed with.</summary>
internal sealed class PublicSigningKey : IDisposable
{
    private const string RsaOid = "1.2.840.113549.1.1.1";
    private const string DsaOid = "1.2.840.10040.4.1";
    private const string EllipticCurveOid = "1.2.840.10045.2.1";

    private readonly AsymmetricAlgorithm _key;
    private readonly RSAParameters _rsa;

    private PublicSigningKey(SignatureKeyType type, AsymmetricAlgorithm key)
    {
        (Type, _key) = (type, key);
        if (key is RSA rsa)
        {
            _rsa = rsa.ExportParameters(includePrivateParameters: false);
        }
    }

    internal SignatureKeyType Type { get; }

    /// <summary>The length of an RSA key in bits.</summary>
    internal int ModulusBits => RsaPrimitives.BitsOf(_rsa.Modulus);

    /// <summary>Which type a certificate's key has.</summary>
    /// <exception cref="SigningCertificateException">None that images are signed with.</exception>
    internal static SignatureKeyType TypeOf(X509Certificate2 certificate)
    {
        var oid = certificate.PublicKey.Oid.Value;
        var curve = oid == EllipticCurveOid ? CurveOf(certificate) : null;
        return oid switch
        {
            RsaOid => SignatureKeyType.RsaPss,
            DsaOid => SignatureKeyType.Dsa,
            _ => SignatureNames.OfCurve(curve) ?? throw new SigningCertificateException(
                SigningCertificateProblem.WrongKeyType, certificate.Subject,
                $"has a key that images cannot be signed with ({(curve is null ? oid : $"curve {curve}")}). Use a key "
                + $"of one of these types: {string.Join(", ", SignatureNames.KeyTypes)}."),
        };
    }

    /// <summary>Takes the key of a certificate, which must be of the type that the signature names.</summary>
    /// <exception cref="SigningCertificateException">It is of another type, or not to be calculated with.</exception>
    /// <exception cref="SignatureNotSupportedException">The platform does not have this curve.</exception>
    internal static PublicSigningKey Of(X509Certificate2 certificate, SignatureKeyType type)
    {
        var actual = TypeOf(certificate);
        if (actual != type)
        {
            throw new SigningCertificateException(
                SigningCertificateProblem.WrongKeyType, certificate.Subject,
                $"has a key of the type {SignatureNames.ToName(actual)}, but the signature is of the type "
                + $"{SignatureNames.ToName(type)}. Use the certificate that the image was signed with.");
        }

        AsymmetricAlgorithm? key;
        try
        {
            key = type switch
            {
                SignatureKeyType.RsaPss => certificate.GetRSAPublicKey(),
                SignatureKeyType.Dsa => certificate.GetDSAPublicKey(),
                _ => certificate.GetECDsaPublicKey(),
            };
        }
        catch (Exception exception) when (exception is CryptographicException or PlatformNotSupportedException)
        {
            throw new SignatureNotSupportedException(type, exception);
        }

        var result = new PublicSigningKey(type, key ?? throw NotUsable(certificate));
        if (type == SignatureKeyType.RsaPss && (result.ModulusBits > RsaPrimitives.MaximumModulusBits
            || RsaPrimitives.BitsOf(result._rsa.Exponent) > RsaPrimitives.MaximumExponentBits))
        {
            result.Dispose();
            throw NotUsable(certificate);
        }

        return result;
    }

    public void Dispose() => _key.Dispose();

    /// <summary>Checks a signature of a hash.</summary>
    /// <returns>Null where it is valid; otherwise why it is not.</returns>
    internal string? WhyInvalid(ReadOnlySpan<byte> imageHash, ReadOnlySpan<byte> signature, SignatureHashMethod method)
    {
        const DSASignatureFormat Format = DSASignatureFormat.Rfc3279DerSequence;
        const string Other = "The image is not the one that was signed, or it was signed with another key.";
        try
        {
            return _key switch
            {
                RSA => WhyInvalidPss(imageHash, signature, method),
                DSA dsa => dsa.VerifySignature(imageHash, signature, Format) ? null : Other,
                ECDsa ecc => ecc.VerifyHash(imageHash, signature, Format) ? null : Other,
                _ => throw new InvalidOperationException("There is no such key."),
            };
        }
        catch (CryptographicException)
        {
            return "The signature is not one that such a key can make.";
        }

        string? WhyInvalidPss(ReadOnlySpan<byte> hash, ReadOnlySpan<byte> bytes, SignatureHashMethod hashMethod)
        {
            var bits = ModulusBits;
            if (bytes.Length != _rsa.Modulus!.Length)
            {
                return $"It is {bytes.Length} bytes long, where the certificate's RSA key makes {_rsa.Modulus.Length}.";
            }

            var encoded = RsaPrimitives.Recover(bytes, _rsa, PssEncoding.EncodedLength(bits));
            return encoded is null ? Other : PssEncoding.Check(encoded, hash, bits, hashMethod) switch
            {
                PssVerdict.Valid => null,
                PssVerdict.OtherSalt => "The image is the one that was signed, but with a salt that is shorter than "
                    + $"the longest salt ({PssEncoding.MaximumSaltLength(bits, hash.Length)} bytes), which OpenStack "
                    + "refuses. Sign it again with New-ImageSignature.",
                _ => Other,
            };
        }
    }

    private static SigningCertificateException NotUsable(X509Certificate2 certificate) => new(
        SigningCertificateProblem.Malformed, certificate.Subject,
        $"has a key that cannot be calculated with. RSA keys have at most {RsaPrimitives.MaximumModulusBits} bits, and "
        + $"a public exponent of at most {RsaPrimitives.MaximumExponentBits}.");

    // SEC 1, section C.2: the parameters name the curve. Those that spell it out are refused, as OpenStack does it.
    private static string? CurveOf(X509Certificate2 certificate)
    {
        try
        {
            return new AsnReader(certificate.PublicKey.EncodedParameters?.RawData ?? [], AsnEncodingRules.DER)
                .ReadObjectIdentifier();
        }
        catch (AsnContentException)
        {
            return "spelled out";
        }
    }
}
