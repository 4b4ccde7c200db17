using System.Security.Cryptography;
using ImageUtils.Errors;
using ImageUtils.Signatures;

namespace ImageUtils.Glance;

/// <summary>Sees, while an image's data passes, that it is what Glance and its signer say: by length, hash and signature.</summary>
internal sealed class ContentCheck : IDisposable
{
    // Those that Glance's option hashing_algorithm can name and .NET has on every platform.
    private static readonly Dictionary<string, HashAlgorithmName> s_algorithms = new(StringComparer.OrdinalIgnoreCase)
    {
        ["md5"] = HashAlgorithmName.MD5,
        ["sha1"] = HashAlgorithmName.SHA1,
        ["sha256"] = HashAlgorithmName.SHA256,
        ["sha384"] = HashAlgorithmName.SHA384,
        ["sha512"] = HashAlgorithmName.SHA512,
    };

    private readonly GlanceImage _image;
    private readonly ImageSignatureVerifier? _signature;
    private readonly IncrementalHash? _hash;
    private readonly string? _expected;

    private ContentCheck(GlanceImage image, ImageSignatureVerifier? signature)
    {
        _image = image;
        _signature = signature;
        (HashAlgorithm, _expected) = image is { OsHashAlgo: { } name, OsHashValue: { } value } && s_algorithms.ContainsKey(name)
            ? (name.ToLowerInvariant(), value)
            : image.Checksum is { } checksum ? ("md5", checksum) : (null, null);
        _hash = HashAlgorithm is null ? null : IncrementalHash.CreateHash(s_algorithms[HashAlgorithm]);
    }

    /// <summary>The algorithm of an os_hash_algo; null where it is not known here.</summary>
    internal static HashAlgorithmName? FindAlgorithm(string? name) =>
        name is not null && s_algorithms.TryGetValue(name, out var algorithm) ? algorithm : null;

    /// <summary>The hash that is compared: os_hash_algo's, or else the checksum's; null where Glance has neither.</summary>
    internal string? HashAlgorithm { get; }

    /// <summary>The data's hash in hexadecimal digits, once it has been verified.</summary>
    internal string? HashValue { get; private set; }

    /// <summary>Whether the image is signed.</summary>
    internal bool IsSigned => _signature is not null;

    /// <summary>How many bytes have passed.</summary>
    internal long Length { get; private set; }

    /// <summary>Makes the check of an image; its certificate is looked at already here.</summary>
    /// <inheritdoc cref="ImageSignatureVerifier.CreateAsync(IReadOnlyDictionary{string, string}, CertificateTrust, bool, CancellationToken)" path="/exception"/>
    internal static async Task<ContentCheck> CreateAsync(
        GlanceImage image, CertificateTrust trust, bool requiresSignature, CancellationToken cancellationToken) =>
        new(
            image,
            await ImageSignatureVerifier.CreateAsync(image.Properties, trust, requiresSignature, cancellationToken)
                .ConfigureAwait(false));

    /// <summary>Takes the next bytes.</summary>
    internal void Append(ReadOnlySpan<byte> data)
    {
        Length += data.Length;
        _hash?.AppendData(data);
        _signature?.Append(data);
    }

    /// <summary>Ends the data.</summary>
    /// <exception cref="TruncatedImageException">There were fewer bytes than Glance says.</exception>
    /// <exception cref="ImageHashMismatchException">They have another hash.</exception>
    /// <exception cref="ImageSignatureMismatchException">They are not what was signed.</exception>
    internal void Verify()
    {
        if (_image.Size is { } size && size != Length)
        {
            throw new TruncatedImageException(
                $"The image {_image.Id} should have {size} bytes, but {Length} came. Get it again.");
        }

        if (_hash is not null)
        {
            HashValue = Convert.ToHexStringLower(_hash.GetHashAndReset());
            if (!string.Equals(HashValue, _expected, StringComparison.OrdinalIgnoreCase))
            {
                throw new ImageHashMismatchException(_image.Id, HashAlgorithm!, _expected!, HashValue);
            }
        }

        _signature?.Verify();
    }

    public void Dispose()
    {
        _hash?.Dispose();
        _signature?.Dispose();
    }
}
