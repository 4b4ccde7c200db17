namespace ImageUtils.Signatures;

/// <summary>The hash of an image that is signed: Glance's <c>img_signature_hash_method</c>.</summary>
public enum SignatureHashMethod
{
    /// <summary>SHA-224 (FIPS 180-4).</summary>
    Sha224,

    /// <summary>SHA-256.</summary>
    Sha256,

    /// <summary>SHA-384.</summary>
    Sha384,

    /// <summary>SHA-512.</summary>
    Sha512,
}
