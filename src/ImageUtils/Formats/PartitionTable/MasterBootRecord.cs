using System.Buffers.Binary;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>The first sector of a partitioned disk.</summary>
/// <remarks>
/// UEFI Specification 2.10, section 5.2.1, "Legacy Master Boot Record". Little-endian.
/// <code>
///   0  440  boot code
/// 440    4  unique disk signature
/// 444    2  unknown
/// 446   64  four partition records of 16 bytes
/// 510    2  signature 0xAA55
/// </code>
/// </remarks>
internal sealed record MasterBootRecord
{
    internal const int Length = 512;
    internal const int SignatureOffset = 510;
    internal const ushort Signature = 0xAA55;
    internal const int RecordsOffset = 446;
    internal const int RecordCount = 4;

    public uint DiskSignature { get; init; }

    public IReadOnlyList<MbrPartitionRecord> Partitions { get; init; } = [];

    /// <summary>Whether a record announces a GUID partition table.</summary>
    public bool IsProtective => Partitions.Any(partition => partition.OsType == MbrPartitionRecord.GptProtective);

    /// <summary>
    /// Whether the records are those of a table and not whatever a boot sector has at their place: every boot flag is
    /// possible, and one record at least has a type, a size, and a start behind this sector.
    /// </summary>
    public bool HasRealPartitions =>
        Partitions.All(partition => partition.HasPossibleBootFlag)
        && Partitions.Any(partition => partition is { OsType: not 0, StartLba: > 0, SizeInLba: > 0 });

    internal static bool HasSignature(ReadOnlySpan<byte> sector) =>
        sector.Length >= Length
        && BinaryPrimitives.ReadUInt16LittleEndian(sector[SignatureOffset..]) == Signature;

    internal static MasterBootRecord Parse(ReadOnlySpan<byte> bytes)
    {
        var partitions = new MbrPartitionRecord[RecordCount];
        for (var index = 0; index < RecordCount; index++)
        {
            partitions[index] = MbrPartitionRecord.Parse(
                bytes.Slice(RecordsOffset + index * MbrPartitionRecord.Length, MbrPartitionRecord.Length));
        }

        return new MasterBootRecord
        {
            DiskSignature = BinaryPrimitives.ReadUInt32LittleEndian(bytes[440..]),
            Partitions = partitions,
        };
    }
}

/// <summary>One record of a <see cref="MasterBootRecord"/>.</summary>
/// <param name="BootFlag">0x80 for the active partition, 0 for the others.</param>
/// <param name="StartChs">Head, sector and track of the start, as three bytes.</param>
/// <param name="OsType">0 for an unused record, 0xEE for one that protects a GPT.</param>
/// <param name="StartLba">In sectors.</param>
/// <param name="SizeInLba">In sectors.</param>
/// <remarks>
/// UEFI Specification 2.10, table 5.2. Little-endian.
/// <code>
///  0  1  boot indicator      4  1  OS type            8  4  starting LBA
///  1  3  starting CHS        5  3  ending CHS        12  4  size in LBA
/// </code>
/// </remarks>
internal readonly record struct MbrPartitionRecord(
    byte BootFlag, int StartChs, byte OsType, uint StartLba, uint SizeInLba)
{
    internal const int Length = 16;
    internal const byte Bootable = 0x80;
    internal const byte GptProtective = 0xEE;

    internal bool HasPossibleBootFlag => BootFlag is 0 or Bootable;

    internal static MbrPartitionRecord Parse(ReadOnlySpan<byte> bytes) => new(
        bytes[0],
        bytes[1] << 16 | bytes[2] << 8 | bytes[3],
        bytes[4],
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]));
}
