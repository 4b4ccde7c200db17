using System.Buffers.Binary;
using System.Security.Cryptography;

namespace ImageUtils.Encryption;

/// <summary>Makes each sector's initialisation vector, as dm-crypt's generators of the same names do.</summary>
/// <remarks>
/// Linux, Documentation/admin-guide/device-mapper/dm-crypt.rst, "Parameters". <c>plain</c>: the sector's number in 32
/// bits, little-endian; <c>plain64</c>: in 64; <c>essiv</c>: that of plain64, encrypted with a hash of the key.
/// </remarks>
internal sealed class SectorIv : IDisposable
{
    internal const int Length = 16;

    private readonly ulong _mask;
    private readonly Aes? _essiv;

    private SectorIv(ulong mask, Aes? essiv)
    {
        _mask = mask;
        _essiv = essiv;
    }

    public void Dispose() => _essiv?.Dispose();

    /// <summary>Makes the generator; null where it is unknown.</summary>
    internal static SectorIv? TryCreate(SectorCipherName name, ReadOnlySpan<byte> key) => name.Iv switch
    {
        "plain" => new SectorIv(uint.MaxValue, null),
        "plain64" => new SectorIv(ulong.MaxValue, null),
        "essiv" when HashName.TryParse(name.IvHash) is { } hash => TryCreateEssiv(hash, key),
        _ => null,
    };

    internal void Write(ulong sector, Span<byte> iv)
    {
        iv.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(iv, sector & _mask);
        _essiv?.EncryptEcb(iv, iv, PaddingMode.None);
    }

    private static SectorIv? TryCreateEssiv(HashAlgorithmName hash, ReadOnlySpan<byte> key)
    {
        Span<byte> salt = stackalloc byte[64];
        salt = salt[..CryptographicOperations.HashData(hash, key, salt)];
        if (salt.Length is not (16 or 24 or 32))
        {
            return null;
        }

        var aes = Aes.Create();
        aes.SetKey(salt);
        CryptographicOperations.ZeroMemory(salt);
        return new SectorIv(ulong.MaxValue, aes);
    }
}
