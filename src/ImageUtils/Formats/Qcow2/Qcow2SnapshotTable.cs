using System.Buffers.Binary;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow2;

/// <summary>The table of internal snapshots.</summary>
/// <remarks>
/// QEMU, docs/interop/qcow2.rst, "Snapshots". Big-endian; each entry starts at a multiple of 8.
/// <code>
///   0  8  l1_table_offset          24  8  vm_clock_nsec
///   8  4  l1_size (entries)        32  4  vm_state_size
///  12  2  id length                36  4  extra data length
///  14  2  name length              40     extra data: 0 8 vm state size, 8 8 disk size, 16 8 icount;
///  16  4  date_sec                        then the id, the name, and padding
///  20  4  date_nsec
/// </code>
/// </remarks>
internal static class Qcow2SnapshotTable
{
    private const int FixedLength = 40;

    /// <summary>The most extra data that a reader puts up with: qemu's QCOW_MAX_SNAPSHOT_EXTRA_DATA.</summary>
    private const uint MaximumExtraLength = 1024;

    /// <summary>Reads as many entries as are there whole.</summary>
    /// <param name="bytes">The table, or as much of its beginning as is worth reading.</param>
    /// <param name="count">How many entries the header announces.</param>
    /// <exception cref="ImageFormatException">An entry's extra data is longer than any reader accepts.</exception>
    internal static List<ImageSnapshot> Parse(ReadOnlySpan<byte> bytes, uint count)
    {
        var snapshots = new List<ImageSnapshot>();
        var at = 0;
        while (snapshots.Count < count && at + FixedLength <= bytes.Length)
        {
            var entry = bytes[at..];
            var idLength = BinaryPrimitives.ReadUInt16BigEndian(entry[12..]);
            var nameLength = BinaryPrimitives.ReadUInt16BigEndian(entry[14..]);
            var extraLength = BinaryPrimitives.ReadUInt32BigEndian(entry[36..]);
            if (extraLength > MaximumExtraLength)
            {
                throw new ImageFormatException(
                    CheckNames.Tables,
                    $"The qcow2 snapshot table's entry {snapshots.Count} has {extraLength} bytes of extra data; "
                    + $"{MaximumExtraLength} is the most that is accepted.");
            }

            var length = FixedLength + (int)extraLength + idLength + nameLength;
            if (length > entry.Length)
            {
                break;
            }

            var extra = entry.Slice(FixedLength, (int)extraLength);
            var names = entry[(FixedLength + (int)extraLength)..];
            var clock = BinaryPrimitives.ReadUInt64BigEndian(entry[24..]);
            var icount = extraLength >= 24 ? BinaryPrimitives.ReadUInt64BigEndian(extra[16..]) : ulong.MaxValue;
            snapshots.Add(new ImageSnapshot(
                Encoding.UTF8.GetString(names[..idLength]),
                Encoding.UTF8.GetString(names.Slice(idLength, nameLength)),
                extraLength >= 8
                    ? (long)BinaryPrimitives.ReadUInt64BigEndian(extra)
                    : BinaryPrimitives.ReadUInt32BigEndian(entry[32..]),
                DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadUInt32BigEndian(entry[16..]))
                    .AddTicks(BinaryPrimitives.ReadUInt32BigEndian(entry[20..]) / 100),
                TimeSpan.FromTicks((long)(clock / 100)),
                icount == ulong.MaxValue ? null : (long)icount,
                extraLength >= 16 ? (long)BinaryPrimitives.ReadUInt64BigEndian(extra[8..]) : null));
            at += length + 7 & ~7;
        }

        return snapshots;
    }
}
