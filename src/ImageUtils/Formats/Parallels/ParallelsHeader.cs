using System.Buffers.Binary;

namespace ImageUtils.Formats.Parallels;

/// <summary>The header of a Parallels expandable image, which is also Virtuozzo's ploop.</summary>
/// <remarks>
/// QEMU, docs/interop/parallels.txt, "Header". Integers are little-endian; sectors have 512 bytes.
/// <code>
///   0 16  magic                            36  8  nb_sectors (4 bytes for "WithoutFreeSpace")
///  16  4  version (2)                      44  4  in_use
///  20  4  heads                            48  4  data_off (sectors)
///  24  4  cylinders                        52  4  flags
///  28  4  tracks (sectors of a cluster)    56  8  ext_off (sectors)
///  32  4  nb_bat_entries
/// </code>
/// </remarks>
internal sealed record ParallelsHeader(
    bool IsExtended,
    uint Version,
    uint Heads,
    uint Cylinders,
    uint ClusterSectors,
    uint BatEntries,
    ulong Sectors,
    uint InUse,
    uint DataSector,
    uint Flags,
    ulong ExtensionSector)
{
    internal const int Length = 64;
    internal const int MagicLength = 16;

    /// <summary>The value of in_use while software has the image open for writing.</summary>
    internal const uint InUseMagic = 0x746F6E59;

    /// <summary>Flag: the image holds nothing.</summary>
    internal const uint EmptyFlag = 1;

    /// <summary>The magic of images whose table counts in sectors.</summary>
    internal static ReadOnlySpan<byte> Magic => "WithoutFreeSpace"u8;

    /// <summary>The magic of images whose table counts in clusters.</summary>
    internal static ReadOnlySpan<byte> ExtendedMagic => "WithouFreSpacExt"u8;

    /// <summary>How many sectors the unit of the block allocation table's entries has.</summary>
    internal uint SectorsPerUnit => IsExtended ? ClusterSectors : 1;

    /// <summary>Reads a header of <see cref="Length"/> bytes.</summary>
    internal static ParallelsHeader Parse(ReadOnlySpan<byte> bytes)
    {
        var isExtended = bytes.StartsWith(ExtendedMagic);
        return new ParallelsHeader(
            isExtended,
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[32..]),
            isExtended
                ? BinaryPrimitives.ReadUInt64LittleEndian(bytes[36..])
                : BinaryPrimitives.ReadUInt32LittleEndian(bytes[36..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[44..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[48..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[52..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[56..]));
    }
}
