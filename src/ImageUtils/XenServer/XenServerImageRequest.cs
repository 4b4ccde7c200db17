using ImageUtils.Inspection;

namespace ImageUtils.XenServer;

/// <summary>One XenServer image that is to become one disk.</summary>
public sealed record XenServerImageRequest
{
    /// <summary>The most bytes that an archive may unpack to, where nothing else is said: two of the greatest
    /// VHDs.</summary>
    public const long DefaultMaximumSize = 4L << 40;

    /// <summary>The archive: tar, plain or compressed by gzip, xz or zstd.</summary>
    public required string Path { get; init; }

    /// <summary>Where the disk goes; null: it takes the archive's name, in one step, once it is complete.</summary>
    public string? Destination { get; init; }

    /// <summary>What the disk becomes.</summary>
    public ImageFormat Format { get; init; } = ImageFormat.Vhd;

    /// <summary>The most bytes that all entries of the archive may have together.</summary>
    public long MaximumSize { get; init; } = DefaultMaximumSize;

    /// <summary>What is allowed of the disks in the archive, whose names for their parents are not followed.</summary>
    public InspectionOptions Inspection { get; init; } = InspectionOptions.Default;

    /// <summary>Whether a file that exists may be replaced, or a block device overwritten.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether the disk is read back and compared.</summary>
    public bool Verify { get; init; }

    /// <summary>Whether any change of format is refused (<c>ConversionDisabled</c> of the configuration).</summary>
    public bool ConversionDisabled { get; init; }

    /// <summary>
    /// Where the chain is unpacked, in a directory that only this user may enter and that is removed at the end; null:
    /// the system's directory for temporary files.
    /// </summary>
    public string? TemporaryDirectory { get; init; }

    /// <summary>That directory itself, which is made; null: one that no other has the name of.</summary>
    internal string? UnpackDirectory { get; init; }
}

/// <summary>A XenServer image that has become one disk. Sizes are in bytes.</summary>
/// <param name="Source">The archive's absolute path.</param>
/// <param name="Destination">The disk's absolute path.</param>
/// <param name="Format">The disk's format.</param>
/// <param name="ChainLength">How many VHDs there were in the chain.</param>
/// <param name="VirtualSize">The size that a guest sees.</param>
/// <param name="FileSize">The new file's length.</param>
/// <param name="UnpackedBytes">What the archive's entries have together.</param>
/// <param name="Verified">Whether the disk was read back and is the same.</param>
/// <param name="Duration">How long it took.</param>
public sealed record XenServerImageResult(
    string Source,
    string Destination,
    ImageFormat Format,
    int ChainLength,
    long VirtualSize,
    long FileSize,
    long UnpackedBytes,
    bool Verified,
    TimeSpan Duration);
