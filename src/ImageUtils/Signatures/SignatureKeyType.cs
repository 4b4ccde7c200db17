namespace ImageUtils.Signatures;

/// <summary>The kind of key that an image is signed with: Glance's <c>img_signature_key_type</c>.</summary>
/// <remarks>These are the key types that cursive registers. Curves of less than 384 bits are not among them.</remarks>
public enum SignatureKeyType
{
    /// <summary>RSA with PSS padding, MGF1 over the same hash, and the longest salt that fits the key.</summary>
    RsaPss,

    /// <summary>DSA.</summary>
    Dsa,

    /// <summary>ECDSA on NIST's P-384.</summary>
    EccSecp384R1,

    /// <summary>ECDSA on NIST's P-521.</summary>
    EccSecp521R1,

    /// <summary>ECDSA on NIST's K-409.</summary>
    EccSect409K1,

    /// <summary>ECDSA on NIST's B-409.</summary>
    EccSect409R1,

    /// <summary>ECDSA on NIST's K-571.</summary>
    EccSect571K1,

    /// <summary>ECDSA on NIST's B-571.</summary>
    EccSect571R1,
}
