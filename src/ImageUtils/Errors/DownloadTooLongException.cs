namespace ImageUtils.Errors;

/// <summary>A remote image could only be inspected by reading all of it, which is more than allowed.</summary>
/// <param name="name">The image's id or address.</param>
/// <param name="limit">What is allowed, in bytes.</param>
/// <param name="length">How long it is, in bytes; null where that is not known.</param>
public sealed class DownloadTooLongException(string name, long limit, long? length) : ImageUtilsException(
    $"'{name}': its server reads no ranges, so that all of it would have to be read, and it has "
    + (length is null ? "" : $"{length} bytes, ") + $"more than the {limit} that are allowed. Allow more "
    + "(-MaximumDownload), or download it and inspect the file.")
{
    /// <summary>The image's id or address.</summary>
    public string Name => name;

    /// <summary>What is allowed, in bytes.</summary>
    public long Limit => limit;

    /// <inheritdoc/>
    public override string ErrorId => "DownloadTooLong";
}
