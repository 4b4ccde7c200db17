using ImageUtils.Safety;

namespace ImageUtils.Inspection;

/// <summary>What one image is, as read from its bytes, and the verdict of every safety check.</summary>
public sealed class ImageInspection
{
    /// <summary>The format found. Where several match, the first; the check <c>ambiguous</c> has then failed.</summary>
    public ImageFormat Format { get; internal set; }

    /// <summary>
    /// Every format that matches; one, but for ambiguous content, and for optical discs and fixed VHDs with partitions.
    /// </summary>
    public IReadOnlyList<ImageFormat> MatchedFormats { get; internal set; } = [];

    /// <summary>The kind within the format (<c>dynamic</c>, <c>streamOptimized</c>…); null where there is one only.</summary>
    public string? Subformat { get; internal set; }

    /// <summary>The format's version as its header states it.</summary>
    public string? FormatVersion { get; internal set; }

    /// <summary>The size that a guest sees, in bytes; null where the header does not say or cannot be believed.</summary>
    public long? VirtualSize { get; internal set; }

    /// <summary>The file's length in bytes.</summary>
    public long FileSize { get; internal set; }

    /// <summary>What the file takes up on disk, in bytes; null for streams and devices.</summary>
    public long? AllocatedSize { get; internal set; }

    /// <summary>The unit of allocation in bytes: cluster, block or grain.</summary>
    public long? ClusterSize { get; internal set; }

    /// <summary>The backing file or parent, as written in the image.</summary>
    public string? BackingFile { get; internal set; }

    /// <summary>The backing file's format, as written in the image.</summary>
    public string? BackingFormat { get; internal set; }

    /// <summary>The external data file, as written in the image.</summary>
    public string? DataFile { get; internal set; }

    /// <summary>Names of the other files that hold this image's data, as written in it (VMDK extents).</summary>
    public IReadOnlyList<string> ExtentFiles { get; internal set; } = [];

    /// <summary>Internal snapshots.</summary>
    public IReadOnlyList<ImageSnapshot> Snapshots { get; internal set; } = [];

    /// <summary>Whether the guest's data is encrypted.</summary>
    public bool IsEncrypted { get; internal set; }

    /// <summary>Whether the image was not closed properly.</summary>
    public bool IsDirty { get; internal set; }

    /// <summary>Whether the image is marked as corrupt.</summary>
    public bool IsCorrupt { get; internal set; }

    /// <summary>Whether a log must be replayed before the image can be read (VHDX).</summary>
    public bool IsLogPending { get; internal set; }

    /// <summary>How compressed clusters are compressed; null where the format does not compress.</summary>
    public string? CompressionType { get; internal set; }

    /// <summary>The feature bits that are set, by the specification's names.</summary>
    public IReadOnlyList<string> Features { get; internal set; } = [];

    /// <summary>What only this format has.</summary>
    public FormatDetails? Details { get; internal set; }

    /// <summary>The image inside an encrypted volume, where a passphrase opened it.</summary>
    public ImageInspection? InnerImage { get; internal set; }

    /// <summary>Every check with its verdict.</summary>
    public IReadOnlyList<SafetyCheckResult> Checks { get; internal set; } = [];

    /// <summary>The checks that failed.</summary>
    public IEnumerable<SafetyCheckResult> Failures => Checks.Where(check => check.IsFailure);

    /// <summary>Whether no check failed.</summary>
    public bool IsSafe => !Checks.Any(check => check.IsFailure);
}
