using System.Buffers.Binary;

namespace ImageUtils.Formats.Qed;

/// <summary>The header of a QED image.</summary>
/// <remarks>
/// QEMU, docs/interop/qed_spec.rst, "Header". Integers are little-endian.
/// <code>
///   0  4  magic "QED\0"                   32  8  autoclear_features
///   4  4  cluster_size                    40  8  l1_table_offset
///   8  4  table_size (clusters)           48  8  image_size
///  12  4  header_size (clusters)          56  4  backing_filename_offset
///  16  8  features                        60  4  backing_filename_size
///  24  8  compat_features
/// </code>
/// </remarks>
internal sealed record QedHeader(
    uint ClusterSize,
    uint TableClusters,
    uint HeaderClusters,
    QedFeatures Features,
    ulong L1TableOffset,
    ulong ImageSize,
    uint BackingFileNameOffset,
    uint BackingFileNameSize)
{
    internal const int Length = 64;

    /// <summary>Reads a header of <see cref="Length"/> bytes.</summary>
    internal static QedHeader Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
        (QedFeatures)BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[40..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[48..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[56..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[60..]));
}

/// <summary>Features that a reader must know; "Feature bits" of the same specification.</summary>
[Flags]
internal enum QedFeatures : ulong
{
    None = 0,
    BackingFile = 1 << 0,
    NeedCheck = 1 << 1,
    BackingFormatNoProbe = 1 << 2,
}
