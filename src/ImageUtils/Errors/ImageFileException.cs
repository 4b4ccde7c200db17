namespace ImageUtils.Errors;

/// <summary>What is wrong with a file, before anything is known of its contents.</summary>
public enum ImageFileProblem
{
    /// <summary>There is no such file.</summary>
    NotFound,

    /// <summary>The file may not be read by this user.</summary>
    AccessDenied,

    /// <summary>It is a directory.</summary>
    IsDirectory,

    /// <summary>It is a FIFO, a socket or a character device.</summary>
    NotAFile,

    /// <summary>The file has no bytes.</summary>
    Empty,

    /// <summary>The file shrank while it was being read.</summary>
    Changed,

    /// <summary>The operating system reported an error on reading.</summary>
    ReadFailed,

    /// <summary>The operating system did not open the file, for another reason.</summary>
    CannotOpen,
}

/// <summary>A file cannot be read as an image at all.</summary>
/// <param name="problem">What is wrong.</param>
/// <param name="path">The file.</param>
/// <param name="message">What to do about it.</param>
public sealed class ImageFileException(ImageFileProblem problem, string path, string message)
    : ImageUtilsException(message)
{
    /// <summary>What is wrong.</summary>
    public ImageFileProblem Problem => problem;

    /// <summary>The file.</summary>
    public string Path => path;

    /// <inheritdoc/>
    public override string ErrorId => problem switch
    {
        ImageFileProblem.NotFound => "FileNotFound",
        ImageFileProblem.AccessDenied => "FileAccessDenied",
        ImageFileProblem.IsDirectory => "PathIsDirectory",
        ImageFileProblem.NotAFile => "PathIsNotAFile",
        ImageFileProblem.Empty => "FileIsEmpty",
        ImageFileProblem.Changed => "FileChanged",
        ImageFileProblem.ReadFailed => "FileReadFailed",
        _ => "FileCannotBeOpened",
    };
}
