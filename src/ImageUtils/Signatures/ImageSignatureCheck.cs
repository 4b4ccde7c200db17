namespace ImageUtils.Signatures;

/// <summary>Whether a file is what was signed.</summary>
public sealed record ImageSignatureCheck
{
    /// <summary>The file.</summary>
    public required string Path { get; init; }

    /// <summary>Whether the signature is the file's, and the certificate can be used and trusted.</summary>
    public bool IsValid => Problem is null;

    /// <summary>What is wrong, as an error's id such as <c>ImageSignatureMismatch</c>; null where nothing is.</summary>
    public string? Problem { get; init; }

    /// <summary>What is wrong, in words.</summary>
    public string? Reason { get; init; }

    /// <summary>What was verified.</summary>
    public required ImageSignature Signature { get; init; }

    /// <summary>The certificate that it was verified with; null where that was not to be used.</summary>
    public SigningCertificate? Certificate { get; init; }

    /// <summary>Whether the certificate's issuers were looked at.</summary>
    public bool IsChainChecked { get; init; }
}
