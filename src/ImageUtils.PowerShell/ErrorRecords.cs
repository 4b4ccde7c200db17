using System.Management.Automation;
using System.Security;
using ImageUtils.Errors;

namespace ImageUtils.PowerShell;

/// <summary>The only map from the engine's exceptions to error records.</summary>
internal static class ErrorRecords
{
    internal static ErrorRecord From(Exception exception, object? target) => exception switch
    {
        ImageUtilsException known => new(known, known.ErrorId, CategoryOf(known), target),
        FormatException => new(exception, "ArgumentNotUnderstood", ErrorCategory.InvalidArgument, target),
        UnauthorizedAccessException or SecurityException =>
            new(exception, "FileAccessDenied", ErrorCategory.PermissionDenied, target),
        IOException => new(exception, "FileReadFailed", ErrorCategory.ReadError, target),
        _ => new(exception, "Unexpected", ErrorCategory.NotSpecified, target),
    };

    internal static ErrorRecord NotAFileSystemPath(string path) => new(
        new PSArgumentException($"'{path}' is not on a file system. Name a file."),
        "PathIsNotOnAFileSystem", ErrorCategory.InvalidArgument, path);

    internal static ErrorRecord WildcardsOfAName(string path) => new(
        new ItemNotFoundException(
            $"No file matches the pattern '{path}', but there is a file of exactly that name. Use -LiteralPath."),
        "PathHasWildcards", ErrorCategory.ObjectNotFound, path);

    private static ErrorCategory CategoryOf(ImageUtilsException exception) => exception switch
    {
        ImageFileException file => file.Problem switch
        {
            ImageFileProblem.NotFound => ErrorCategory.ObjectNotFound,
            ImageFileProblem.AccessDenied => ErrorCategory.PermissionDenied,
            ImageFileProblem.IsDirectory or ImageFileProblem.NotAFile => ErrorCategory.InvalidType,
            ImageFileProblem.Empty => ErrorCategory.InvalidData,
            ImageFileProblem.CannotOpen => ErrorCategory.OpenError,
            _ => ErrorCategory.ReadError,
        },
        ImageFormatException or ImageFormatMismatchException or QemuOutputException => ErrorCategory.InvalidData,
        ImageUnsafeException => ErrorCategory.SecurityError,
        QemuImgNotFoundException or ZstdMissingException => ErrorCategory.NotInstalled,
        QemuDriverMissingException => ErrorCategory.NotImplemented,
        QemuImgTimedOutException => ErrorCategory.OperationTimeout,
        QemuImgLimitExceededException => ErrorCategory.LimitsExceeded,
        QemuImgFailedException => ErrorCategory.FromStdErr,
        _ => ErrorCategory.NotSpecified,
    };
}
