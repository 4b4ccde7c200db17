using ImageUtils.Errors;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <content>Opens the file that is to become the target, and says who may do what with it.</content>
internal sealed partial class Destination
{
    private const UnixFileMode NewFileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead
        | UnixFileMode.GroupWrite | UnixFileMode.OtherRead | UnixFileMode.OtherWrite;
    private const UnixFileMode OwnersMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>What others may do with a copy of files: no more than with any of them.</summary>
    internal static UnixFileMode ModeOfCopy(IEnumerable<string> sources)
    {
        var mode = NewFileMode;
        foreach (var source in OperatingSystem.IsLinux() ? sources : [])
        {
            mode &= Posix.FindOwnership(source)?.Mode ?? 0;
        }

        return mode | OwnersMode;
    }

    // What replaces a file gets its permissions at the end, and is the owner's alone until then.
    private static UnixFileMode ModeFor(string path, UnixFileMode mode) => File.Exists(path) ? OwnersMode : mode;

    internal static void Claim(SafeFileHandle handle, string part, string path)
    {
        if (!Posix.IsOwnFile(handle))
        {
            throw new ImageWriteException(
                ImageWriteProblem.AccessDenied, path,
                $"'{part}', where a conversion to '{path}' would be gone on with, is not a file of this user's alone: it "
                + "belongs to another user, has another name too, or is no file. Remove it, or leave -Resume out.");
        }

        // Whoever had it before may have finished since it was opened here: then it has become the target.
        if (!PosixWriting.TryLock(handle)
            || Posix.FindIdentity(part) != Posix.FindIdentity($"/proc/self/fd/{handle.DangerousGetHandle()}"))
        {
            throw new ImageWriteException(
                ImageWriteProblem.InUse, path, $"Another process is converting to '{path}' at this moment.");
        }
    }

    private static SafeFileHandle OpenFile(string part, FileMode mode, UnixFileMode access, string path)
    {
        if (OperatingSystem.IsLinux())
        {
            // Not a link that somebody else may have put there, nor waiting for the other end of a pipe.
            var flags = PosixWriting.OpenReadWrite | PosixWriting.OpenCreate | PosixWriting.OpenNoFollow
                | Posix.OpenNonBlocking
                | (mode == FileMode.CreateNew ? PosixWriting.OpenExclusive : 0);
            var handle = PosixWriting.Open(part, flags, (int)access, out var error);
            if (error == 0)
            {
                return handle;
            }

            handle.Dispose();
            throw DestinationErrors.FromOpening(error, path);
        }

        try
        {
            return File.OpenHandle(part, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (DirectoryNotFoundException)
        {
            throw DestinationErrors.FromOpening(Posix.ErrorNotFound, path);
        }
        catch (UnauthorizedAccessException)
        {
            throw DestinationErrors.FromOpening(Posix.ErrorAccess, path);
        }
        catch (IOException exception)
        {
            throw new ImageWriteException(
                ImageWriteProblem.WriteFailed, path, $"'{part}' cannot be written: {exception.Message}");
        }
    }
}
