using System.IO.Compression;
using ImageUtils.Conversion;
using ImageUtils.Signatures;

namespace ImageUtils.Glance;

/// <summary>A volume that is to become an image.</summary>
public sealed record VolumePublishRequest
{
    /// <summary>The service.</summary>
    public required GlanceClient Client { get; init; }

    /// <summary>The volume: a file or block device.</summary>
    public required string Path { get; init; }

    /// <summary>
    /// How the volume is opened: what it is claimed to be, and what is allowed. One that is raw is not looked into: what a
    /// guest wrote into it is data.
    /// </summary>
    public OpenOptions Source { get; init; } = OpenOptions.Default;

    /// <summary>An image that is queued, whose data this becomes; null: a new one is registered.</summary>
    public string? ImageId { get; init; }

    /// <summary>What a new image is like; its formats are those below.</summary>
    public NewGlanceImage Image { get; init; } = new();

    /// <summary>What the image becomes.</summary>
    public ImageFormat Format { get; init; } = ImageFormat.Raw;

    /// <summary>What its file is like; its virtual size is the volume's.</summary>
    public WriterOptions Target { get; init; } = new() { VirtualSize = 0 };

    /// <summary>Whether the file is compressed as a whole (container_format <c>compressed</c>), and how much; null: not.</summary>
    public CompressionLevel? Gzip { get; init; }

    /// <summary>The store's id; null for the default one.</summary>
    public string? StoreId { get; init; }

    /// <summary>Whether the data goes through Glance's import (<c>glance-direct</c>) instead of being uploaded directly.</summary>
    public bool UsesImport { get; init; }

    /// <summary>Signs the image; null: it is not signed.</summary>
    public ImageSigner? Signer { get; init; }

    /// <summary>Where temporary files go, where one is needed; null: the system's directory.</summary>
    public string? TemporaryDirectory { get; init; }

    /// <summary>
    /// The smallest disk, in GiB, by the virtual size that the image has; null: as <see cref="Image"/> says.
    /// </summary>
    internal Func<long, int>? MinDisk { get; init; }

    /// <summary>What follows once the image is complete. Where it fails, a new image is deleted.</summary>
    internal Func<VolumePublishResult, CancellationToken, Task>? Finish { get; init; }
}

/// <summary>A volume that has become an image.</summary>
public sealed record VolumePublishResult
{
    /// <summary>The image's id.</summary>
    public required string ImageId { get; init; }

    /// <summary>The image's name.</summary>
    public string? Name { get; init; }

    /// <summary>The volume's absolute path.</summary>
    public required string Source { get; init; }

    /// <summary>Glance's disk format.</summary>
    public string? DiskFormat { get; init; }

    /// <summary>Glance's container format.</summary>
    public string? ContainerFormat { get; init; }

    /// <summary>The size that a guest sees, in bytes.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>The image's length in bytes.</summary>
    public required long Size { get; init; }

    /// <summary>The hash that was taken of what was sent.</summary>
    public required string HashAlgorithm { get; init; }

    /// <summary>Its value in hexadecimal digits.</summary>
    public required string HashValue { get; init; }

    /// <summary>Whether Glance has the same; false where it hashes by another algorithm.</summary>
    public bool HashVerified { get; init; }

    /// <summary>Whether the image was signed.</summary>
    public bool Signed { get; init; }

    /// <summary>How much went through temporary files, in bytes.</summary>
    public long TemporaryBytes { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>The image's length over the duration, in millions of bytes a second.</summary>
    public double MegabytesPerSecond => Duration > TimeSpan.Zero ? Math.Round(Size / 1e6 / Duration.TotalSeconds, 1) : 0;
}
