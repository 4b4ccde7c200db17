using ImageUtils.Inspection;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>What only a partitioned disk has.</summary>
public sealed record PartitionTableDetails : FormatDetails
{
    /// <summary>The unit of the table, in bytes; an MBR does not say and is taken to count in 512.</summary>
    public required int SectorSize { get; init; }

    /// <summary>A GPT's disk GUID, or an MBR's disk signature as eight hexadecimal digits.</summary>
    public required string DiskId { get; init; }

    /// <summary>The partitions, in the order of the table; an MBR's logical ones are not followed.</summary>
    public IReadOnlyList<DiskPartition> Partitions { get; init; } = [];
}

/// <summary>A partition.</summary>
/// <param name="Number">Its place in the table, from 1.</param>
/// <param name="Type">The type's GUID, or an MBR's type as two hexadecimal digits.</param>
/// <param name="Name">The name in a GPT; null in an MBR.</param>
/// <param name="Offset">Where it begins, in bytes.</param>
/// <param name="Size">In bytes.</param>
/// <param name="IsActive">Whether an MBR marks it as the one to boot.</param>
public sealed record DiskPartition(int Number, string Type, string? Name, long Offset, long Size, bool IsActive);
