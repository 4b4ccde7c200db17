using ImageUtils.Inspection;
using ImageUtils.Signatures;

namespace ImageUtils.Glance;

/// <summary>An image that is to be downloaded.</summary>
public sealed record ImageSaveRequest
{
    /// <summary>The service.</summary>
    public required GlanceClient Client { get; init; }

    /// <summary>The image's id or name.</summary>
    public required string Image { get; init; }

    /// <summary>The new file.</summary>
    public required string Destination { get; init; }

    /// <summary>Whether a file that exists may be replaced, once the new one is complete.</summary>
    public bool Overwrite { get; init; }

    /// <summary>Whether an interrupted download keeps its partial file, and goes on from one that is there.</summary>
    public bool Resume { get; init; }

    /// <summary>What is allowed of the image.</summary>
    public InspectionOptions Inspection { get; init; } = InspectionOptions.Default;

    /// <summary>Where certificates of signatures come from.</summary>
    public CertificateTrust Trust { get; init; } = new();

    /// <summary>Whether an image that is not signed is refused.</summary>
    public bool RequiresSignature { get; init; }

    /// <summary>Whether free space is looked at first.</summary>
    public bool CheckSpace { get; init; } = true;
}

/// <summary>An image that was downloaded, and is what it should be.</summary>
public sealed record SavedGlanceImage
{
    /// <summary>The image's id.</summary>
    public required string ImageId { get; init; }

    /// <summary>The image's name.</summary>
    public string? Name { get; init; }

    /// <summary>The file's absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Its length in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>Glance's disk format.</summary>
    public string? DiskFormat { get; init; }

    /// <summary>Glance's container format.</summary>
    public string? ContainerFormat { get; init; }

    /// <summary>The format that was found in it.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary>The size that a guest sees, in bytes; null where the file does not say.</summary>
    public long? VirtualSize { get; init; }

    /// <summary>The hash that was compared with Glance's; null where Glance has none that is known here.</summary>
    public string? HashAlgorithm { get; init; }

    /// <summary>Its value in hexadecimal digits.</summary>
    public string? HashValue { get; init; }

    /// <summary>Whether the image is signed, and its signature right.</summary>
    public bool SignatureVerified { get; init; }

    /// <summary>From which byte on it was downloaded now; 0: all of it.</summary>
    public long ResumedAt { get; init; }

    /// <summary>When the file was written to last.</summary>
    internal DateTime LastWriteTimeUtc { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The bytes that came over the duration, in millions a second.</summary>
    public double MegabytesPerSecond => Duration > TimeSpan.Zero
        ? Math.Round((Size - ResumedAt) / 1e6 / Duration.TotalSeconds, 1)
        : 0;

    /// <summary>Whether the file is as it was when it was complete, as far as its length and time tell.</summary>
    public bool IsUnchanged()
    {
        var file = new FileInfo(Path);
        return file.Exists && file.Length == Size && file.LastWriteTimeUtc == LastWriteTimeUtc;
    }
}
