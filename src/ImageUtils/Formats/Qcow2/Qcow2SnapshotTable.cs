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
        while (snapshots.Count < count && ParseEntry(bytes, snapshots.Count) is { } entry)
        {
            snapshots.Add(entry.Snapshot);
            bytes = bytes[Math.Min(entry.Length, bytes.Length)..];
        }

        return snapshots;
    }

    /// <summary>Reads the entry that the bytes begin with; null where they end within it.</summary>
    /// <param name="bytes">From the entry on.</param>
    /// <param name="index">Which entry it is, for messages.</param>
    /// <exception cref="ImageFormatException">Its extra data is longer than any reader accepts.</exception>
    internal static Qcow2Snapshot? ParseEntry(ReadOnlySpan<byte> bytes, int index)
    {
        if (bytes.Length < FixedLength)
        {
            return null;
        }

        var idLength = BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]);
        var nameLength = BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        var extraLength = BinaryPrimitives.ReadUInt32BigEndian(bytes[36..]);
        if (extraLength > MaximumExtraLength)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The qcow2 snapshot table's entry {index} has {extraLength} bytes of extra data; "
                + $"{MaximumExtraLength} is the most that is accepted.");
        }

        var length = FixedLength + (int)extraLength + idLength + nameLength;
        if (length > bytes.Length)
        {
            return null;
        }

        var extra = bytes.Slice(FixedLength, (int)extraLength);
        var names = bytes[(FixedLength + (int)extraLength)..];
        var clock = BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]);
        var icount = extraLength >= 24 ? BinaryPrimitives.ReadUInt64BigEndian(extra[16..]) : ulong.MaxValue;
        var snapshot = new ImageSnapshot(
            Encoding.UTF8.GetString(names[..idLength]),
            Encoding.UTF8.GetString(names.Slice(idLength, nameLength)),
            extraLength >= 8
                ? (long)BinaryPrimitives.ReadUInt64BigEndian(extra)
                : BinaryPrimitives.ReadUInt32BigEndian(bytes[32..]),
            DateTimeOffset.FromUnixTimeSeconds(BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]))
                .AddTicks(BinaryPrimitives.ReadUInt32BigEndian(bytes[20..]) / 100),
            TimeSpan.FromTicks((long)(clock / 100)),
            icount == ulong.MaxValue ? null : (long)icount,
            extraLength >= 16 ? (long)BinaryPrimitives.ReadUInt64BigEndian(extra[8..]) : null);
        return new Qcow2Snapshot(
            snapshot,
            BinaryPrimitives.ReadUInt64BigEndian(bytes),
            BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]),
            length + 7 & ~7);
    }
}

/// <summary>An entry of the snapshot table.</summary>
/// <param name="Snapshot">What it says of the snapshot.</param>
/// <param name="L1TableOffset">Where the snapshot's L1 table lies in the file.</param>
/// <param name="L1Size">How many entries that has.</param>
/// <param name="Length">The entry's length in the table, in bytes.</param>
internal sealed record Qcow2Snapshot(ImageSnapshot Snapshot, ulong L1TableOffset, uint L1Size, int Length);
