using ImageUtils.Inspection;

namespace ImageUtils.Errors;

/// <summary>An image of Glance's is not what it says, or not allowed (Cinder's ImageUnacceptable).</summary>
/// <param name="imageId">The image's id.</param>
/// <param name="reason">One or more sentences that say why, and what to do.</param>
/// <param name="innerException">What was found.</param>
public sealed class ImageUnacceptableException(string imageId, string reason, Exception? innerException = null)
    : ImageUtilsException($"The image {Printable.Text(imageId)} is unacceptable. {reason}", innerException)
{
    /// <summary>The image's id.</summary>
    public string ImageId => imageId;

    /// <inheritdoc/>
    public override string ErrorId => "ImageUnacceptable";
}

/// <summary>The bytes that came are not those whose hash Glance has.</summary>
/// <param name="imageId">The image's id.</param>
/// <param name="algorithm">The hash's algorithm.</param>
/// <param name="expected">The hash that Glance has, in hexadecimal digits.</param>
/// <param name="actual">That of the bytes.</param>
public sealed class ImageHashMismatchException(string imageId, string algorithm, string expected, string actual)
    : ImageUtilsException(
        $"The data of the image {Printable.Text(imageId)} has the {Printable.Text(algorithm)} {actual}, but Glance has "
        + $"{Printable.Text(expected)}: it was changed in the store or on the way. Nothing of it was kept. Try again; if that "
        + "does not help, the image is damaged.")
{
    /// <summary>The image's id.</summary>
    public string ImageId => imageId;

    /// <inheritdoc/>
    public override string ErrorId => "ImageHashMismatch";
}
