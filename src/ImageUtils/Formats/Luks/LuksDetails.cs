using ImageUtils.Encryption;
using ImageUtils.Inspection;

namespace ImageUtils.Formats.Luks;

/// <summary>What only a LUKS volume has. Names of algorithms are split as qemu prints them.</summary>
public sealed record LuksDetails : FormatDetails
{
    /// <summary>1 or 2.</summary>
    public required int Version { get; init; }

    /// <summary>The cipher and its key's length in bits, such as <c>aes-256</c>.</summary>
    public required string CipherAlgorithm { get; init; }

    /// <summary>Such as <c>xts</c> or <c>cbc</c>.</summary>
    public required string CipherMode { get; init; }

    /// <summary>How sectors are numbered, such as <c>plain64</c> or <c>essiv</c>.</summary>
    public required string IvGenerator { get; init; }

    /// <summary>The hash of <c>essiv</c>; null otherwise.</summary>
    public string? IvHash { get; init; }

    /// <summary>The hash of version 1, of the master key's digest in version 2; such as <c>sha256</c>.</summary>
    public required string HashAlgorithm { get; init; }

    /// <summary>The volume's UUID.</summary>
    public required string Uuid { get; init; }

    /// <summary>The master key's length in bytes.</summary>
    public required long MasterKeyBytes { get; init; }

    /// <summary>The PBKDF2 iterations of the master key's digest.</summary>
    public required long MasterKeyIterations { get; init; }

    /// <summary>Where the encrypted data begins, in bytes.</summary>
    public required long PayloadOffset { get; init; }

    /// <summary>The unit of encryption in bytes.</summary>
    public int SectorSize { get; init; } = LuksHeader.SectorLength;

    /// <summary>The volume's label; version 2 only.</summary>
    public string? Label { get; init; }

    /// <summary>The key slots: all eight of version 1, those that exist of version 2.</summary>
    public IReadOnlyList<LuksSlotDetails> Slots { get; init; } = [];

    /// <summary>Describes a header of version 1, wherever it was found.</summary>
    public static LuksDetails Of(LuksHeader header)
    {
        ArgumentNullException.ThrowIfNull(header);
        var cipher = SectorCipherName.Parse(header.CipherName, header.CipherMode);
        return new LuksDetails
        {
            Version = header.Version,
            CipherAlgorithm = NameCipher(cipher, header.KeyBytes),
            CipherMode = cipher.Mode,
            IvGenerator = cipher.Iv,
            IvHash = cipher.IvHash,
            HashAlgorithm = header.HashSpec,
            Uuid = header.Uuid,
            MasterKeyBytes = header.KeyBytes,
            MasterKeyIterations = header.MasterKeyDigestIterations,
            PayloadOffset = header.PayloadOffset,
            Slots =
            [
                .. header.KeySlots.Index().Select(item => new LuksSlotDetails(
                    item.Index, item.Item.IsActive, item.Item.KeyOffset,
                    item.Item.IsActive ? item.Item.Stripes : null, "pbkdf2",
                    item.Item.IsActive ? item.Item.Iterations : null)),
            ],
        };
    }

    // XTS has two keys of half the length, of which one is the cipher's.
    internal static string NameCipher(SectorCipherName cipher, long keyBytes) =>
        $"{cipher.Cipher}-{keyBytes * 8 / (cipher.Mode == "xts" ? 2 : 1)}";
}

/// <summary>A key slot.</summary>
/// <param name="Index">Its number, from 0.</param>
/// <param name="IsActive">Whether it is in use.</param>
/// <param name="KeyOffset">Where its key material lies, in bytes.</param>
/// <param name="Stripes">Into how many pieces the key is split; null where the slot is not in use.</param>
/// <param name="Kdf"><c>pbkdf2</c>, <c>argon2i</c> or <c>argon2id</c>.</param>
/// <param name="Iterations">PBKDF2's iterations or Argon2's passes; null where the slot is not in use.</param>
public sealed record LuksSlotDetails(
    int Index, bool IsActive, long KeyOffset, long? Stripes, string Kdf, long? Iterations);
