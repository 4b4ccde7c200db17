namespace ImageUtils.Encryption;

/// <summary>
/// Decrypts a disk's sectors, each by itself. Sectors are counted in 512 bytes from the start of the encrypted area,
/// however long the unit of encryption is, as dm-crypt and qemu do.
/// </summary>
/// <remarks>Safe for use from several threads at once. Disposing of it erases the key.</remarks>
internal abstract class SectorCipher : IDisposable
{
    /// <summary>The length in which sectors are counted, in bytes.</summary>
    internal const int CountedLength = 512;

    private protected SectorCipher(int sectorSize) => SectorSize = sectorSize;

    /// <summary>The unit of encryption in bytes, a multiple of <see cref="CountedLength"/>.</summary>
    internal int SectorSize { get; }

    /// <summary>Makes the cipher that dm-crypt calls <paramref name="name"/>.</summary>
    /// <param name="name">Such as <c>aes-xts-plain64</c>.</param>
    /// <param name="key">As long as the cipher demands.</param>
    /// <param name="sectorSize">The unit of encryption in bytes.</param>
    /// <returns>The cipher; null where it is unknown or the key has another length than it demands.</returns>
    internal static SectorCipher? TryCreate(SectorCipherName name, ReadOnlySpan<byte> key, int sectorSize)
    {
        if (name.Cipher != "aes" || SectorIv.TryCreate(name, key) is not { } iv)
        {
            return null;
        }

        switch (name.Mode)
        {
            case "xts" when key.Length is 32 or 48 or 64:
                return new XtsSectorCipher(key, iv, sectorSize);
            case "cbc" when key.Length is 16 or 24 or 32:
                return new CbcSectorCipher(key, iv, sectorSize);
            default:
                iv.Dispose();
                return null;
        }
    }

    /// <summary>Decrypts whole units of <see cref="SectorSize"/> bytes in place.</summary>
    /// <param name="data">The units.</param>
    /// <param name="firstSector">The number of the first unit, counted in 512 bytes.</param>
    internal abstract void Decrypt(Span<byte> data, ulong firstSector);

    /// <inheritdoc/>
    public abstract void Dispose();
}

/// <summary>A cipher as dm-crypt names it: <c>cipher-mode-iv[:hash]</c>.</summary>
/// <param name="Cipher">Such as <c>aes</c>.</param>
/// <param name="Mode">Such as <c>xts</c> or <c>cbc</c>.</param>
/// <param name="Iv">Such as <c>plain64</c> or <c>essiv</c>; empty where there is none.</param>
/// <param name="IvHash">The hash of <c>essiv</c>; null otherwise.</param>
internal readonly record struct SectorCipherName(string Cipher, string Mode, string Iv, string? IvHash)
{
    /// <summary>Takes a name apart.</summary>
    internal static SectorCipherName Parse(string name)
    {
        var dash = name.IndexOf('-', StringComparison.Ordinal);
        return dash < 0 ? new(name, "", "", null) : Parse(name[..dash], name[(dash + 1)..]);
    }

    /// <summary>Takes a mode apart, such as <c>cbc-essiv:sha256</c>.</summary>
    internal static SectorCipherName Parse(string cipher, string mode)
    {
        var dash = mode.IndexOf('-', StringComparison.Ordinal);
        if (dash < 0)
        {
            return new(cipher, mode, "", null);
        }

        var iv = mode[(dash + 1)..];
        var colon = iv.IndexOf(':', StringComparison.Ordinal);
        return colon < 0
            ? new(cipher, mode[..dash], iv, null)
            : new(cipher, mode[..dash], iv[..colon], iv[(colon + 1)..]);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        Cipher + (Mode.Length > 0 ? $"-{Mode}" : "") + (Iv.Length > 0 ? $"-{Iv}" : "")
            + (IvHash is null ? "" : $":{IvHash}");
}
