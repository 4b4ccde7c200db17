namespace ImageUtils.Qemu;

/// <summary>How <c>qemu-img convert</c> is run.</summary>
public sealed record QemuConvertOptions : QemuRunOptions
{
    /// <summary>The most coroutines that qemu-img has.</summary>
    public const int MaximumCoroutines = 16;

    /// <summary>
    /// Where to: an absolute path. A file is made, or made anew, and is the caller's to rename, and to remove when the
    /// conversion fails. A block device must exist, and be as large as the image.
    /// </summary>
    public required string DestinationPath { get; init; }

    /// <summary>What it becomes.</summary>
    public required ImageFormat DestinationFormat { get; init; }

    /// <summary>
    /// qemu's own options for the format (<c>-o</c>): <c>subformat</c>, <c>cluster_size</c>, <c>compat</c>,
    /// <c>preallocation</c>, <c>compression_type</c>, <c>refcount_bits</c> and so on. Those that lead to other files,
    /// or that belong to the encryption, are refused.
    /// </summary>
    public IReadOnlyDictionary<string, string> FormatOptions { get; init; } = new Dictionary<string, string>();

    /// <summary>Whether the data is compressed (<c>-c</c>); qcow, qcow2 and a streamOptimized vmdk can be.</summary>
    public bool Compress { get; init; }

    /// <summary>The name of the internal snapshot to convert; null: the image as it is.</summary>
    public string? SnapshotName { get; init; }

    /// <summary>The id of the internal snapshot to convert. With a name, both must fit.</summary>
    public string? SnapshotId { get; init; }

    /// <summary>The most that is written, in bytes a second (<c>-r</c>); null: no limit.</summary>
    public long? BandwidthLimit
    {
        get;
        init => field = value is null or > 0
            ? value
            : throw new ArgumentOutOfRangeException(nameof(value), "The bandwidth limit must be more than zero.");
    }

    /// <summary>
    /// How the destination is written. Null: past the page cache where it is a device that can do that, and through
    /// it otherwise; flushed at the end, unlike qemu-img's own default.
    /// </summary>
    public QemuCacheMode? DestinationCache { get; init; }

    /// <summary>How the source is read; null: qemu's default, through the page cache.</summary>
    public QemuCacheMode? SourceCache { get; init; }

    /// <summary>How many coroutines work at a time (<c>-m</c>), 1 to 16; null: qemu's default, 8.</summary>
    public int? Coroutines
    {
        get;
        init => field = value is null or (>= 1 and <= MaximumCoroutines)
            ? value
            : throw new ArgumentOutOfRangeException(
                nameof(value), $"The number of coroutines must be 1 to {MaximumCoroutines}.");
    }

    /// <summary>Whether data may be written in another order than it is read (<c>-W</c>).</summary>
    public bool OutOfOrder { get; init; }

    /// <summary>Whether zeros of the source are written as well, so that all is allocated (<c>-S 0</c>).</summary>
    public bool FullyAllocated { get; init; }

    /// <summary>What opens an encrypted source, in UTF-8; null where it is not encrypted.</summary>
    public ReadOnlyMemory<byte>? SourcePassphrase { get; init; }

    /// <summary>How the destination is encrypted; null: not at all. LUKS needs it, qcow2 may have it.</summary>
    public LuksTarget? Encryption { get; init; }

    /// <summary>Whether an encrypted source may become a destination that is not encrypted.</summary>
    public bool AllowDecrypt { get; init; }

    /// <summary>What it may take: by default as much as it wants, for as long as it wants.</summary>
    public override ProcessLimits Limits { get; init; } = ProcessLimits.None;
}
