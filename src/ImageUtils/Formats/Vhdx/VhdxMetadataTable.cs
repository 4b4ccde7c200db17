using System.Buffers.Binary;

namespace ImageUtils.Formats.Vhdx;

/// <summary>The table at the beginning of the metadata region, which says where its items lie.</summary>
/// <remarks>
/// MS-VHDX, section 2.6.1, "Metadata Table". Integers are little-endian.
/// <code>
///   0  8  signature "metadata"            10  2  entry count, at most 2047
///   8  2  reserved                        12 20  reserved
///  32     entries of 32 bytes:  0 16 item id, 16 4 offset in the region (from 64 KiB), 20 4 length,
///                              24 4 flags: bit 0 is user, bit 1 is virtual disk, bit 2 is required
/// </code>
/// </remarks>
internal static class VhdxMetadataTable
{
    /// <summary>The length of the table, behind which the items begin.</summary>
    internal const int Length = 64 * 1024;

    internal const int HeaderLength = 32;
    internal const int EntryLength = 32;
    internal const int MaximumEntries = 2047;

    internal static ReadOnlySpan<byte> Signature => "metadata"u8;

    internal static int ReadEntryCount(ReadOnlySpan<byte> bytes) =>
        BinaryPrimitives.ReadUInt16LittleEndian(bytes[10..]);

    /// <summary>Reads <paramref name="count"/> entries from the bytes behind the table's header.</summary>
    internal static VhdxMetadataEntry[] ParseEntries(ReadOnlySpan<byte> bytes, int count)
    {
        var entries = new VhdxMetadataEntry[count];
        for (var index = 0; index < count; index++)
        {
            var entry = bytes.Slice(index * EntryLength, EntryLength);
            entries[index] = new VhdxMetadataEntry(
                new Guid(entry[..16]),
                BinaryPrimitives.ReadUInt32LittleEndian(entry[16..]),
                BinaryPrimitives.ReadUInt32LittleEndian(entry[20..]),
                (VhdxMetadataFlags)BinaryPrimitives.ReadUInt32LittleEndian(entry[24..]));
        }

        return entries;
    }

    /// <summary>Writes header and entries into 64 KiB.</summary>
    internal static void Write(IReadOnlyList<VhdxMetadataEntry> entries, Span<byte> bytes)
    {
        bytes = bytes[..Length];
        bytes.Clear();
        Signature.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes[10..], (ushort)entries.Count);
        for (var index = 0; index < entries.Count; index++)
        {
            var entry = bytes.Slice(HeaderLength + index * EntryLength, EntryLength);
            entries[index].ItemId.TryWriteBytes(entry);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], entries[index].Offset);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[20..], entries[index].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[24..], (uint)entries[index].Flags);
        }
    }
}

/// <summary>What is said of a metadata item.</summary>
[Flags]
internal enum VhdxMetadataFlags : uint
{
    None = 0,
    IsUser = 1 << 0,
    IsVirtualDisk = 1 << 1,
    IsRequired = 1 << 2,
}

/// <summary>Where one metadata item lies.</summary>
/// <param name="ItemId">What it is.</param>
/// <param name="Offset">Where it lies, in bytes from the start of the metadata region.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Flags">Whose it is, and whether a reader must know it.</param>
internal readonly record struct VhdxMetadataEntry(Guid ItemId, uint Offset, uint Length, VhdxMetadataFlags Flags)
{
    /// <summary>Whether it is one of the system's items, which alone have a meaning here.</summary>
    internal bool Is(Guid id) => ItemId == id && !Flags.HasFlag(VhdxMetadataFlags.IsUser);
}
