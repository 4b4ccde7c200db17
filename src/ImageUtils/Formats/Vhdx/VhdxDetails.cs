using ImageUtils.Inspection;

namespace ImageUtils.Formats.Vhdx;

/// <summary>What only VHDX has. What the metadata says is null where it could not be read.</summary>
public sealed record VhdxDetails : FormatDetails
{
    /// <summary>The program that made the file, as it named itself.</summary>
    public required string Creator { get; init; }

    /// <summary>The current header's sequence number.</summary>
    public ulong SequenceNumber { get; init; }

    /// <summary>Changes whenever the file is opened for writing.</summary>
    public Guid FileWriteGuid { get; init; }

    /// <summary>Changes whenever the guest's data does; what children know their parent by.</summary>
    public Guid DataWriteGuid { get; init; }

    /// <summary>The log that is to be replayed; zero where there is none.</summary>
    public Guid LogGuid { get; init; }

    /// <summary>The log's length in bytes.</summary>
    public long LogLength { get; init; }

    /// <summary>The size of a payload block in bytes.</summary>
    public long? BlockSize { get; init; }

    /// <summary>Whether blocks stay allocated: the disk is fixed.</summary>
    public bool? LeaveBlockAllocated { get; init; }

    /// <summary>Whether the disk is a differencing one.</summary>
    public bool? HasParent { get; init; }

    /// <summary>The size of a sector as the guest addresses it, in bytes.</summary>
    public int? LogicalSectorSize { get; init; }

    /// <summary>The size of a sector of the disk below, in bytes.</summary>
    public int? PhysicalSectorSize { get; init; }

    /// <summary>The disk's identifier (SCSI page 83).</summary>
    public Guid? VirtualDiskId { get; init; }

    /// <summary>What is said of the parent: <c>parent_linkage</c>, <c>relative_path</c> and so on.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ParentLocator { get; init; } = [];
}
