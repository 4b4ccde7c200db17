using ImageUtils.Inspection;

namespace ImageUtils.Errors;

/// <summary>An image is not of the format that the caller says it is.</summary>
/// <param name="path">The image.</param>
/// <param name="claimed">What the caller says.</param>
/// <param name="found">What it is.</param>
public sealed class ImageFormatMismatchException(string path, ImageFormat claimed, ImageFormat found)
    : ImageUtilsException(
        $"'{Printable.Text(path)}' is {found.ToName()}, not {claimed.ToName()} as it should be. "
        + "Check where it comes from, or name the format that it has.")
{
    /// <summary>The image.</summary>
    public string Path => path;

    /// <summary>What the caller says.</summary>
    public ImageFormat Claimed => claimed;

    /// <summary>What it is.</summary>
    public ImageFormat Found => found;

    /// <inheritdoc/>
    public override string ErrorId => "ImageFormatMismatch";
}
