using System.Security.Cryptography;

namespace ImageUtils.Encryption;

/// <summary>AES-CBC, begun anew in each sector.</summary>
internal sealed class CbcSectorCipher : SectorCipher
{
    private readonly Aes _aes = Aes.Create();
    private readonly SectorIv _iv;

    internal CbcSectorCipher(ReadOnlySpan<byte> key, SectorIv iv, int sectorSize)
        : base(sectorSize)
    {
        _aes.SetKey(key);
        _iv = iv;
    }

    public override void Dispose()
    {
        _aes.Dispose();
        _iv.Dispose();
    }

    internal override void Decrypt(Span<byte> data, ulong firstSector)
    {
        Span<byte> iv = stackalloc byte[SectorIv.Length];
        for (var at = 0; at < data.Length; at += SectorSize)
        {
            _iv.Write(firstSector + (ulong)(at / CountedLength), iv);
            var unit = data.Slice(at, SectorSize);
            _aes.DecryptCbc(unit, iv, unit, PaddingMode.None);
        }
    }
}
