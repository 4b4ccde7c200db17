namespace ImageUtils.Conversion;

/// <summary>Two images whose disks are to be compared.</summary>
public sealed record DiskComparisonRequest
{
    /// <summary>The image: a file or block device.</summary>
    public required string Path { get; init; }

    /// <summary>What it is compared with.</summary>
    public required string ReferencePath { get; init; }

    /// <summary>How the image is opened.</summary>
    public OpenOptions Image { get; init; } = OpenOptions.Default;

    /// <summary>How the reference is opened.</summary>
    public OpenOptions Reference { get; init; } = OpenOptions.Default;

    /// <summary>
    /// Whether disks of different sizes are different, even where the rest of the larger one is zero. Unlike
    /// <c>qemu-img compare -s</c> it does not ask for the same ranges to be allocated: a format decides that, not a guest.
    /// </summary>
    public bool Strict { get; init; }
}
