namespace ImageUtils.Mapping;

/// <summary>What the extents of a disk add up to. Lengths are in bytes.</summary>
public sealed record DiskImageMapSummary
{
    /// <summary>The image's absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>The image's format.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary>The size that a guest sees.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>Where on the guest's disk the counted range begins.</summary>
    public long Start { get; init; }

    /// <summary>The length of the counted range: all of the disk, unless a part was asked for.</summary>
    public required long Length { get; init; }

    /// <summary>How much of the disk lies in files as it is.</summary>
    public long DataBytes { get; init; }

    /// <summary>How much of the disk lies compressed in files, as the guest sees it.</summary>
    public long CompressedBytes { get; init; }

    /// <summary>What that takes up in files, at most.</summary>
    public long CompressedHostBytes { get; init; }

    /// <summary>How much of the disk an image states to be zero.</summary>
    public long ZeroBytes { get; init; }

    /// <summary>How much of the disk nothing is said of; it reads as zero.</summary>
    public long HoleBytes { get; init; }

    /// <summary>How much of the disk files have bytes for.</summary>
    public long AllocatedBytes => DataBytes + CompressedBytes;

    /// <summary>How much of the range files have bytes for, 0 to 100.</summary>
    public double PercentAllocated => Length == 0 ? 0 : Math.Round(100.0 * AllocatedBytes / Length, 2);

    /// <summary>How many extents there are.</summary>
    public long ExtentCount { get; init; }

    /// <summary>
    /// In how many pieces the data lies in its files, read in the guest's order. A gap that is as long on the disk as in the
    /// file parts nothing, so that a raw image is one piece.
    /// </summary>
    public long FragmentCount { get; init; }

    /// <summary>How much each file holds, those of the image first.</summary>
    public IReadOnlyList<DiskImageMapFile> Files { get; init; } = [];
}

/// <summary>What a file holds of a disk.</summary>
/// <param name="Path">The file's absolute path.</param>
/// <param name="Depth">How far below the image it is: 0 for its own files, 1 for those of its parent.</param>
/// <param name="GuestBytes">How much of the disk it holds, in bytes.</param>
/// <param name="HostBytes">What that takes up in the file, in bytes; of compressed data at most.</param>
public sealed record DiskImageMapFile(string Path, int? Depth, long GuestBytes, long HostBytes);
