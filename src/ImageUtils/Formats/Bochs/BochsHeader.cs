using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Bochs;

/// <summary>The header of a Bochs redolog image.</summary>
/// <remarks>
/// Bochs, iodev/hdimage/hdimage.h, redolog_header_t; QEMU, block/bochs.c. Integers are little-endian.
/// <code>
///   0 32  magic "Bochs Virtual HD Image"   68  4  header size
///  32 16  type "Redolog"                   72  4  catalog entries
///  48 16  subtype "Growing"…               76  4  bitmap size
///  64  4  version 0x10000 or 0x20000       80  4  extent size
///  84  8  disk size (version 0x10000)      88  8  disk size (version 0x20000)
/// </code>
/// </remarks>
internal sealed record BochsHeader(string Subtype, uint Version, uint ExtentSize, ulong DiskSize)
{
    internal const int Length = 96;
    internal const int MagicLength = 32;
    internal const uint FirstVersion = 0x10000;

    internal static ReadOnlySpan<byte> Magic => "Bochs Virtual HD Image"u8;

    /// <summary>Reads a header of <see cref="Length"/> bytes.</summary>
    internal static BochsHeader Parse(ReadOnlySpan<byte> bytes)
    {
        var version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[64..]);
        return new BochsHeader(
            Encoding.Latin1.GetString(bytes.Slice(48, 16)).Split('\0')[0],
            version,
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[80..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[(version == FirstVersion ? 84 : 88)..]));
    }
}
