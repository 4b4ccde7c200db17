using ImageUtils.Inspection;
using ImageUtils.Space;

namespace ImageUtils.Errors;

/// <summary>A file system or block device lacks the room that the work takes, or did so while it went on.</summary>
public sealed class InsufficientSpaceException : ImageUtilsException
{
    /// <summary>Makes the error for a check made before the work began.</summary>
    /// <param name="reports">What was found; those that are not enough are named.</param>
    public InsufficientSpaceException(IReadOnlyList<ImageSpaceReport> reports)
        : base($"{string.Join(" ", Short(reports).Select(report => report.Message))} "
            + "Free some space, or choose another directory.") => Reports = Short(reports);

    /// <summary>Makes the error for a write that found no space left.</summary>
    /// <param name="report">What there is now.</param>
    /// <param name="innerException">What the operating system said.</param>
    public InsufficientSpaceException(ImageSpaceReport report, Exception innerException)
        : base($"No space was left for '{Printable.Text(report.Directory ?? "")}' on {report.FileSystemText} while it "
            + $"was written. {ByteSize.ToText(report.AvailableBytes)} are available now; "
            + $"{ByteSize.ToText(report.RequiredBytes)} are needed. Free some space, or choose another directory.",
            innerException) => Reports = [report];

    /// <summary>Where the space is short.</summary>
    public IReadOnlyList<ImageSpaceReport> Reports { get; }

    /// <inheritdoc/>
    public override string ErrorId => "NoSpace";

    private static List<ImageSpaceReport> Short(IReadOnlyList<ImageSpaceReport> reports) =>
        [.. reports.Where(report => !report.IsEnough)];
}

/// <summary>An image's virtual size is larger than the volume that it is meant for.</summary>
/// <param name="report">What was found.</param>
public sealed class ImageTooLargeForVolumeException(ImageSpaceReport report)
    : ImageUtilsException($"{report.Message} Use a larger volume, or resize the image.")
{
    /// <summary>What was found.</summary>
    public ImageSpaceReport Report => report;

    /// <inheritdoc/>
    public override string ErrorId => "ImageTooLargeForVolume";
}

/// <summary>How large the disk in a file is cannot be said, so that no room can be compared with it.</summary>
/// <param name="path">The file.</param>
/// <param name="format">Its format.</param>
public sealed class VirtualSizeUnknownException(string path, ImageFormat format) : ImageUtilsException(
    $"'{Printable.Text(path)}' ({format.ToName()}) does not say how large the disk in it is. If it wraps an image, "
    + "unpack it first.")
{
    /// <summary>The file.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => "VirtualSizeUnknown";
}
