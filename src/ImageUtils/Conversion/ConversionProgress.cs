namespace ImageUtils.Conversion;

/// <summary>How far a conversion is.</summary>
/// <param name="Stage">What is being done.</param>
/// <param name="Position">How far on the guest's disk, in bytes.</param>
/// <param name="Total">The disk's size in bytes.</param>
public readonly record struct ConversionProgress(ConversionStage Stage, long Position, long Total)
{
    /// <summary>How much is done, 0 to 100.</summary>
    public double Percent => Total == 0 ? 100 : 100.0 * Position / Total;
}

/// <summary>What a conversion is doing.</summary>
public enum ConversionStage
{
    /// <summary>Moving data.</summary>
    Converting,

    /// <summary>Waiting for the disk.</summary>
    Flushing,

    /// <summary>Reading back.</summary>
    Verifying,

    /// <summary>Reading two images.</summary>
    Comparing,

    /// <summary>Finding out how large the result would be.</summary>
    Measuring,

    /// <summary>Taking the parts of an image out of an archive.</summary>
    Unpacking,

    /// <summary>Reading a file to sign it, or to verify its signature.</summary>
    Hashing,

    /// <summary>Getting an image from a service.</summary>
    Downloading,

    /// <summary>Sending an image to a service.</summary>
    Uploading,
}
