using ImageUtils.Encryption;

namespace ImageUtils.Formats.Luks;

/// <summary>What both versions come down to once their headers are found sound: how to open the volume.</summary>
/// <param name="Slots">The key slots in use, in the order of their key material.</param>
/// <param name="Segment">The encrypted data.</param>
internal sealed record LuksVolume(IReadOnlyList<LuksSlot> Slots, LuksSegment Segment)
{
    /// <summary>The volume that a sound header of version 1 describes.</summary>
    internal static LuksVolume Of(LuksHeader header)
    {
        var cipher = SectorCipherName.Parse(header.CipherName, header.CipherMode);
        var digest = new LuksDigest(
            header.HashSpec, header.MasterKeyDigestIterations, header.MasterKeyDigestSalt, header.MasterKeyDigest);
        return new LuksVolume(
            [
                .. header.KeySlots.Index().Where(item => item.Item.IsActive).OrderBy(item => item.Item.KeyOffset)
                    .Select(item => new LuksSlot
                    {
                        Name = item.Index.ToString(),
                        Offset = item.Item.KeyOffset,
                        Stripes = (int)item.Item.Stripes,
                        SplitHash = header.HashSpec,
                        KeyLength = (int)header.KeyBytes,
                        AreaCipher = cipher,
                        AreaKeyLength = (int)header.KeyBytes,
                        Kdf = new LuksKdf("pbkdf2", header.HashSpec, item.Item.Iterations, 0, 0, item.Item.Salt),
                        Digest = digest,
                    }),
            ],
            new LuksSegment(header.PayloadOffset, null, cipher, LuksHeader.SectorLength, 0));
    }
}

/// <summary>Encrypted data.</summary>
/// <param name="Offset">In bytes.</param>
/// <param name="Size">In bytes; null: to the end of the file.</param>
/// <param name="Cipher">How.</param>
/// <param name="SectorSize">The unit of encryption in bytes.</param>
/// <param name="FirstSector">The number of the first sector, in units of 512 bytes.</param>
internal sealed record LuksSegment(long Offset, long? Size, SectorCipherName Cipher, int SectorSize, ulong FirstSector);

/// <summary>A key slot in use.</summary>
internal sealed record LuksSlot
{
    /// <summary>Its number, as text.</summary>
    public required string Name { get; init; }

    /// <summary>Where its key material begins, in bytes.</summary>
    public required long Offset { get; init; }

    public required int Stripes { get; init; }

    /// <summary>The hash that the splitting used.</summary>
    public required string SplitHash { get; init; }

    /// <summary>The length of the volume's key, in bytes.</summary>
    public required int KeyLength { get; init; }

    /// <summary>How the key material is encrypted.</summary>
    public required SectorCipherName AreaCipher { get; init; }

    /// <summary>The length of the key that encrypts it, in bytes.</summary>
    public required int AreaKeyLength { get; init; }

    /// <summary>How that key comes from the passphrase.</summary>
    public required LuksKdf Kdf { get; init; }

    /// <summary>
    /// Tells whether the volume's key is the right one; null where no digest covers the slot and the data.
    /// </summary>
    public required LuksDigest? Digest { get; init; }

    /// <summary>The length of the key material in bytes, whole sectors.</summary>
    public int AreaLength =>
        (KeyLength * Stripes + SectorCipher.CountedLength - 1) / SectorCipher.CountedLength
            * SectorCipher.CountedLength;
}

/// <summary>How a key is derived from a passphrase.</summary>
/// <param name="Type"><c>pbkdf2</c>, <c>argon2i</c> or <c>argon2id</c>.</param>
/// <param name="Hash">PBKDF2's.</param>
/// <param name="Iterations">PBKDF2's iterations, Argon2's passes.</param>
/// <param name="MemoryKib">Argon2's memory in KiB.</param>
/// <param name="Lanes">Argon2's threads.</param>
/// <param name="Salt">For either.</param>
internal sealed record LuksKdf(
    string Type, string Hash, long Iterations, long MemoryKib, long Lanes, ReadOnlyMemory<byte> Salt)
{
    /// <summary>What the policy limits: iterations, or memory in KiB times passes.</summary>
    internal UInt128 Cost => (ulong)Iterations * (UInt128)Math.Max(1, (ulong)MemoryKib);
}

/// <summary>A PBKDF2 of the volume's key.</summary>
internal sealed record LuksDigest(string Hash, long Iterations, ReadOnlyMemory<byte> Salt, ReadOnlyMemory<byte> Digest);
