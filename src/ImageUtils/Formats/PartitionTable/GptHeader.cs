using System.Buffers.Binary;
using ImageUtils.IO;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>The header of a GUID partition table, at the second sector and, as a backup, at the last.</summary>
/// <remarks>
/// UEFI Specification 2.10, section 5.3.2, "GPT Header". Little-endian; LBA are in sectors.
/// <code>
///  0  8  signature "EFI PART"        40  8  FirstUsableLBA
///  8  4  revision (0x00010000)       48  8  LastUsableLBA
/// 12  4  HeaderSize                  56 16  DiskGUID
/// 16  4  HeaderCRC32                 72  8  PartitionEntryLBA
/// 20  4  reserved                    80  4  NumberOfPartitionEntries
/// 24  8  MyLBA                       84  4  SizeOfPartitionEntry
/// 32  8  AlternateLBA                88  4  PartitionEntryArrayCRC32
/// </code>
/// </remarks>
internal sealed record GptHeader
{
    internal const int MinimumLength = 92;
    internal const int ChecksumOffset = 16;

    internal static ReadOnlySpan<byte> Signature => "EFI PART"u8;

    public bool HasSignature { get; init; }

    public uint Revision { get; init; }

    public uint HeaderSize { get; init; }

    public uint HeaderChecksum { get; init; }

    public ulong MyLba { get; init; }

    public ulong AlternateLba { get; init; }

    public ulong FirstUsableLba { get; init; }

    public ulong LastUsableLba { get; init; }

    public Guid DiskGuid { get; init; }

    public ulong EntriesLba { get; init; }

    public uint EntryCount { get; init; }

    public uint EntrySize { get; init; }

    public uint EntriesChecksum { get; init; }

    /// <summary>The checksum as it should be; null where the header's size is not possible.</summary>
    public uint? ComputedChecksum { get; init; }

    /// <param name="sector">The whole sector.</param>
    internal static GptHeader Parse(ReadOnlySpan<byte> sector)
    {
        var headerSize = BinaryPrimitives.ReadUInt32LittleEndian(sector[12..]);
        return new GptHeader
        {
            HasSignature = sector.StartsWith(Signature),
            Revision = BinaryPrimitives.ReadUInt32LittleEndian(sector[8..]),
            HeaderSize = headerSize,
            HeaderChecksum = BinaryPrimitives.ReadUInt32LittleEndian(sector[ChecksumOffset..]),
            MyLba = BinaryPrimitives.ReadUInt64LittleEndian(sector[24..]),
            AlternateLba = BinaryPrimitives.ReadUInt64LittleEndian(sector[32..]),
            FirstUsableLba = BinaryPrimitives.ReadUInt64LittleEndian(sector[40..]),
            LastUsableLba = BinaryPrimitives.ReadUInt64LittleEndian(sector[48..]),
            DiskGuid = new Guid(sector.Slice(56, 16)),
            EntriesLba = BinaryPrimitives.ReadUInt64LittleEndian(sector[72..]),
            EntryCount = BinaryPrimitives.ReadUInt32LittleEndian(sector[80..]),
            EntrySize = BinaryPrimitives.ReadUInt32LittleEndian(sector[84..]),
            EntriesChecksum = BinaryPrimitives.ReadUInt32LittleEndian(sector[88..]),
            ComputedChecksum = headerSize >= MinimumLength && headerSize <= sector.Length
                ? Crc32.ComputeWithZeros(sector[..(int)headerSize], ChecksumOffset)
                : null,
        };
    }
}
