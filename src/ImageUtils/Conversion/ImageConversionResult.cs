namespace ImageUtils.Conversion;

/// <summary>A conversion that is complete.</summary>
public sealed record ImageConversionResult
{
    /// <summary>The source's absolute path.</summary>
    public required string Source { get; init; }

    /// <summary>The new image's absolute path.</summary>
    public required string Destination { get; init; }

    /// <summary>The format that the source has.</summary>
    public required ImageFormat SourceFormat { get; init; }

    /// <summary>The format that the new image has.</summary>
    public required ImageFormat DestinationFormat { get; init; }

    /// <summary>The new image's kind within the format; null where there is one only.</summary>
    public string? Subformat { get; init; }

    /// <summary>The size that a guest sees, in bytes.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>The new file's length in bytes.</summary>
    public required long FileSize { get; init; }

    /// <summary>How much was read from the source's files, in bytes; null where qemu-img did it.</summary>
    public long? BytesRead { get; init; }

    /// <summary>How much was written, in bytes; null where qemu-img did it.</summary>
    public long? BytesWritten { get; init; }

    /// <summary>How much shares its blocks with the source (reflink), in bytes.</summary>
    public long BytesShared { get; init; }

    /// <summary>How much went through temporary files, in bytes: what a compressed source was unpacked to.</summary>
    public long TemporaryBytes { get; init; }

    /// <summary>How long it took, flushing and verifying included.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The disk's size over the duration, in millions of bytes a second.</summary>
    public double MegabytesPerSecond =>
        Duration > TimeSpan.Zero ? Math.Round(VirtualSize / 1e6 / Duration.TotalSeconds, 1) : 0;

    /// <summary>What did it: <see cref="ConversionEngine.Native"/> or <see cref="ConversionEngine.Qemu"/>.</summary>
    public required ConversionEngine Engine { get; init; }

    /// <summary>Whether the guest's data was read back and is the same.</summary>
    public bool Verified { get; init; }

    /// <summary>Where on the guest's disk an interrupted conversion was taken up, in bytes; null: from the start.</summary>
    public long? ResumedAt { get; init; }

    /// <summary>Whether anything was converted; false where the image was passed through as it is.</summary>
    public bool Converted { get; init; } = true;
}
