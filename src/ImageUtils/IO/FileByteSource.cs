using System.Runtime.InteropServices;
using ImageUtils.Errors;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <summary>
/// A regular file or block device, read at positions. Nothing else is opened: a FIFO, socket or character device is
/// refused without waiting for its other end.
/// </summary>
public sealed class FileByteSource : ISparseSource, IDisposable
{
    private readonly SafeFileHandle _handle;

    private FileByteSource(string path, SafeFileHandle handle, long length, long? allocatedBytes, bool isBlockDevice)
    {
        Path = path;
        _handle = handle;
        Length = length;
        AllocatedBytes = allocatedBytes;
        IsBlockDevice = isBlockDevice;
    }

    /// <summary>The path as it was given.</summary>
    public string Path { get; }

    /// <summary>The length when the file was opened, in bytes.</summary>
    public long Length { get; }

    /// <summary>What the file takes up on its file system, in bytes; unknown where the platform does not say.</summary>
    public long? AllocatedBytes { get; }

    /// <summary>Whether this is a block device.</summary>
    public bool IsBlockDevice { get; }

    /// <summary>The open file, for calls that work between two files.</summary>
    internal SafeFileHandle Handle => _handle;

    /// <summary>Opens a file or block device for reading.</summary>
    /// <param name="path">An ordinary file system path.</param>
    /// <exception cref="ImageFileException">It is missing, a directory, not readable, or not a file at all.</exception>
    public static FileByteSource Open(string path) =>
        OperatingSystem.IsLinux() ? OpenOnLinux(path) : OpenPortably(path);

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        // A positioned read of a local file does not wait for anything worth a thread switch.
        cancellationToken.ThrowIfCancellationRequested();
        var total = 0;
        var span = buffer.Span;
        while (total < span.Length)
        {
            var read = ReadOnce(span[total..], offset + total);
            if (read == 0)
            {
                break;
            }

            total += read;
        }

        if (total < span.Length && offset + total < Length)
        {
            throw new ImageFileException(
                ImageFileProblem.Changed, Path,
                $"'{Path}' ended at byte {offset + total}, but was {Length} bytes long when it was opened: "
                + "it shrank while it was being read. Try again once nothing writes to it.");
        }

        return ValueTask.FromResult(total);
    }

    /// <inheritdoc/>
    public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var length = (int)Math.Min(buffer.Length, Length);
        return ReadAsync(Length - length, buffer[..length], cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) => ValueTask.FromResult(Length);

    /// <inheritdoc/>
    public (long Start, long End) FindData(long offset, long end) =>
        OperatingSystem.IsLinux() && !IsBlockDevice && AllocatedBytes < Length
            ? Posix.FindData(_handle, offset, end)
            : (offset, end);

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    private static FileByteSource OpenOnLinux(string path)
    {
        if (path.Contains('\0', StringComparison.Ordinal))
        {
            throw new ImageFileException(ImageFileProblem.NotFound, path, "A path cannot contain a NUL character.");
        }

        var handle = Posix.OpenForReading(path, out var error);
        try
        {
            if (error != 0)
            {
                throw ToOpenError(path, error);
            }

            var status = Posix.GetStatus(handle);
            return status.Type switch
            {
                Posix.FileType.Regular => new(path, handle, status.Length, status.AllocatedBytes, false),
                Posix.FileType.BlockDevice => new(path, handle, Posix.GetDeviceLength(handle), null, true),
                Posix.FileType.Directory => throw ToDirectoryError(path),
                _ => throw ToNotAFileError(path, status.Type switch
                {
                    Posix.FileType.Fifo => "a FIFO",
                    Posix.FileType.Socket => "a socket",
                    Posix.FileType.CharacterDevice => "a character device",
                    _ => "something unknown",
                }),
            };
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    private static FileByteSource OpenPortably(string path)
    {
        try
        {
            if (Directory.Exists(path))
            {
                throw ToDirectoryError(path);
            }

            if (File.Exists(path) && (File.GetAttributes(path) & FileAttributes.Device) != 0)
            {
                throw ToNotAFileError(path, "a device");
            }

            var handle = File.OpenHandle(
                path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return new FileByteSource(path, handle, RandomAccess.GetLength(handle), null, false);
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            throw ToOpenError(path, Posix.ErrorNotFound);
        }
        catch (UnauthorizedAccessException)
        {
            throw ToOpenError(path, Posix.ErrorAccess);
        }
    }

    private static ImageFileException ToOpenError(string path, int error) => error switch
    {
        Posix.ErrorNotFound or Posix.ErrorNotADirectory => new(
            ImageFileProblem.NotFound, path, $"'{path}' does not exist. Check the path."),
        Posix.ErrorAccess or Posix.ErrorPermission => new(
            ImageFileProblem.AccessDenied, path,
            $"Reading '{path}' was denied. Run as a user who may read it, or change its permissions."),
        Posix.ErrorNoDevice => ToNotAFileError(path, "a socket or a device without a driver"),
        Posix.ErrorLoop => new(
            ImageFileProblem.NotFound, path, $"'{path}' is a symbolic link that leads back to itself."),
        Posix.ErrorNameTooLong => new(ImageFileProblem.NotFound, path, $"The name '{path}' is too long."),
        _ => new(
            ImageFileProblem.CannotOpen, path,
            $"'{path}' cannot be opened: {Marshal.GetPInvokeErrorMessage(error)} (errno {error})."),
    };

    private static ImageFileException ToDirectoryError(string path) => new(
        ImageFileProblem.IsDirectory, path, $"'{path}' is a directory. Name the files in it, such as '{path}/*'.");

    private static ImageFileException ToNotAFileError(string path, string what) => new(
        ImageFileProblem.NotAFile, path,
        $"'{path}' is {what}, not a regular file or block device. To inspect a stream of bytes, pass them as a stream.");

    private int ReadOnce(Span<byte> buffer, long offset)
    {
        if (!OperatingSystem.IsLinux())
        {
            return RandomAccess.Read(_handle, buffer, offset);
        }

        var read = Posix.ReadAt(_handle, buffer, offset);
        if (read >= 0)
        {
            return read;
        }

        var error = Marshal.GetLastPInvokeError();
        return error == Posix.ErrorInterrupted
            ? ReadOnce(buffer, offset)
            : throw new ImageFileException(
                ImageFileProblem.ReadFailed, Path,
                $"Reading '{Path}' at byte {offset} failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error}).");
    }
}
