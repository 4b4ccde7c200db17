using System.IO.Compression;
using ImageUtils.Conversion;
using ImageUtils.Inspection;
using ImageUtils.Signatures;

namespace ImageUtils.Glance;

/// <summary>An image that is to be made anew in another format.</summary>
public sealed record GlanceConversionRequest
{
    /// <summary>The service.</summary>
    public required GlanceClient Client { get; init; }

    /// <summary>The original's id or name.</summary>
    public required string Image { get; init; }

    /// <summary>What the new image becomes.</summary>
    public required ImageFormat Format { get; init; }

    /// <summary>What its file is like; its virtual size is the original's.</summary>
    public WriterOptions Target { get; init; } = new() { VirtualSize = 0 };

    /// <summary>
    /// Whether the file is compressed as a whole (container_format <c>compressed</c>), and how much; null: not.
    /// </summary>
    public CompressionLevel? Gzip { get; init; }

    /// <summary>
    /// Whether a new image is made even of an original that has the format, and the container, already.
    /// </summary>
    public bool Always { get; init; }

    /// <summary>What becomes of the original once the new image is there.</summary>
    public OriginalImage Original { get; init; }

    /// <summary>The new image's name; null: the original's.</summary>
    public string? Name { get; init; }

    /// <summary>
    /// public, private, shared or community; null: the original's, if the new image has the same owner.
    /// </summary>
    public string? Visibility { get; init; }

    /// <summary>The new image's tags; null: the original's.</summary>
    public IReadOnlyList<string>? Tags { get; init; }

    /// <summary>Properties beside the original's, or instead of them.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Properties { get; init; } = [];

    /// <summary>
    /// Prefixes of properties that are not carried over, beside <see cref="ImagePropertyFilter"/>'s own.
    /// </summary>
    public IReadOnlyCollection<string> ReservedNamespaces { get; init; } = [];

    /// <summary>The store's id; null for the default one.</summary>
    public string? StoreId { get; init; }

    /// <summary>Signs the new image; null: it is not signed.</summary>
    public ImageSigner? Signer { get; init; }

    /// <summary>A file that has the original's data already, from an earlier download; null: none.</summary>
    public SavedGlanceImage? Saved { get; init; }

    /// <summary>What is allowed of the original. It can name no other files.</summary>
    public InspectionOptions Inspection { get; init; } = InspectionOptions.Default;

    /// <summary>Where certificates of the original's signature come from.</summary>
    public CertificateTrust Trust { get; init; } = new();

    /// <summary>Whether an original that is not signed is refused.</summary>
    public bool RequiresSignature { get; init; }

    /// <summary>Where temporary files go.</summary>
    public required string ConversionDirectory { get; init; }

    /// <summary>Whether any change of format is refused (<c>ConversionDisabled</c> of the configuration).</summary>
    public bool ConversionDisabled { get; init; }
}

/// <summary>What becomes of an image that was converted.</summary>
public enum OriginalImage
{
    /// <summary>It stays as it is.</summary>
    Kept,

    /// <summary>Lists leave it out.</summary>
    Hidden,

    /// <summary>It is deleted.</summary>
    Removed,
}

/// <summary>An image that was made anew in another format, or has it already. Sizes are in bytes.</summary>
public sealed record GlanceConversionResult
{
    /// <summary>The id of the image that has the format.</summary>
    public required string ImageId { get; init; }

    /// <summary>Its name.</summary>
    public string? Name { get; init; }

    /// <summary>The original's id.</summary>
    public required string OriginalId { get; init; }

    /// <summary>What became of the original.</summary>
    public OriginalImage Original { get; init; }

    /// <summary>Whether there is a new image; false: the original has the format, and nothing was done.</summary>
    public required bool Converted { get; init; }

    /// <summary>The original's format.</summary>
    public required ImageFormat SourceFormat { get; init; }

    /// <summary>Glance's disk format.</summary>
    public string? DiskFormat { get; init; }

    /// <summary>Glance's container format.</summary>
    public string? ContainerFormat { get; init; }

    /// <summary>The size that a guest sees; null where nothing was done, and Glance does not say.</summary>
    public long? VirtualSize { get; init; }

    /// <summary>The original's length.</summary>
    public long OriginalSize { get; init; }

    /// <summary>The image's length.</summary>
    public long Size { get; init; }

    /// <summary>Whether the original is signed, and its signature right.</summary>
    public bool SignatureVerified { get; init; }

    /// <summary>The hash that was taken of what was sent; null where nothing was.</summary>
    public string? HashAlgorithm { get; init; }

    /// <summary>Its value in hexadecimal digits.</summary>
    public string? HashValue { get; init; }

    /// <summary>Whether Glance has the same; false where it hashes by another algorithm.</summary>
    public bool HashVerified { get; init; }

    /// <summary>Whether the new image was signed.</summary>
    public bool Signed { get; init; }

    /// <summary>How much went through temporary files.</summary>
    public long TemporaryBytes { get; init; }

    /// <summary>How long it took.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>What came and what was sent over the duration, in millions of bytes a second.</summary>
    public double MegabytesPerSecond => Converted && Duration > TimeSpan.Zero
        ? Math.Round((OriginalSize + Size) / 1e6 / Duration.TotalSeconds, 1)
        : 0;
}
