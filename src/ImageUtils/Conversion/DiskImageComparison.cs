namespace ImageUtils.Conversion;

/// <summary>In what two disks differ.</summary>
public enum DiskDifference
{
    /// <summary>In nothing that was asked for.</summary>
    None,

    /// <summary>A byte is not the same.</summary>
    Content,

    /// <summary>The sizes are not the same, and were to be; the contents were not read.</summary>
    Size,
}

/// <summary>What a comparison of two images' disks found.</summary>
public sealed record DiskImageComparison
{
    /// <summary>The image's absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>The absolute path of what it was compared with.</summary>
    public required string ReferencePath { get; init; }

    /// <summary>The image's format.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary>The reference's format.</summary>
    public required ImageFormat ReferenceFormat { get; init; }

    /// <summary>The size of the image's disk in bytes.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>The size of the reference's disk in bytes.</summary>
    public required long ReferenceVirtualSize { get; init; }

    /// <summary>Whether the sizes are the same.</summary>
    public bool IsSameSize => VirtualSize == ReferenceVirtualSize;

    /// <summary>Whether a guest would see the same disk; of different sizes, one with zeros at its end.</summary>
    public bool IsIdentical => Difference == DiskDifference.None;

    /// <summary>In what they differ.</summary>
    public DiskDifference Difference { get; init; }

    /// <summary>The guest offset of the first byte that is not the same; null where there is none, or none was read.</summary>
    public long? FirstDifference { get; init; }

    /// <summary>
    /// How many bytes of the disk were read from one image or both. What is empty in both, or is the same place of the
    /// same file, is not read.
    /// </summary>
    public long BytesCompared { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; init; }
}
