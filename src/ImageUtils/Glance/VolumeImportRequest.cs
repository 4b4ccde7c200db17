using ImageUtils.Conversion;
using ImageUtils.Inspection;
using ImageUtils.Signatures;

namespace ImageUtils.Glance;

/// <summary>An image that is to become a volume.</summary>
public sealed record VolumeImportRequest
{
    /// <summary>The service.</summary>
    public required GlanceClient Client { get; init; }

    /// <summary>The image's id or name.</summary>
    public required string Image { get; init; }

    /// <summary>The volume: a new file, or a block device that exists.</summary>
    public required string Destination { get; init; }

    /// <summary>What it becomes.</summary>
    public ImageFormat Format { get; init; } = ImageFormat.Raw;

    /// <summary>What the new image is like; its virtual size is the image's.</summary>
    public WriterOptions Target { get; init; } = new() { VirtualSize = 0 };

    /// <summary>The volume's size in GiB, which the image must not exceed; null: any.</summary>
    public long? VolumeSizeGiB { get; init; }

    /// <summary>Whether a file that exists may be replaced, once the new one is complete.</summary>
    public bool Overwrite { get; init; }

    /// <summary>
    /// Whether the image is downloaded to the conversion directory as it is, converted from there, and kept.
    /// </summary>
    public bool KeepSource { get; init; }

    /// <summary>A file that has the image already, from an earlier download; null: none.</summary>
    public SavedGlanceImage? Saved { get; init; }

    /// <summary>What is allowed of the image. It can name no other files.</summary>
    public InspectionOptions Inspection { get; init; } = InspectionOptions.Default;

    /// <summary>Where certificates of signatures come from.</summary>
    public CertificateTrust Trust { get; init; } = new();

    /// <summary>Whether an image that is not signed is refused.</summary>
    public bool RequiresSignature { get; init; }

    /// <summary>Where temporary files go, where one is needed.</summary>
    public required string ConversionDirectory { get; init; }

    /// <summary>Whether any change of format is refused (<c>ConversionDisabled</c> of the configuration).</summary>
    public bool ConversionDisabled { get; init; }

    /// <summary>How qemu-img is run where it is.</summary>
    public QemuSettings Qemu { get; init; } = QemuSettings.Default;
}

/// <summary>How an image came.</summary>
public enum VolumeImportMethod
{
    /// <summary>In one pass, without a temporary file.</summary>
    Streamed,

    /// <summary>Through a file in the conversion directory.</summary>
    TemporaryFile,

    /// <summary>From a file that an earlier download had left.</summary>
    SavedFile,
}

/// <summary>An image that has become a volume.</summary>
public sealed record VolumeImportResult
{
    /// <summary>The image's id.</summary>
    public required string ImageId { get; init; }

    /// <summary>The image's name.</summary>
    public string? Name { get; init; }

    /// <summary>The volume's absolute path.</summary>
    public required string Destination { get; init; }

    /// <summary>The format that the image has.</summary>
    public required ImageFormat SourceFormat { get; init; }

    /// <summary>The format that the volume has.</summary>
    public required ImageFormat DestinationFormat { get; init; }

    /// <summary>Its kind within the format; null where there is one only.</summary>
    public string? Subformat { get; init; }

    /// <summary>The size that a guest sees, in bytes.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>The volume's length in bytes.</summary>
    public required long FileSize { get; init; }

    /// <summary>The image's length in bytes.</summary>
    public required long ImageSize { get; init; }

    /// <summary>How the image came.</summary>
    public required VolumeImportMethod Method { get; init; }

    /// <summary>How much went through temporary files, in bytes.</summary>
    public long TemporaryBytes { get; init; }

    /// <summary>The hash that was compared with Glance's; null where Glance has none that is known here.</summary>
    public string? HashAlgorithm { get; init; }

    /// <summary>Its value in hexadecimal digits.</summary>
    public string? HashValue { get; init; }

    /// <summary>Whether the image is signed, and its signature right.</summary>
    public bool SignatureVerified { get; init; }

    /// <summary>The image's file, where it was kept.</summary>
    public SavedGlanceImage? Source { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The image's length over the duration, in millions of bytes a second.</summary>
    public double MegabytesPerSecond =>
        Duration > TimeSpan.Zero ? Math.Round(ImageSize / 1e6 / Duration.TotalSeconds, 1) : 0;
}
