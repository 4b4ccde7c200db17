using ImageUtils.Errors;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <summary>
/// An image that is open for writing, and that no qemu has open nor opens while this lives. What else reads or writes it
/// without locks is not seen.
/// </summary>
/// <remarks>
/// QEMU, block/file-posix.c: every process that opens an image holds shared locks on some of the bytes from 100 on (what
/// it does) and from 200 on (what it suffers nobody to do), one for each of up to 64 permissions. An exclusive lock on all
/// of them is refused where any is held. On file systems without such locks nothing is seen.
/// </remarks>
internal sealed class ImageLock : IDisposable
{
    private const long FirstByte = 100;
    private const long Length = 164;

    private ImageLock(string path, SafeFileHandle handle, long? deviceLength)
    {
        Path = path;
        Handle = handle;
        Sink = new FileByteSink(handle, path, isZeroed: false, deviceLength);
    }

    /// <summary>The image's path as it was given.</summary>
    internal string Path { get; }

    internal SafeFileHandle Handle { get; }

    /// <summary>Writes to the image.</summary>
    internal FileByteSink Sink { get; }

    /// <param name="path">The image's absolute path.</param>
    /// <exception cref="ImageFileException">It is no file.</exception>
    /// <exception cref="ImageWriteException">It may not be written, or is in use.</exception>
    internal static ImageLock Acquire(string path)
    {
        bool isDevice;
        long length;
        using (var file = FileByteSource.Open(path))
        {
            (isDevice, length) = (file.IsBlockDevice, file.Length);
        }

        var handle = OpenForWriting(path);
        if (OperatingSystem.IsLinux()
            && PosixWriting.LockRange(handle, FirstByte, Length) is Posix.ErrorAccess or PosixWriting.ErrorTryAgain)
        {
            handle.Dispose();
            throw new ImageWriteException(
                ImageWriteProblem.InUse, path,
                $"'{path}' is in use: a virtual machine, or another program of qemu's, has it open. Stop that first.");
        }

        return new ImageLock(path, handle, isDevice ? length : null);
    }

    /// <summary>Whether a source is the very file that is locked, and not one that took its name meanwhile.</summary>
    internal bool IsSameFileAs(FileByteSource source) =>
        !OperatingSystem.IsLinux() || IdentityOf(Handle) == IdentityOf(source.Handle);

    public void Dispose()
    {
        if (OperatingSystem.IsLinux())
        {
            PosixWriting.Unlock(Handle);
        }

        Handle.Dispose();
    }

    private static Posix.FileIdentity? IdentityOf(SafeFileHandle handle) =>
        Posix.FindIdentity($"/proc/self/fd/{handle.DangerousGetHandle()}");

    private static SafeFileHandle OpenForWriting(string path)
    {
        if (OperatingSystem.IsLinux())
        {
            var handle = PosixWriting.Open(path, PosixWriting.OpenReadWrite, 0, out var error);
            if (error == 0)
            {
                return handle;
            }

            handle.Dispose();
            throw DestinationErrors.FromOpening(error, path);
        }

        try
        {
            return File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read | FileShare.Delete);
        }
        catch (UnauthorizedAccessException)
        {
            throw DestinationErrors.FromOpening(Posix.ErrorAccess, path);
        }
        catch (IOException exception)
        {
            throw new ImageWriteException(
                ImageWriteProblem.InUse, path, $"'{path}' cannot be opened for writing: {exception.Message}");
        }
    }
}
