namespace ImageUtils.Errors;

/// <summary>Why bytes could not be written.</summary>
public enum ImageWriteProblem
{
    /// <summary>The file system, or the quota, is full.</summary>
    NoSpace,

    /// <summary>The target may not be written by this user.</summary>
    AccessDenied,

    /// <summary>There is something already, and overwriting it was not asked for.</summary>
    Exists,

    /// <summary>The target's directory, or the device, does not exist.</summary>
    NotFound,

    /// <summary>The device is too small, or the file would be larger than its file system allows.</summary>
    TooLarge,

    /// <summary>Something else writes the same target.</summary>
    InUse,

    /// <summary>The target is a directory, a FIFO or the like.</summary>
    NotAFile,

    /// <summary>The operating system reported another error.</summary>
    WriteFailed,
}

/// <summary>An image cannot be written where it should be.</summary>
/// <param name="problem">Why.</param>
/// <param name="path">The target.</param>
/// <param name="message">What to do about it.</param>
public sealed class ImageWriteException(ImageWriteProblem problem, string path, string message)
    : ImageUtilsException(message)
{
    /// <summary>Why.</summary>
    public ImageWriteProblem Problem => problem;

    /// <summary>The target.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        ImageWriteProblem.NoSpace => "NoSpaceLeft",
        ImageWriteProblem.AccessDenied => "DestinationAccessDenied",
        ImageWriteProblem.Exists => "DestinationExists",
        ImageWriteProblem.NotFound => "DestinationNotFound",
        ImageWriteProblem.TooLarge => "DestinationTooSmall",
        ImageWriteProblem.InUse => "DestinationInUse",
        ImageWriteProblem.NotAFile => "DestinationIsNotAFile",
        _ => "DestinationWriteFailed",
    };
}
