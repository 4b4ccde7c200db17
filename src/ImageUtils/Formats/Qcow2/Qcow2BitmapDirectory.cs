using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Qcow2;

/// <summary>The directory of stored dirty bitmaps.</summary>
/// <remarks>
/// QEMU, docs/interop/qcow2.rst, "Bitmap directory". Big-endian; each entry starts at a multiple of 8.
/// <code>
///   0  8  bitmap_table_offset      17  1  granularity_bits
///   8  4  bitmap_table_size        18  2  name_size
///  12  4  flags                    20  4  extra_data_size
///  16  1  type                     24     extra data, name, padding
/// </code>
/// </remarks>
internal static class Qcow2BitmapDirectory
{
    private const int FixedLength = 24;
    private const uint InUseFlag = 1 << 0;
    private const uint AutoFlag = 1 << 1;

    // qemu's BME_MAX_GRANULARITY_BITS
    private const int MaximumGranularityBits = 31;

    /// <summary>Reads as many entries as are there whole and sound.</summary>
    internal static List<Qcow2Bitmap> Parse(ReadOnlySpan<byte> bytes, uint count)
    {
        var bitmaps = new List<Qcow2Bitmap>();
        var at = 0;
        while (bitmaps.Count < count && at + FixedLength <= bytes.Length)
        {
            var entry = bytes[at..];
            var nameLength = BinaryPrimitives.ReadUInt16BigEndian(entry[18..]);
            var extraLength = BinaryPrimitives.ReadUInt32BigEndian(entry[20..]);
            if (extraLength > entry.Length - FixedLength - nameLength || entry[17] > MaximumGranularityBits)
            {
                break;
            }

            var flags = BinaryPrimitives.ReadUInt32BigEndian(entry[12..]);
            bitmaps.Add(new Qcow2Bitmap(
                Encoding.UTF8.GetString(entry.Slice(FixedLength + (int)extraLength, nameLength)),
                1L << entry[17],
                (flags & InUseFlag) != 0,
                (flags & AutoFlag) != 0));
            at += FixedLength + (int)extraLength + nameLength + 7 & ~7;
        }

        return bitmaps;
    }
}
