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
}
