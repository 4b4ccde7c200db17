using System.Buffers.Binary;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow2;

/// <summary>The extensions between a qcow2 header and the end of its first cluster.</summary>
/// <remarks>
/// QEMU, docs/interop/qcow2.rst, "Header extensions": each is a 4-byte type, a 4-byte length, and as many bytes padded
/// to a multiple of 8; type 0 ends them. Data by type:
/// <code>
///  0xe2792aca  backing file format name        0x23852875  bitmaps: 0 4 nb_bitmaps, 8 8 directory size,
///  0x44415441  external data file name                               16 8 directory offset
///  0x6803f857  feature name table              0x0537be77  full disk encryption header: 0 8 offset, 8 8 length
/// </code>
/// </remarks>
internal sealed record Qcow2HeaderExtensions
{
    internal const uint End = 0;
    internal const uint BackingFormatType = 0xE2792ACA;
    internal const uint FeatureNamesType = 0x6803F857;
    private const uint DataFileType = 0x44415441;
    private const uint BitmapsType = 0x23852875;
    private const uint EncryptionType = 0x0537BE77;

    public string? BackingFormat { get; private init; }

    public string? DataFile { get; private init; }

    public (uint Count, ulong DirectorySize, ulong DirectoryOffset)? Bitmaps { get; private init; }

    public (ulong Offset, ulong Length)? EncryptionHeader { get; private init; }

    /// <param name="bytes">From the header's end to the end of the area.</param>
    /// <param name="hostOffset">Where the bytes lie in the file, for messages.</param>
    /// <param name="mustEnd">
    /// The area goes on behind the bytes, so the extensions must end in them: of two with a file's name the last counts.
    /// </param>
    /// <exception cref="ImageFormatException">An extension runs over the end of the area.</exception>
    internal static Qcow2HeaderExtensions Parse(ReadOnlySpan<byte> bytes, long hostOffset, bool mustEnd)
    {
        var extensions = new Qcow2HeaderExtensions();
        var at = 0;
        while (at + 8 <= bytes.Length)
        {
            var type = BinaryPrimitives.ReadUInt32BigEndian(bytes[at..]);
            var length = BinaryPrimitives.ReadUInt32BigEndian(bytes[(at + 4)..]);
            if (type == End)
            {
                return extensions;
            }

            if (length > bytes.Length - at - 8)
            {
                throw new ImageFormatException(
                    CheckNames.Tables,
                    $"The qcow2 header extension 0x{type:x8} at byte {hostOffset + at} has a length of {length} bytes, "
                    + $"which is more than the {bytes.Length - at - 8} that are left of its area.");
            }

            var data = bytes.Slice(at + 8, (int)length);
            extensions = type switch
            {
                BackingFormatType => extensions with { BackingFormat = Encoding.UTF8.GetString(data) },
                DataFileType => extensions with { DataFile = Encoding.UTF8.GetString(data) },
                BitmapsType when length >= 24 => extensions with
                {
                    Bitmaps = (
                        BinaryPrimitives.ReadUInt32BigEndian(data),
                        BinaryPrimitives.ReadUInt64BigEndian(data[8..]),
                        BinaryPrimitives.ReadUInt64BigEndian(data[16..])),
                },
                EncryptionType when length >= 16 => extensions with
                {
                    EncryptionHeader = (
                        BinaryPrimitives.ReadUInt64BigEndian(data),
                        BinaryPrimitives.ReadUInt64BigEndian(data[8..])),
                },
                _ => extensions,
            };
            at += 8 + ((int)length + 7 & ~7);
        }

        return mustEnd
            ? throw new ImageFormatException(
                CheckNames.Tables,
                $"The qcow2 header extensions from byte {hostOffset} on do not end within {bytes.Length} bytes.")
            : extensions;
    }
}
