using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Vhd;

/// <summary>What the footer's Disk Type says.</summary>
internal enum VhdDiskType : uint
{
    None = 0,
    Fixed = 2,
    Dynamic = 3,
    Differencing = 4,
}

/// <summary>The footer, which describes the disk. Dynamic and differencing disks have a copy of it at byte 0.</summary>
/// <remarks>
/// Microsoft, Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format". Integers are big-endian.
/// <code>
///   0  8  cookie "conectix"               48  8  current size
///   8  4  features                        56  4  disk geometry: 2 cylinder, 1 heads, 1 sectors per track
///  12  4  file format version (1.0)       60  4  disk type
///  16  8  data offset                     64  4  checksum
///  24  4  time stamp                      68 16  unique id
///  28  4  creator application             84  1  saved state
///  32  4  creator version                 85     reserved, to 512 (to 511 before Virtual PC 2004)
///  36  4  creator host OS
///  40  8  original size
/// </code>
/// </remarks>
internal sealed record VhdFooter
{
    internal const int Length = 512;

    /// <summary>The footer's length in files made before Virtual PC 2004.</summary>
    internal const int AncientLength = 511;

    internal const int ChecksumOffset = 64;

    internal const uint Version1 = 0x0001_0000;

    /// <summary>The Data Offset of a disk that has no further header.</summary>
    internal const ulong NoDataOffset = ulong.MaxValue;

    internal const int SectorSize = 512;

    // A geometry of this many sectors means "this or more": it is where the specification's algorithm ends.
    private const long GreatestGeometrySectors = 65535L * 16 * 255;

    // QEMU's block/vpc.c trusts these creators' current size; it takes the size of all others from the geometry, as
    // Virtual PC did. Azure's "wa" is trusted by later versions of QEMU than 7.2, which show such disks too small.
    private static readonly string[] s_creatorsOfExactSizes = ["win ", "qem2", "d2v ", "CTXS", "tap\0", "wa\0\0"];

    internal static ReadOnlySpan<byte> Cookie => "conectix"u8;

    /// <summary>The beginning of the footer's time stamps.</summary>
    internal static DateTimeOffset Epoch { get; } = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public uint Features { get; init; } = 2;

    public uint FileFormatVersion { get; init; } = Version1;

    public ulong DataOffset { get; init; } = NoDataOffset;

    public uint TimeStamp { get; init; }

    public uint CreatorApplication { get; init; }

    public uint CreatorVersion { get; init; }

    public uint CreatorHostOs { get; init; }

    public ulong OriginalSize { get; init; }

    public ulong CurrentSize { get; init; }

    public ushort Cylinders { get; init; }

    public byte Heads { get; init; }

    public byte SectorsPerTrack { get; init; }

    public VhdDiskType DiskType { get; init; }

    public Guid UniqueId { get; init; }

    public byte SavedState { get; init; }

    /// <summary>The bytes that the geometry makes up.</summary>
    internal long GeometrySize => (long)Cylinders * Heads * SectorsPerTrack * SectorSize;

    /// <summary>Whether the current size is the disk's size; otherwise the geometry is.</summary>
    internal bool IsSizeExact => GeometrySize == GreatestGeometrySectors * SectorSize || IsCreatorExact;

    /// <summary>Whether QEMU takes the current size of what this creator made, whatever the geometry.</summary>
    internal bool IsCreatorExact => Array.IndexOf(s_creatorsOfExactSizes, Text(CreatorApplication)) >= 0;

    /// <summary>The size that a guest sees under QEMU, in bytes.</summary>
    internal ulong GuestSize => IsSizeExact ? CurrentSize / SectorSize * SectorSize : (ulong)GeometrySize;

    /// <summary>Reads a footer of 512 or 511 bytes. The caller has seen its cookie.</summary>
    internal static VhdFooter Parse(ReadOnlySpan<byte> bytes) => new()
    {
        Features = BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]),
        FileFormatVersion = BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]),
        DataOffset = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
        TimeStamp = BinaryPrimitives.ReadUInt32BigEndian(bytes[24..]),
        CreatorApplication = BinaryPrimitives.ReadUInt32BigEndian(bytes[28..]),
        CreatorVersion = BinaryPrimitives.ReadUInt32BigEndian(bytes[32..]),
        CreatorHostOs = BinaryPrimitives.ReadUInt32BigEndian(bytes[36..]),
        OriginalSize = BinaryPrimitives.ReadUInt64BigEndian(bytes[40..]),
        CurrentSize = BinaryPrimitives.ReadUInt64BigEndian(bytes[48..]),
        Cylinders = BinaryPrimitives.ReadUInt16BigEndian(bytes[56..]),
        Heads = bytes[58],
        SectorsPerTrack = bytes[59],
        DiskType = (VhdDiskType)BinaryPrimitives.ReadUInt32BigEndian(bytes[60..]),
        UniqueId = new Guid(bytes.Slice(68, 16), bigEndian: true),
        SavedState = bytes[84],
    };

    /// <summary>Writes the footer with its checksum into 512 bytes.</summary>
    internal void Write(Span<byte> bytes)
    {
        bytes = bytes[..Length];
        bytes.Clear();
        Cookie.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[8..], Features);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[12..], FileFormatVersion);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], DataOffset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[24..], TimeStamp);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[28..], CreatorApplication);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[32..], CreatorVersion);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[36..], CreatorHostOs);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[40..], OriginalSize);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[48..], CurrentSize);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[56..], Cylinders);
        bytes[58] = Heads;
        bytes[59] = SectorsPerTrack;
        BinaryPrimitives.WriteUInt32BigEndian(bytes[60..], (uint)DiskType);
        UniqueId.TryWriteBytes(bytes[68..], bigEndian: true, out _);
        bytes[84] = SavedState;
        BinaryPrimitives.WriteUInt32BigEndian(
            bytes[ChecksumOffset..], VhdChecksum.Compute(bytes, ChecksumOffset));
    }

    /// <summary>The four characters of a code such as the creator application.</summary>
    internal static string Text(uint code)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, code);
        return Encoding.Latin1.GetString(bytes);
    }
}
