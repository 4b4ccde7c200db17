using System.Text;

namespace ImageUtils.Builders;

/// <summary>Entries for a VHDX's log.</summary>
public static class VhdxLogs
{
    public const int Sector = 4096;

    /// <summary>Where <see cref="VhdxCases"/> has its log, and its length.</summary>
    public const int Offset = 1 << 20;

    public const int Length = 1 << 20;

    public static readonly Guid LogGuid = new("0a0b0c0d-1111-2222-3333-444455556666");

    private const int HeaderLength = 64;
    private const int DescriptorLength = 32;

    /// <summary>Says that the log is to be replayed, to be sealed by <see cref="VhdxCases.Seal"/>.</summary>
    public static BuiltImage Pending(BuiltImage image) => image.Put(0x10000 + 48, LogGuid.ToByteArray());

    /// <summary>The length of the entry with these changes.</summary>
    public static int LengthOf(params VhdxLogChange[] changes) =>
        DescriptorSpace(changes.Length) + changes.Count(change => change.Data is not null) * Sector;

    /// <summary>Puts an entry at an offset within the log, round its end where it does not fit before it.</summary>
    public static BuiltImage Put(
        BuiltImage image, int at, ulong sequence, int tail, long flushedLength, long lastLength,
        params VhdxLogChange[] changes)
    {
        var entry = new BuiltImage(LengthOf(changes)).Text(0, "loge").Little32(8, (uint)LengthOf(changes))
            .Little32(12, (uint)tail).Little64(16, sequence).Little32(24, (uint)changes.Length)
            .Put(32, LogGuid.ToByteArray()).Little64(48, (ulong)flushedLength).Little64(56, (ulong)lastLength);
        var data = DescriptorSpace(changes.Length);
        for (var index = 0; index < changes.Length; index++)
        {
            var descriptor = HeaderLength + index * DescriptorLength;
            var (fileOffset, bytes, zeroLength) = changes[index];
            entry.Little64(descriptor + 16, (ulong)fileOffset).Little64(descriptor + 24, sequence);
            if (bytes is null)
            {
                entry.Text(descriptor, "zero").Little64(descriptor + 8, (ulong)zeroLength);
                continue;
            }

            entry.Text(descriptor, "desc").Put(descriptor + 4, bytes.AsSpan(Sector - 4, 4))
                .Put(descriptor + 8, bytes.AsSpan(0, 8));
            entry.Put(data, Encoding.ASCII.GetBytes("data")).Little32(data + 4, (uint)(sequence >> 32))
                .Put(data + 8, bytes.AsSpan(8, Sector - 12)).Little32(data + Sector - 4, (uint)sequence);
            data += Sector;
        }

        entry.Little32(4, VhdxCases.Crc(entry[..entry.Length]));
        var first = Math.Min(entry.Length, Length - at);
        return image.Put(Offset + at, entry[..first]).Put(Offset, entry[first..]);
    }

    private static int DescriptorSpace(int count) =>
        (HeaderLength + count * DescriptorLength + Sector - 1) / Sector * Sector;
}

/// <summary>What an entry changes: a sector of data, or a range to zeros.</summary>
public sealed record VhdxLogChange(long FileOffset, byte[]? Data, long ZeroLength = 0);
