using ImageUtils.Conversion;

namespace ImageUtils.VhdChains;

/// <summary>One VHD or VHDX whose superfluous blocks are to go.</summary>
public sealed record VhdCompactRequest
{
    /// <summary>The disk.</summary>
    public required string Path { get; init; }

    /// <summary>
    /// What it is claimed to be, and what is allowed; its policy's directories, beside the disk's own, are where its
    /// parents may lie.
    /// </summary>
    public OpenOptions Source { get; init; } = OpenOptions.Default;

    /// <summary>Whether the guest's disk is read before and after, and compared.</summary>
    public bool Verify { get; init; }
}

/// <summary>What compacting a VHD or VHDX came to. Sizes are in bytes.</summary>
/// <param name="Path">The disk's absolute path.</param>
/// <param name="Format">Its format.</param>
/// <param name="OldFileSize">The file's length before.</param>
/// <param name="NewFileSize">The file's length now.</param>
/// <param name="BlockCount">The blocks that have a place in the file now.</param>
/// <param name="DroppedBlocks">The blocks that had one, and do not any more.</param>
/// <param name="Compacted">Whether there is a new file; false: it would not have been smaller, and all is as it
/// was.</param>
/// <param name="Verified">Whether the guest's disk was compared and is the same.</param>
/// <param name="Duration">How long it took.</param>
public sealed record VhdCompactResult(
    string Path,
    ImageFormat Format,
    long OldFileSize,
    long NewFileSize,
    long BlockCount,
    long DroppedBlocks,
    bool Compacted,
    bool Verified,
    TimeSpan Duration);
