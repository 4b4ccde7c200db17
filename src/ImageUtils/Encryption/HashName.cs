using System.Security.Cryptography;

namespace ImageUtils.Encryption;

/// <summary>The hashes of disk encryption, by the names that headers give them.</summary>
internal static class HashName
{
    /// <summary>The hash; null where it is none that the platform has.</summary>
    internal static HashAlgorithmName? TryParse(string? name) => name switch
    {
        "sha1" => HashAlgorithmName.SHA1,
        "sha256" => HashAlgorithmName.SHA256,
        "sha384" => HashAlgorithmName.SHA384,
        "sha512" => HashAlgorithmName.SHA512,
        _ => null,
    };
}
