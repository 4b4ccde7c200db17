using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <summary>A temporary file without a name where the system has that; it is gone when it is closed.</summary>
internal sealed class UnnamedFile : IDisposable
{
    // 0600.
    private const int OwnerOnly = 0x180;

    private readonly SafeFileHandle _handle;
    private readonly string? _path;

    private UnnamedFile(SafeFileHandle handle, string directory, string? path)
    {
        _handle = handle;
        _path = path;
        Sink = new FileByteSink(handle, path ?? Path.Join(directory, "(temporary file)"), isZeroed: true);
    }

    /// <summary>Where its bytes go.</summary>
    internal FileByteSink Sink { get; }

    /// <summary>Where a reader finds it.</summary>
    internal string ReadablePath => _path ?? $"/proc/self/fd/{_handle.DangerousGetHandle()}";

    /// <summary>Makes one that only this user may read.</summary>
    /// <exception cref="Errors.ImageWriteException">The directory is missing, or may not be written.</exception>
    internal static UnnamedFile Create(string directory)
    {
        if (OperatingSystem.IsLinux())
        {
            var handle = PosixWriting.OpenUnnamed(directory, OwnerOnly, out var error);
            if (error == 0)
            {
                return new UnnamedFile(handle, directory, null);
            }

            handle.Dispose();
            if (error is not (PosixWriting.ErrorNotSupported or PosixWriting.ErrorIsADirectory
                or PosixWriting.ErrorInvalid))
            {
                throw DestinationErrors.FromOpening(error, Path.Join(directory, "(temporary file)"));
            }
        }

        return CreateNamed(directory);
    }

    /// <summary>Makes one with a name, which on Linux it loses at once.</summary>
    /// <inheritdoc cref="Create"/>
    internal static UnnamedFile CreateNamed(string directory)
    {
        var path = Path.Join(directory, $".imageutils-{Guid.NewGuid():N}.tmp");
        if (!OperatingSystem.IsLinux())
        {
            return new UnnamedFile(
                File.OpenHandle(
                    path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete,
                    FileOptions.DeleteOnClose),
                directory, path);
        }

        var handle = PosixWriting.Open(
            path, PosixWriting.OpenReadWrite | PosixWriting.OpenCreate | PosixWriting.OpenExclusive, OwnerOnly,
            out var error);
        if (error != 0)
        {
            handle.Dispose();
            throw DestinationErrors.FromOpening(error, path);
        }

        File.Delete(path);
        return new UnnamedFile(handle, directory, null);
    }

    public void Dispose() => _handle.Dispose();
}
