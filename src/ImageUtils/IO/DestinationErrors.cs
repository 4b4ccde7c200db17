using System.Runtime.InteropServices;
using ImageUtils.Errors;

namespace ImageUtils.IO;

/// <summary>What the system says of a target, said so that an admin knows what to do.</summary>
internal static class DestinationErrors
{
    internal static ImageWriteException NoSpace(string path, long offset) => new(
        ImageWriteProblem.NoSpace, path,
        $"No space is left on {FileSystemOf(path)} for '{path}', after {offset} bytes of it. Free some, or choose "
        + "another destination. What had been written is removed.");

    internal static ImageWriteException From(int error, string path, long offset) => error switch
    {
        PosixWriting.ErrorNoSpace => NoSpace(path, offset),
        PosixWriting.ErrorQuota => new(
            ImageWriteProblem.NoSpace, path,
            $"The disk quota on {FileSystemOf(path)} is used up, after {offset} bytes of '{path}'. What had been "
            + "written is removed."),
        PosixWriting.ErrorFileTooLarge => new(
            ImageWriteProblem.TooLarge, path,
            $"'{path}' would be larger than {FileSystemOf(path)}, or this user's limit, allows a file to be "
            + $"({offset} bytes). Choose another destination, or a format that takes less."),
        _ => new(
            ImageWriteProblem.WriteFailed, path,
            $"Writing '{path}' at byte {offset} failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error})."),
    };

    internal static ImageWriteException FromOpening(int error, string path) => error switch
    {
        Posix.ErrorNotFound or PosixWriting.ErrorNotADirectory => new(
            ImageWriteProblem.NotFound, path,
            $"The directory of '{path}' does not exist. Make it first, or check the path."),
        Posix.ErrorAccess or Posix.ErrorPermission or PosixWriting.ErrorReadOnly => new(
            ImageWriteProblem.AccessDenied, path,
            $"Writing '{path}' was denied ({Marshal.GetPInvokeErrorMessage(error)}). Run as a user who may, or change "
            + "the directory's permissions."),
        PosixWriting.ErrorExists => Exists(path),
        PosixWriting.ErrorBusy => new(
            ImageWriteProblem.InUse, path,
            $"'{path}' is in use: it is mounted, or something else holds it. Release it first."),
        PosixWriting.ErrorIsADirectory => new(
            ImageWriteProblem.NotAFile, path, $"'{path}' is a directory."),
        PosixWriting.ErrorNoSpace or PosixWriting.ErrorQuota => NoSpace(path, 0),
        _ => new(
            ImageWriteProblem.WriteFailed, path,
            $"'{path}' cannot be written: {Marshal.GetPInvokeErrorMessage(error)} (errno {error})."),
    };

    internal static ImageWriteException Exists(string path) => new(
        ImageWriteProblem.Exists, path,
        $"'{path}' exists already. Use -Force to replace it once the new image is complete, or another name.");

    private static string FileSystemOf(string path)
    {
        try
        {
            // The longest mount point that the path begins with.
            var full = Path.GetFullPath(path);
            var drive = DriveInfo.GetDrives()
                .Where(drive => full.StartsWith(drive.Name, StringComparison.Ordinal)
                    && (drive.Name.EndsWith('/') || full.Length == drive.Name.Length || full[drive.Name.Length] == '/'
                        || OperatingSystem.IsWindows()))
                .MaxBy(drive => drive.Name.Length);
            return drive is null ? "its file system" : $"the file system '{drive.Name}' ({drive.DriveFormat})";
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return "its file system";
        }
    }
}
