using ImageUtils.Inspection;

namespace ImageUtils.Conversion;

/// <summary>How an image is to be opened.</summary>
public sealed record OpenOptions
{
    /// <summary>The strict policy, no claim.</summary>
    public static OpenOptions Default { get; } = new();

    /// <summary>What the inspection is told; its policy is the gate for parents, backing files and extents.</summary>
    public InspectionOptions Inspection { get; init; } = InspectionOptions.Default;

    /// <summary>What the image is claimed to be; <see cref="ImageFormat.Unknown"/>: the format found is taken.</summary>
    public ImageFormat ClaimedFormat { get; init; }

    /// <summary>The caller knows that the image is raw: nothing of what a guest may have written is looked at.</summary>
    public bool KnownRaw { get; init; }

    /// <summary>The internal snapshot to read, by id or name; null: the disk as it is now.</summary>
    public string? Snapshot { get; init; }

    /// <summary>
    /// Where an image that is compressed as a whole (gzip, xz, zstd) is unpacked to, in a file without a name; null: the
    /// system's directory for temporary files.
    /// </summary>
    public string? TemporaryDirectory { get; init; }

    /// <summary>The most bytes that such an image may unpack to.</summary>
    public long MaximumUnpackedSize { get; init; } = 4L << 40;
}
