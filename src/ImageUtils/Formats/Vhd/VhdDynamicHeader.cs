using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Vhd;

/// <summary>The header of a dynamic or differencing disk.</summary>
/// <remarks>
/// Microsoft, Virtual Hard Disk Image Format Specification 1.0, "Dynamic Disk Header Format". Integers are big-endian.
/// <code>
///   0  8  cookie "cxsparse"               40  16  parent unique id
///   8  8  data offset (none)              56   4  parent time stamp
///  16  8  table offset                    60   4  reserved
///  24  4  header version (1.0)            64 512  parent Unicode name, UTF-16BE
///  28  4  max table entries              576 192  parent locator entries, 8 of 24 bytes
///  32  4  block size                     768 256  reserved
///  36  4  checksum
/// </code>
/// </remarks>
internal sealed record VhdDynamicHeader
{
    internal const int Length = 1024;
    internal const int ChecksumOffset = 36;
    internal const int LocatorCount = 8;

    /// <summary>The length of the field of the parent's name, in bytes.</summary>
    internal const int ParentNameLength = 512;

    private const int ParentNameOffset = 64;
    private const int LocatorsOffset = 576;

    internal static ReadOnlySpan<byte> Cookie => "cxsparse"u8;

    public ulong TableOffset { get; init; }

    public uint HeaderVersion { get; init; } = VhdFooter.Version1;

    public uint MaxTableEntries { get; init; }

    public uint BlockSize { get; init; }

    public Guid ParentUniqueId { get; init; }

    public uint ParentTimeStamp { get; init; }

    /// <summary>The parent's name; at most 256 UTF-16 code units.</summary>
    public string ParentUnicodeName { get; init; } = "";

    /// <summary>Eight entries; those with a platform code of 0 are unused.</summary>
    public IReadOnlyList<VhdParentLocator> ParentLocators { get; init; } = new VhdParentLocator[LocatorCount];

    /// <summary>A block's bitmap of present sectors: a bit for each, filling up whole sectors, in bytes.</summary>
    internal long BitmapSize
    {
        get
        {
            const long sectorsPerBitmapSector = VhdFooter.SectorSize * 8;
            var sectors = BlockSize / VhdFooter.SectorSize;
            return (sectors + sectorsPerBitmapSector - 1) / sectorsPerBitmapSector * VhdFooter.SectorSize;
        }
    }

    /// <summary>The length of the block allocation table in bytes, four for an entry.</summary>
    internal long TableLength => MaxTableEntries * 4L;

    /// <summary>Reads a header of 1024 bytes. The caller has seen its cookie.</summary>
    internal static VhdDynamicHeader Parse(ReadOnlySpan<byte> bytes)
    {
        var name = Encoding.BigEndianUnicode.GetString(bytes.Slice(ParentNameOffset, ParentNameLength));
        var end = name.IndexOf('\0', StringComparison.Ordinal);
        var locators = new VhdParentLocator[LocatorCount];
        for (var index = 0; index < locators.Length; index++)
        {
            locators[index] = VhdParentLocator.Parse(bytes[(LocatorsOffset + index * VhdParentLocator.Length)..]);
        }

        return new VhdDynamicHeader
        {
            TableOffset = BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]),
            HeaderVersion = BinaryPrimitives.ReadUInt32BigEndian(bytes[24..]),
            MaxTableEntries = BinaryPrimitives.ReadUInt32BigEndian(bytes[28..]),
            BlockSize = BinaryPrimitives.ReadUInt32BigEndian(bytes[32..]),
            ParentUniqueId = new Guid(bytes.Slice(40, 16), bigEndian: true),
            ParentTimeStamp = BinaryPrimitives.ReadUInt32BigEndian(bytes[56..]),
            ParentUnicodeName = end < 0 ? name : name[..end],
            ParentLocators = locators,
        };
    }

    /// <summary>Writes the header with its checksum into 1024 bytes.</summary>
    internal void Write(Span<byte> bytes)
    {
        bytes = bytes[..Length];
        bytes.Clear();
        Cookie.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], VhdFooter.NoDataOffset);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[16..], TableOffset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[24..], HeaderVersion);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[28..], MaxTableEntries);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[32..], BlockSize);
        ParentUniqueId.TryWriteBytes(bytes[40..], bigEndian: true, out _);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[56..], ParentTimeStamp);
        Encoding.BigEndianUnicode.GetBytes(ParentUnicodeName, bytes.Slice(ParentNameOffset, ParentNameLength));
        for (var index = 0; index < ParentLocators.Count; index++)
        {
            ParentLocators[index].Write(
                bytes.Slice(LocatorsOffset + index * VhdParentLocator.Length, VhdParentLocator.Length));
        }

        BinaryPrimitives.WriteUInt32BigEndian(
            bytes[ChecksumOffset..], VhdChecksum.Compute(bytes, ChecksumOffset));
    }
}
