using ImageUtils.Inspection;

namespace ImageUtils.Errors;

/// <summary>Why an image was not resized.</summary>
public enum ImageResizeProblem
{
    /// <summary>It would become smaller, and nobody allowed that.</summary>
    ShrinkNotAllowed,

    /// <summary>There is data behind the new end.</summary>
    DataBeyondEnd,

    /// <summary>It is a block device, whose size is not the image's to change.</summary>
    BlockDevice,

    /// <summary>It is based on another image, which it could not be after a rewrite, or which would show through.</summary>
    HasParent,

    /// <summary>It has snapshots, saved states or bitmaps that it would lose, or that do not state their size.</summary>
    HasHistory,

    /// <summary>It is marked as dirty or corrupt, or its tables contradict each other.</summary>
    NotClean,

    /// <summary>It has what is not kept by a rewrite, and cannot be resized in place.</summary>
    NotResizable,

    /// <summary>The format cannot have the size.</summary>
    TooLarge,
}

/// <summary>An image was not resized; it is as it was.</summary>
/// <param name="problem">Why.</param>
/// <param name="path">The image.</param>
/// <param name="reason">A sentence that says what was found, and what to do.</param>
public sealed class ImageResizeException(ImageResizeProblem problem, string path, string reason)
    : ImageUtilsException($"'{Printable.Text(path)}' was not resized. {reason}")
{
    /// <summary>Why.</summary>
    public ImageResizeProblem Problem => problem;

    /// <summary>The image.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        ImageResizeProblem.ShrinkNotAllowed => "ShrinkNotAllowed",
        ImageResizeProblem.DataBeyondEnd => "DataBeyondNewEnd",
        ImageResizeProblem.BlockDevice => "BlockDeviceNotResizable",
        ImageResizeProblem.HasParent => "ImageHasParent",
        ImageResizeProblem.HasHistory => "ImageHasSnapshots",
        ImageResizeProblem.NotClean => "ImageNotClean",
        ImageResizeProblem.NotResizable => "ImageNotResizable",
        _ => "SizeNotPossible",
    };
}
