using System.Buffers.Binary;

namespace ImageUtils.Formats.Dmg;

/// <summary>The trailer of an Apple disk image (UDIF): the last 512 bytes of the file.</summary>
/// <remarks>
/// Apple has published no specification; the layout is UDIFResourceFile of the disk image framework, as QEMU's
/// block/dmg.c and others read it. Integers are big-endian.
/// <code>
///   0  4  signature "koly"                 56  4  segment number
///   4  4  version (4)                      60  4  segment count
///   8  4  header size (512)               216  8  XML offset
///  12  4  flags                           224  8  XML length
///  24  8  data fork offset                488  4  image variant
///  32  8  data fork length                492  8  sector count
///  40  8  resource fork offset
///  48  8  resource fork length
/// </code>
/// </remarks>
internal sealed record DmgTrailer(
    uint Version,
    uint HeaderSize,
    uint Flags,
    ulong DataForkOffset,
    ulong DataForkLength,
    ulong ResourceForkOffset,
    ulong ResourceForkLength,
    uint SegmentNumber,
    uint SegmentCount,
    ulong XmlOffset,
    ulong XmlLength,
    uint ImageVariant,
    ulong SectorCount)
{
    internal const int Length = 512;

    /// <summary>Reads a trailer of <see cref="Length"/> bytes.</summary>
    internal static DmgTrailer Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[32..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[40..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[48..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[56..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[60..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[216..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[224..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[488..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[492..]));
}
