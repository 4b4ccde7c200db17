using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Luks;

/// <summary>The header of a LUKS volume, version 1. An encrypted qcow2 image has one too.</summary>
/// <remarks>
/// LUKS1 On-Disk Format Specification 1.2.3, section 3.1, "Partition header". Big-endian; texts end with NUL.
/// <code>
///   0  6  magic "LUKS\xba\xbe"            112 20  mk-digest
///   6  2  version (1)                     132 32  mk-digest-salt
///   8 32  cipher-name                     164  4  mk-digest-iter
///  40 32  cipher-mode                     168 40  uuid
///  72 32  hash-spec                       208 48  key slot 1 of 8
/// 104  4  payload-offset (sectors of 512)
/// 108  4  key-bytes
/// </code>
/// </remarks>
public sealed record LuksHeader
{
    /// <summary>The header's length in bytes.</summary>
    public const int Length = 592;

    internal const int SectorLength = 512;
    private const int SlotsOffset = 208;
    private const int SlotCount = 8;

    /// <summary>What a volume begins with, in both versions.</summary>
    public static ReadOnlySpan<byte> Magic => [(byte)'L', (byte)'U', (byte)'K', (byte)'S', 0xBA, 0xBE];

    /// <summary>The format's version: 1, or the header is of another kind.</summary>
    public int Version { get; init; }

    /// <summary>Such as <c>aes</c>.</summary>
    public required string CipherName { get; init; }

    /// <summary>Such as <c>xts-plain64</c>.</summary>
    public required string CipherMode { get; init; }

    /// <summary>The hash of PBKDF2 and of the splitting of keys, such as <c>sha256</c>.</summary>
    public required string HashSpec { get; init; }

    /// <summary>Where the encrypted data begins, in sectors of 512 bytes from the header.</summary>
    public uint PayloadOffsetSectors { get; init; }

    /// <summary>The master key's length in bytes.</summary>
    public uint KeyBytes { get; init; }

    /// <summary>The PBKDF2 of the master key.</summary>
    public ReadOnlyMemory<byte> MasterKeyDigest { get; init; }

    /// <summary>Its salt.</summary>
    public ReadOnlyMemory<byte> MasterKeyDigestSalt { get; init; }

    /// <summary>Its iterations.</summary>
    public uint MasterKeyDigestIterations { get; init; }

    /// <summary>The volume's UUID, as text.</summary>
    public required string Uuid { get; init; }

    /// <summary>The eight key slots.</summary>
    public IReadOnlyList<LuksKeySlot> KeySlots { get; init; } = [];

    /// <summary>Where the encrypted data begins, in bytes from the header.</summary>
    public long PayloadOffset => (long)PayloadOffsetSectors * SectorLength;

    /// <summary>Reads a header of <see cref="Length"/> bytes.</summary>
    public static LuksHeader Parse(ReadOnlySpan<byte> bytes)
    {
        var slots = new LuksKeySlot[SlotCount];
        for (var index = 0; index < SlotCount; index++)
        {
            slots[index] = LuksKeySlot.Parse(bytes.Slice(SlotsOffset + index * LuksKeySlot.Length, LuksKeySlot.Length));
        }

        return new LuksHeader
        {
            Version = BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]),
            CipherName = Text(bytes.Slice(8, 32)),
            CipherMode = Text(bytes.Slice(40, 32)),
            HashSpec = Text(bytes.Slice(72, 32)),
            PayloadOffsetSectors = BinaryPrimitives.ReadUInt32BigEndian(bytes[104..]),
            KeyBytes = BinaryPrimitives.ReadUInt32BigEndian(bytes[108..]),
            MasterKeyDigest = bytes.Slice(112, 20).ToArray(),
            MasterKeyDigestSalt = bytes.Slice(132, 32).ToArray(),
            MasterKeyDigestIterations = BinaryPrimitives.ReadUInt32BigEndian(bytes[164..]),
            Uuid = Text(bytes.Slice(168, 40)),
            KeySlots = slots,
        };
    }

    internal static string Text(ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)0);
        return Encoding.Latin1.GetString(end < 0 ? bytes : bytes[..end]);
    }
}

/// <summary>A key slot of version 1: the master key, split and encrypted with a passphrase.</summary>
/// <remarks>
/// LUKS1 On-Disk Format Specification 1.2.3, section 3.2, "Key slot description". Big-endian.
/// <code>
///  0  4  active (0x00AC71F3; 0x0000DEAD: not)   40  4  key-material-offset (sectors of 512)
///  4  4  iterations                             44  4  stripes
///  8 32  salt
/// </code>
/// </remarks>
public sealed record LuksKeySlot
{
    internal const int Length = 48;
    private const uint Enabled = 0x00AC71F3;
    private const uint Disabled = 0x0000DEAD;

    /// <summary>The field that says whether the slot is in use.</summary>
    public uint Active { get; init; }

    /// <summary>PBKDF2 iterations for the passphrase.</summary>
    public uint Iterations { get; init; }

    /// <summary>PBKDF2 salt for the passphrase.</summary>
    public ReadOnlyMemory<byte> Salt { get; init; }

    /// <summary>Where the key material lies, in sectors of 512 bytes from the header.</summary>
    public uint KeyOffsetSectors { get; init; }

    /// <summary>Into how many pieces the key is split.</summary>
    public uint Stripes { get; init; }

    /// <summary>Whether the slot is in use.</summary>
    public bool IsActive => Active == Enabled;

    /// <summary>Where the key material lies, in bytes from the header.</summary>
    public long KeyOffset => (long)KeyOffsetSectors * LuksHeader.SectorLength;

    internal bool IsKnown => Active is Enabled or Disabled;

    internal static LuksKeySlot Parse(ReadOnlySpan<byte> bytes) => new()
    {
        Active = BinaryPrimitives.ReadUInt32BigEndian(bytes),
        Iterations = BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]),
        Salt = bytes.Slice(8, 32).ToArray(),
        KeyOffsetSectors = BinaryPrimitives.ReadUInt32BigEndian(bytes[40..]),
        Stripes = BinaryPrimitives.ReadUInt32BigEndian(bytes[44..]),
    };
}
