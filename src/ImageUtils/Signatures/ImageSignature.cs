using System.Diagnostics.CodeAnalysis;
using ImageUtils.Errors;

namespace ImageUtils.Signatures;

/// <summary>A signature of an image as Glance keeps it, in four properties of the image.</summary>
public record ImageSignature
{
    /// <summary>The property that has the signature, in base64.</summary>
    public const string SignatureProperty = "img_signature";

    /// <summary>The property that names the hash.</summary>
    public const string HashMethodProperty = "img_signature_hash_method";

    /// <summary>The property that names the kind of key.</summary>
    public const string KeyTypeProperty = "img_signature_key_type";

    /// <summary>The property that has the id of the certificate in the key manager (Barbican).</summary>
    public const string CertificateIdProperty = "img_signature_certificate_uuid";

    // RSA of 16,384 bits makes signatures of 2,732 characters, the longest of all.
    private const int MaximumTextLength = 4096;

    /// <summary>Makes a signature of its parts.</summary>
    public ImageSignature()
    {
    }

    /// <summary>Makes a copy.</summary>
    [SetsRequiredMembers]
    protected ImageSignature(ImageSignature original)
    {
        ArgumentNullException.ThrowIfNull(original);
        (Signature, HashMethod, KeyType, CertificateId) =
            (original.Signature, original.HashMethod, original.KeyType, original.CertificateId);
    }

    /// <summary>The signature in base64. Those of DSA and ECC keys are DER, two numbers (RFC 3279).</summary>
    public required string Signature { get; init; }

    /// <summary>What the image is hashed with.</summary>
    public required SignatureHashMethod HashMethod { get; init; }

    /// <summary>What the hash is signed with.</summary>
    public required SignatureKeyType KeyType { get; init; }

    /// <summary>The id of the certificate in the key manager; null where it is not known yet.</summary>
    public string? CertificateId { get; init; }

    /// <summary>The properties for Glance, without the certificate's id where that is not known yet.</summary>
    public IReadOnlyDictionary<string, string> Property
    {
        get
        {
            var properties = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [SignatureProperty] = Signature,
                [HashMethodProperty] = SignatureNames.ToName(HashMethod),
                [KeyTypeProperty] = SignatureNames.ToName(KeyType),
            };
            if (CertificateId is not null)
            {
                properties[CertificateIdProperty] = CertificateId;
            }

            return properties;
        }
    }

    /// <summary>Reads the signature out of an image's properties, by the rules of cursive and Cinder.</summary>
    /// <param name="properties">The image's properties; a value of null counts as none.</param>
    /// <param name="isCertificateAtHand">
    /// Whether the certificate's id may be missing, because it need not be fetched. OpenStack wants it in any case.
    /// </param>
    /// <returns>The signature; null where the image has none of the four properties, and so is not signed.</returns>
    /// <exception cref="SignaturePropertyMissingException">It has some of them only.</exception>
    /// <exception cref="SignaturePropertyException">One of them has a value that it cannot have.</exception>
    public static ImageSignature? FromProperties(
        IReadOnlyDictionary<string, string?> properties, bool isCertificateAtHand = false)
    {
        ArgumentNullException.ThrowIfNull(properties);
        string[] names = [SignatureProperty, HashMethodProperty, KeyTypeProperty, CertificateIdProperty];
        var values = Array.ConvertAll(names, name => properties.GetValueOrDefault(name));
        if (Array.TrueForAll(values, value => value is null))
        {
            return null;
        }

        var needed = isCertificateAtHand ? 3 : 4;
        var missing = names.Take(needed).Where((_, index) => values[index] is null).ToArray();
        if (missing.Length > 0)
        {
            throw new SignaturePropertyMissingException(missing);
        }

        if (!SignatureNames.TryParse(values[1], out SignatureHashMethod hashMethod))
        {
            throw new SignaturePropertyException(
                HashMethodProperty, values[1]!, $"It can be {string.Join(", ", SignatureNames.HashMethods)}.");
        }

        if (!SignatureNames.TryParse(values[2], out SignatureKeyType keyType))
        {
            throw new SignaturePropertyException(
                KeyTypeProperty, values[2]!, $"It can be {string.Join(", ", SignatureNames.KeyTypes)}.");
        }

        if (values[3] is "")
        {
            throw new SignaturePropertyException(CertificateIdProperty, "", "It must be a certificate's id.");
        }

        var signature = new ImageSignature
        {
            Signature = values[0]!,
            HashMethod = hashMethod,
            KeyType = keyType,
            CertificateId = values[3],
        };
        signature.Decode();
        return signature;
    }

    /// <summary>The signature's bytes.</summary>
    /// <exception cref="SignaturePropertyException">It is no base64.</exception>
    internal byte[] Decode()
    {
        var buffer = new byte[MaximumTextLength];
        if (Signature.Length > MaximumTextLength
            || !Convert.TryFromBase64String(Signature, buffer, out var length) || length == 0)
        {
            throw new SignaturePropertyException(
                SignatureProperty, Signature, "It must be a signature in base64. Sign the image again.");
        }

        return buffer[..length];
    }
}

/// <summary>A signature of a file.</summary>
public sealed record ImageFileSignature : ImageSignature
{
    [SetsRequiredMembers]
    internal ImageFileSignature(ImageSignature signature, string path, long length, SigningCertificate certificate)
        : base(signature) => (Path, Length, Certificate) = (path, length, certificate);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The file's length in bytes.</summary>
    public long Length { get; }

    /// <summary>The certificate that the signature is verified with.</summary>
    public SigningCertificate Certificate { get; }
}
