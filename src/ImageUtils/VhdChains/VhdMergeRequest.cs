using ImageUtils.Conversion;

namespace ImageUtils.VhdChains;

/// <summary>Which disks of a chain are merged into which.</summary>
public sealed record VhdMergeRequest
{
    /// <summary>The chain, as it was found: no link may be missing down to the one that is merged into.</summary>
    public required VhdChain Chain { get; init; }

    /// <summary>The link that the ones above it are merged into, by its index; null: the base.</summary>
    public int? Into { get; init; }

    /// <summary>How the disks are inspected; its policy's directories are where their parents may lie.</summary>
    public OpenOptions Source { get; init; } = OpenOptions.Default;

    /// <summary>Leave the merged children in place; they stay valid.</summary>
    public bool KeepChildren { get; init; }

    /// <summary>Merge although another disk depends on one that changes or goes; that disk is lost.</summary>
    public bool Force { get; init; }

    /// <summary>Hash the leaf's disk before, and the result after, and compare.</summary>
    public bool Verify { get; init; }
}

/// <summary>What a merge did. Sizes are in bytes.</summary>
/// <param name="Path">The disk that now has all data.</param>
/// <param name="Merged">The disks that were merged into it, topmost first.</param>
/// <param name="VirtualSize">The size that a guest sees.</param>
/// <param name="BytesRead">What was read of the children.</param>
/// <param name="BytesWritten">What was written, structures included.</param>
/// <param name="Duration">How long it took.</param>
/// <param name="Verified">Whether the disk was compared with what the leaf was before.</param>
/// <param name="ChildrenKept">Whether the children are still there.</param>
public sealed record VhdMergeResult(
    string Path,
    IReadOnlyList<string> Merged,
    long VirtualSize,
    long BytesRead,
    long BytesWritten,
    TimeSpan Duration,
    bool Verified,
    bool ChildrenKept);
