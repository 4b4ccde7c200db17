using System.Security.Cryptography;

namespace ImageUtils.Signatures;

/// <summary>The hash of an image that comes in pieces, by any method that signatures use.</summary>
internal sealed class SignatureHash : IDisposable
{
    private readonly IncrementalHash? _hash;
    private readonly Sha224? _sha224;
    private byte[]? _result;

    internal SignatureHash(SignatureHashMethod method)
    {
        if (method == SignatureHashMethod.Sha224)
        {
            _sha224 = new Sha224();
        }
        else
        {
            _hash = IncrementalHash.CreateHash(NameOf(method));
        }
    }

    public void Dispose() => _hash?.Dispose();

    internal static byte[] HashData(SignatureHashMethod method, ReadOnlySpan<byte> data) =>
        method == SignatureHashMethod.Sha224
            ? Sha224.HashData(data)
            : CryptographicOperations.HashData(NameOf(method), data);

    internal void Append(ReadOnlySpan<byte> data)
    {
        if (_result is not null)
        {
            throw new InvalidOperationException("The image has ended; nothing can be added to its hash.");
        }

        _sha224?.Append(data);
        _hash?.AppendData(data);
    }

    /// <summary>Ends the data; the same hash is returned however often it is asked for.</summary>
    internal byte[] Finish() => _result ??= _sha224?.Finish() ?? _hash!.GetHashAndReset();

    private static HashAlgorithmName NameOf(SignatureHashMethod method) => method switch
    {
        SignatureHashMethod.Sha256 => HashAlgorithmName.SHA256,
        SignatureHashMethod.Sha384 => HashAlgorithmName.SHA384,
        SignatureHashMethod.Sha512 => HashAlgorithmName.SHA512,
        _ => throw new ArgumentOutOfRangeException(nameof(method), method, null),
    };
}
