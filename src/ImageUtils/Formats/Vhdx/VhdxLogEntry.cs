using System.Buffers.Binary;

namespace ImageUtils.Formats.Vhdx;

/// <summary>The beginning of an entry of the log.</summary>
/// <remarks>
/// MS-VHDX, section 2.3.1.1, "Entry Header". An entry is whole sectors of 4 KiB: this header and descriptors of 32
/// bytes, then a data sector for each data descriptor. Integers are little-endian.
/// <code>
///   0  4  signature "loge"                24  4  descriptor count
///   4  4  checksum, CRC-32C of the entry  28  4  reserved
///   8  4  entry length                    32 16  log guid
///  12  4  tail: where the sequence begins 48  8  flushed file offset: the file is as long, at least
///  16  8  sequence number                 56  8  last file offset: the file is to be as long
/// </code>
/// </remarks>
internal readonly record struct VhdxLogEntry
{
    internal const int Length = 64;
    internal const int SectorSize = 4096;

    internal static ReadOnlySpan<byte> Signature => "loge"u8;

    public uint EntryLength { get; init; }

    public uint Tail { get; init; }

    public ulong SequenceNumber { get; init; }

    public uint DescriptorCount { get; init; }

    public Guid LogGuid { get; init; }

    public ulong FlushedFileOffset { get; init; }

    public ulong LastFileOffset { get; init; }

    /// <summary>What header and descriptors take up: whole sectors.</summary>
    internal long DescriptorSpace =>
        (Length + (long)DescriptorCount * VhdxLogDescriptor.Length + SectorSize - 1) / SectorSize * SectorSize;

    /// <summary>Reads a header. The caller has seen its signature.</summary>
    internal static VhdxLogEntry Parse(ReadOnlySpan<byte> bytes) => new()
    {
        EntryLength = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        Tail = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
        SequenceNumber = BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        DescriptorCount = BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]),
        LogGuid = new Guid(bytes.Slice(32, 16)),
        FlushedFileOffset = BinaryPrimitives.ReadUInt64LittleEndian(bytes[48..]),
        LastFileOffset = BinaryPrimitives.ReadUInt64LittleEndian(bytes[56..]),
    };

    /// <summary>Writes the header, without the checksum, which is over the whole entry.</summary>
    internal void Write(Span<byte> bytes)
    {
        bytes[..Length].Clear();
        Signature.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], EntryLength);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], Tail);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], SequenceNumber);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], DescriptorCount);
        LogGuid.TryWriteBytes(bytes[32..]);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[48..], FlushedFileOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[56..], LastFileOffset);
    }
}

/// <summary>What an entry of the log does to one place of the file: zeros, or one sector of data.</summary>
/// <remarks>
/// MS-VHDX, sections 2.3.1.2, "Zero Descriptor", and 2.3.1.3, "Data Descriptor". Integers are little-endian.
/// <code>
///   0  4  signature "zero" or "desc"       8  8  zero length, or the sector's first 8 bytes
///   4  4  reserved, or the sector's last  16  8  file offset
///         4 bytes                         24  8  sequence number
/// </code>
/// </remarks>
internal readonly record struct VhdxLogDescriptor(bool IsData, ulong LengthOrLeading, uint Trailing, ulong FileOffset,
    ulong SequenceNumber)
{
    internal const int Length = 32;

    private static ReadOnlySpan<byte> DataSignature => "desc"u8;

    private static ReadOnlySpan<byte> ZeroSignature => "zero"u8;

    internal static bool HasSignature(ReadOnlySpan<byte> bytes) =>
        bytes.StartsWith(DataSignature) || bytes.StartsWith(ZeroSignature);

    internal static VhdxLogDescriptor Parse(ReadOnlySpan<byte> bytes) => new(
        bytes.StartsWith(DataSignature),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
        BinaryPrimitives.ReadUInt64LittleEndian(bytes[24..]));

    internal void Write(Span<byte> bytes)
    {
        (IsData ? DataSignature : ZeroSignature).CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], Trailing);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], LengthOrLeading);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], FileOffset);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[24..], SequenceNumber);
    }
}

/// <summary>A sector of data in the log: all but the 12 bytes that its descriptor holds.</summary>
/// <remarks>
/// MS-VHDX, section 2.3.1.4, "Data Sector".
/// <code>
///   0    4  signature "data"               8 4084  data
///   4    4  sequence number's high half 4092    4  sequence number's low half
/// </code>
/// </remarks>
internal static class VhdxLogDataSector
{
    private const int SequenceLowOffset = 4092;

    internal static ReadOnlySpan<byte> Signature => "data"u8;

    internal static ulong ReadSequenceNumber(ReadOnlySpan<byte> sector) =>
        (ulong)BinaryPrimitives.ReadUInt32LittleEndian(sector[4..]) << 32
        | BinaryPrimitives.ReadUInt32LittleEndian(sector[SequenceLowOffset..]);

    /// <summary>Puts together the sector that belongs into the file.</summary>
    internal static byte[] Restore(VhdxLogDescriptor descriptor, ReadOnlySpan<byte> sector)
    {
        var bytes = sector[..VhdxLogEntry.SectorSize].ToArray();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, descriptor.LengthOrLeading);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(SequenceLowOffset), descriptor.Trailing);
        return bytes;
    }

    /// <summary>Takes a sector apart, and returns what its descriptor holds of it.</summary>
    internal static VhdxLogDescriptor Write(
        ReadOnlySpan<byte> data, ulong fileOffset, ulong sequenceNumber, Span<byte> sector)
    {
        data[..VhdxLogEntry.SectorSize].CopyTo(sector);
        Signature.CopyTo(sector);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[4..], (uint)(sequenceNumber >> 32));
        BinaryPrimitives.WriteUInt32LittleEndian(sector[SequenceLowOffset..], (uint)sequenceNumber);
        return new VhdxLogDescriptor(
            true,
            BinaryPrimitives.ReadUInt64LittleEndian(data),
            BinaryPrimitives.ReadUInt32LittleEndian(data[SequenceLowOffset..]),
            fileOffset,
            sequenceNumber);
    }
}
