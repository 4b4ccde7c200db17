using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ImageUtils.Encryption;

/// <summary>Merges key material that was split so that all of it is needed to have the key.</summary>
/// <remarks>
/// LUKS1 On-Disk Format Specification 1.2.3, section 2.4, "Anti-forensic splitting" (LUKS2 calls it <c>luks1</c> too).
/// Every stripe but the last is added to the state and diffused; the last one is added and gives the key. The material
/// may come in pieces of any length, so that it need not be held as a whole.
/// </remarks>
internal sealed class AntiForensicMerger(int keyLength, int stripes, HashAlgorithmName hash) : IDisposable
{
    private const int MaximumHashLength = 64;

    private readonly byte[] _state = new byte[keyLength];
    private readonly int _hashLength = CryptographicOperations.HashData(hash, []).Length;
    private int _at;
    private int _stripe;

    /// <summary>The key, once all stripes were added.</summary>
    internal ReadOnlySpan<byte> Key =>
        _stripe == stripes ? _state : throw new InvalidOperationException("Stripes are missing.");

    public void Dispose() => CryptographicOperations.ZeroMemory(_state);

    /// <summary>Adds the next bytes; what comes behind the last stripe is left aside.</summary>
    internal void Add(ReadOnlySpan<byte> material)
    {
        foreach (var value in material)
        {
            if (_stripe == stripes)
            {
                return;
            }

            _state[_at++] ^= value;
            if (_at < keyLength)
            {
                continue;
            }

            _at = 0;
            if (++_stripe < stripes)
            {
                Diffuse();
            }
        }
    }

    // Each piece as long as a hash is replaced by the hash of its number and itself.
    private void Diffuse()
    {
        Span<byte> input = stackalloc byte[4 + MaximumHashLength];
        Span<byte> output = stackalloc byte[MaximumHashLength];
        for (var (at, number) = (0, 0); at < keyLength; at += _hashLength, number++)
        {
            var piece = _state.AsSpan(at, Math.Min(_hashLength, keyLength - at));
            BinaryPrimitives.WriteInt32BigEndian(input, number);
            piece.CopyTo(input[4..]);
            CryptographicOperations.HashData(hash, input[..(4 + piece.Length)], output);
            output[..piece.Length].CopyTo(piece);
        }

        CryptographicOperations.ZeroMemory(input);
        CryptographicOperations.ZeroMemory(output);
    }
}
