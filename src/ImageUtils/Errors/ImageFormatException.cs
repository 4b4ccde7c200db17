namespace ImageUtils.Errors;

/// <summary>
/// An image's structure is not what its format demands. Inspection turns this into a failed check; readers let it
/// through.
/// </summary>
/// <param name="check">The safety check that this fails, such as <c>tables</c> or <c>truncated</c>.</param>
/// <param name="message">Names format, field, host offset and the value found.</param>
public class ImageFormatException(string check, string message) : ImageUtilsException(message)
{
    /// <summary>The safety check that this fails.</summary>
    public string Check => check;

    /// <inheritdoc/>
    public override string ErrorId => "ImageIsMalformed";
}

/// <summary>The file ends before a structure that its header promises.</summary>
/// <param name="message">Names format, structure and where it should be.</param>
public sealed class TruncatedImageException(string message)
    : ImageFormatException(Safety.CheckNames.Truncated, message)
{
    /// <inheritdoc/>
    public override string ErrorId => "ImageIsTruncated";
}

/// <summary>A structure lies before bytes that have been read already, and was not kept.</summary>
/// <param name="offset">Where it lies, in bytes from the start.</param>
/// <param name="position">How far the source had been read, in bytes.</param>
public sealed class BackwardReadException(long offset, long position) : ImageFormatException(
    Safety.CheckNames.Tables,
    $"A structure at byte {offset} lies before byte {position}, where it is referred to from: no usual tool writes "
    + "images in this order, and it cannot be verified in one pass.");

/// <summary>An image's metadata is larger than an inspection reads.</summary>
/// <param name="limit">The most that is read, in bytes.</param>
public sealed class ReadLimitException(long limit) : ImageFormatException(
    Safety.CheckNames.Tables, $"The image's metadata is larger than the {limit} bytes that an inspection reads.");
