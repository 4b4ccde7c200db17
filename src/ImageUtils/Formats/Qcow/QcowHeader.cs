using System.Buffers.Binary;

namespace ImageUtils.Formats.Qcow;

/// <summary>The header of a qcow image, version 1.</summary>
/// <remarks>
/// QEMU, block/qcow.c, QCowHeader (there is no other specification). Integers are big-endian.
/// <code>
///   0  4  magic "QFI\xfb"                 24  8  size
///   4  4  version (1)                     32  1  cluster_bits
///   8  8  backing_file_offset             33  1  l2_bits
///  16  4  backing_file_size               36  4  crypt_method
///  20  4  mtime                           40  8  l1_table_offset
/// </code>
/// </remarks>
internal sealed record QcowHeader(
    ulong BackingFileOffset,
    uint BackingFileSize,
    ulong Size,
    byte ClusterBits,
    byte L2Bits,
    uint CryptMethod,
    ulong L1TableOffset)
{
    internal const uint Magic = 0x514649FB;
    internal const uint Version = 1;
    internal const int Length = 48;

    /// <summary>Reads a header of <see cref="Length"/> bytes.</summary>
    internal static QcowHeader Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]),
        bytes[32],
        bytes[33],
        BinaryPrimitives.ReadUInt32BigEndian(bytes[36..]),
        BinaryPrimitives.ReadUInt64BigEndian(bytes[40..]));
}
