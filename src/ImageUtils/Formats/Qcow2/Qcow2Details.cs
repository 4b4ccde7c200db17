using ImageUtils.Inspection;

namespace ImageUtils.Formats.Qcow2;

/// <summary>What only qcow2 has.</summary>
public sealed record Qcow2Details : FormatDetails
{
    /// <summary><c>0.10</c> for version 2, <c>1.1</c> for version 3, as qemu-img names them.</summary>
    public required string Compat { get; init; }

    /// <summary>The width of a reference count, in bits.</summary>
    public required int RefcountBits { get; init; }

    /// <summary>How compressed clusters are compressed: <c>zlib</c> or <c>zstd</c>; null where it was not said.</summary>
    public string? CompressionType { get; init; }

    /// <summary>Whether reference counts may lag behind; null in version 2.</summary>
    public bool? LazyRefcounts { get; init; }

    /// <summary>Whether the image is marked corrupt; null in version 2.</summary>
    public bool? Corrupt { get; init; }

    /// <summary>Whether L2 entries carry subclusters; null in version 2.</summary>
    public bool? ExtendedL2 { get; init; }

    /// <summary>The external data file, as written in the image; null without one.</summary>
    public string? DataFile { get; init; }

    /// <summary>Whether an external data file is itself a raw image; null without one.</summary>
    public bool? DataFileRaw { get; init; }

    /// <summary>How the guest's data is encrypted (<c>aes</c>, <c>luks</c>); null where it is not.</summary>
    public string? EncryptionFormat { get; init; }

    /// <summary>The header of the encryption, described as a volume of its own would be; null where it was not read.</summary>
    public FormatDetails? Encryption { get; init; }

    /// <summary>Dirty bitmaps stored in the image.</summary>
    public IReadOnlyList<Qcow2Bitmap> Bitmaps { get; init; } = [];
}

/// <summary>A dirty bitmap stored in a qcow2 image.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Granularity">The bytes that one bit stands for.</param>
/// <param name="InUse">Whether it was not saved properly.</param>
/// <param name="Auto">Whether it records from the moment that the image is opened.</param>
public sealed record Qcow2Bitmap(string Name, long Granularity, bool InUse, bool Auto);
