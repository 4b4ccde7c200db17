using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace ImageUtils.Encryption;

/// <summary>AES-XTS, built from AES-ECB.</summary>
/// <remarks>
/// IEEE 1619-2007, section 5. The key's first half encrypts the data, the second half the tweak. The tweak of a
/// sector's block j is the encrypted sector number times x^j in GF(2^128); it is added to the block before and after
/// AES.
/// </remarks>
internal sealed class XtsSectorCipher : SectorCipher
{
    private const int BlockLength = 16;

    // So many bytes go to AES at once: enough to hide the cost of a call, little enough to live on the stack.
    private const int BatchLength = 4096;

    // x^128 = x^7 + x^2 + x + 1
    private const byte Feedback = 0x87;

    private readonly Aes _dataAes = Aes.Create();
    private readonly Aes _tweakAes = Aes.Create();
    private readonly SectorIv _iv;

    internal XtsSectorCipher(ReadOnlySpan<byte> key, SectorIv iv, int sectorSize)
        : base(sectorSize)
    {
        _dataAes.SetKey(key[..(key.Length / 2)]);
        _tweakAes.SetKey(key[(key.Length / 2)..]);
        _iv = iv;
    }

    public override void Dispose()
    {
        _dataAes.Dispose();
        _tweakAes.Dispose();
        _iv.Dispose();
    }

    internal override void Decrypt(Span<byte> data, ulong firstSector)
    {
        Span<byte> tweaks = stackalloc byte[BatchLength];
        Span<byte> first = stackalloc byte[BatchLength / CountedLength * BlockLength];
        while (data.Length > 0)
        {
            var length = Math.Min(data.Length, BatchLength);
            var units = length / SectorSize;
            for (var unit = 0; unit < units; unit++)
            {
                _iv.Write(
                    firstSector + (ulong)(unit * SectorSize / CountedLength),
                    first.Slice(unit * BlockLength, BlockLength));
            }

            var firstTweaks = first[..(units * BlockLength)];
            _tweakAes.EncryptEcb(firstTweaks, firstTweaks, PaddingMode.None);
            for (var unit = 0; unit < units; unit++)
            {
                Spread(firstTweaks.Slice(unit * BlockLength, BlockLength), tweaks.Slice(unit * SectorSize, SectorSize));
            }

            var batch = data[..length];
            Add(batch, tweaks[..length]);
            _dataAes.DecryptEcb(batch, batch, PaddingMode.None);
            Add(batch, tweaks[..length]);
            data = data[length..];
            firstSector += (ulong)(length / CountedLength);
        }
    }

    private static void Spread(ReadOnlySpan<byte> first, Span<byte> tweaks)
    {
        var low = BinaryPrimitives.ReadUInt64LittleEndian(first);
        var high = BinaryPrimitives.ReadUInt64LittleEndian(first[8..]);
        for (var at = 0; at < tweaks.Length; at += BlockLength)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(tweaks[at..], low);
            BinaryPrimitives.WriteUInt64LittleEndian(tweaks[(at + 8)..], high);
            var carry = high >> 63;
            high = high << 1 | low >> 63;
            low = low << 1 ^ carry * Feedback;
        }
    }

    private static void Add(Span<byte> data, ReadOnlySpan<byte> tweaks)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(data);
        var tweakWords = MemoryMarshal.Cast<byte, ulong>(tweaks);
        for (var index = 0; index < words.Length; index++)
        {
            words[index] ^= tweakWords[index];
        }
    }
}
