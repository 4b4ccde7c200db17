using System.Buffers.Binary;

namespace ImageUtils.Formats.Vhdx;

/// <summary>One of the two region tables, which say where the block allocation table and the metadata lie.</summary>
/// <remarks>
/// MS-VHDX, section 2.2.3, "Region Table", at 192 KiB and 256 KiB. Integers are little-endian.
/// <code>
///   0  4  signature "regi"                 8  4  entry count, at most 2047
///   4  4  checksum, CRC-32C of 64 KiB     12  4  reserved
///  16     entries of 32 bytes:  0 16 guid, 16 8 file offset, 24 4 length, 28 4 required (bit 0)
/// </code>
/// </remarks>
internal static class VhdxRegionTable
{
    internal const int Length = 64 * 1024;
    internal const long FirstOffset = 192 * 1024;
    internal const long SecondOffset = 256 * 1024;
    internal const uint MaximumEntries = 2047;

    private const int HeaderLength = 16;
    private const int EntryLength = 32;

    internal static ReadOnlySpan<byte> Signature => "regi"u8;

    /// <summary>Whether signature and checksum of a table of 64 KiB hold.</summary>
    internal static bool IsValid(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(Signature) && VhdxChecksum.IsValid(bytes);

    /// <summary>The entry count, which may be more than there can be.</summary>
    internal static uint ReadEntryCount(ReadOnlySpan<byte> bytes) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);

    /// <summary>Reads the entries, at most <see cref="MaximumEntries"/>.</summary>
    internal static VhdxRegion[] Parse(ReadOnlySpan<byte> bytes)
    {
        var regions = new VhdxRegion[Math.Min(ReadEntryCount(bytes), MaximumEntries)];
        for (var index = 0; index < regions.Length; index++)
        {
            var entry = bytes.Slice(HeaderLength + index * EntryLength, EntryLength);
            regions[index] = new VhdxRegion(
                new Guid(entry[..16]),
                BinaryPrimitives.ReadUInt64LittleEndian(entry[16..]),
                BinaryPrimitives.ReadUInt32LittleEndian(entry[24..]),
                (BinaryPrimitives.ReadUInt32LittleEndian(entry[28..]) & 1) != 0);
        }

        return regions;
    }

    /// <summary>Writes a table with its checksum into 64 KiB.</summary>
    internal static void Write(IReadOnlyList<VhdxRegion> regions, Span<byte> bytes)
    {
        bytes = bytes[..Length];
        bytes.Clear();
        Signature.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], (uint)regions.Count);
        for (var index = 0; index < regions.Count; index++)
        {
            var entry = bytes.Slice(HeaderLength + index * EntryLength, EntryLength);
            regions[index].Id.TryWriteBytes(entry);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], regions[index].FileOffset);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], regions[index].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[28..], regions[index].IsRequired ? 1u : 0);
        }

        VhdxChecksum.Write(bytes);
    }
}

/// <summary>One region.</summary>
/// <param name="Id">What it is.</param>
/// <param name="FileOffset">Where it lies, in bytes from the start of the file.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="IsRequired">Whether a reader that does not know it must not read the file.</param>
internal readonly record struct VhdxRegion(Guid Id, ulong FileOffset, uint Length, bool IsRequired);
