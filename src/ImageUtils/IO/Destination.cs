using ImageUtils.Errors;
using ImageUtils.Safety;
using Microsoft.Win32.SafeHandles;

namespace ImageUtils.IO;

/// <summary>
/// A target that is complete or not there. A file is made without a name where the system has that (so that a process
/// that is killed leaves nothing), else under a name that begins with a dot, and gets its own name by
/// <see cref="Commit"/>. A block device is written in place, and is never made.
/// </summary>
internal sealed partial class Destination : IDisposable
{
    private const string PartSuffix = ".imageutils-part";
    private readonly SafeFileHandle _handle;
    private readonly SafeFileHandle? _direct;
    private readonly bool _overwrite;
    private bool _keepPart;

    private Destination(
        string path, SafeFileHandle handle, string? partPath, bool overwrite, bool isZeroed, long? deviceLength,
        SafeFileHandle? direct)
    {
        Path = path;
        PartPath = partPath;
        _handle = handle;
        _direct = direct;
        _overwrite = overwrite;
        Sink = new FileByteSink(handle, path, isZeroed, deviceLength, direct);
    }

    /// <summary>The target's absolute path, symbolic links resolved.</summary>
    internal string Path { get; }

    /// <summary>The name that the file has until it is complete; null where it has none.</summary>
    internal string? PartPath { get; private set; }

    /// <summary>How long the file with that name is, in bytes; 0 where there is none.</summary>
    internal long PartLength => PartPath is null ? 0 : RandomAccess.GetLength(_handle);

    internal bool IsDevice => Sink.Capacity is not null;

    internal FileByteSink Sink { get; }

    /// <summary>Where a reader finds what was written so far.</summary>
    internal string ReadablePath => IsDevice
        ? Path
        : PartPath ?? $"/proc/self/fd/{_handle.DangerousGetHandle()}";

    /// <summary>The absolute path that a name leads to.</summary>
    /// <exception cref="ImageWriteException">Its links lead nowhere.</exception>
    internal static string Resolve(string path)
    {
        try
        {
            return DirectoryGate.Resolve(System.IO.Path.GetFullPath(path));
        }
        catch (IOException exception)
        {
            throw new ImageWriteException(ImageWriteProblem.NotFound, path, $"{exception.Message}. Check the path.");
        }
    }

    /// <summary>The name of a partial file that is kept for another attempt.</summary>
    internal static string PartPathOf(string path) => System.IO.Path.Join(
        System.IO.Path.GetDirectoryName(path), $".{System.IO.Path.GetFileName(path)}{PartSuffix}");

    /// <summary>Whether a path leads to a block device.</summary>
    internal static bool IsBlockDevice(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        using var handle = Posix.OpenForReading(path, out var error);
        return error == 0 && Posix.GetStatus(handle).Type == Posix.FileType.BlockDevice;
    }

    /// <summary>Opens a block device, or makes a file that has not got its name yet.</summary>
    /// <param name="path">The target, as <see cref="Resolve"/> gives it.</param>
    /// <param name="overwrite">Whether a file of that name may be replaced.</param>
    /// <exception cref="ImageWriteException">It exists, cannot be made, or is in use.</exception>
    /// <param name="mode">Who may do what with a new file, less what the umask takes.</param>
    internal static Destination Create(string path, bool overwrite, UnixFileMode mode = NewFileMode)
    {
        if (Prepare(path, overwrite) is { } device)
        {
            return device;
        }

        if (OperatingSystem.IsLinux())
        {
            var handle = PosixWriting.OpenUnnamed(
                System.IO.Path.GetDirectoryName(path)!, (int)ModeFor(path, mode), out var error);
            if (error == 0)
            {
                return new Destination(path, handle, null, overwrite, true, null, null);
            }

            handle.Dispose();
            if (error is not (PosixWriting.ErrorNotSupported or PosixWriting.ErrorIsADirectory
                or PosixWriting.ErrorInvalid))
            {
                throw DestinationErrors.FromOpening(error, path);
            }
        }

        return CreateNamed(path, overwrite, mode);
    }

    /// <summary>Makes a file with a name of its own until it is complete, for programs that want one.</summary>
    /// <inheritdoc cref="Create"/>
    internal static Destination CreateNamed(string path, bool overwrite, UnixFileMode mode = NewFileMode)
    {
        if (Prepare(path, overwrite) is { } device)
        {
            return device;
        }

        var part = System.IO.Path.Join(
            System.IO.Path.GetDirectoryName(path),
            $".{System.IO.Path.GetFileName(path)}.{Guid.NewGuid():N}{PartSuffix}");
        return new Destination(path, OpenFile(part, FileMode.CreateNew, ModeFor(path, mode), path), part, overwrite, true, null, null);
    }

    /// <summary>
    /// Opens, or makes, a partial file that is kept when its conversion is interrupted. One process at a time has it.
    /// </summary>
    /// <inheritdoc cref="Create"/>
    internal static Destination OpenPartial(string path, bool overwrite, UnixFileMode mode = NewFileMode)
    {
        if (Prepare(path, overwrite) is { } device)
        {
            device.Dispose();
            throw new ImageOptionException(
                "Resume", $"'{path}' is a block device; only a conversion to a file can be resumed.");
        }

        var part = PartPathOf(path);
        var handle = OpenFile(part, FileMode.OpenOrCreate, ModeFor(path, mode), path);
        if (OperatingSystem.IsLinux())
        {
            try
            {
                Claim(handle, part, path);
            }
            catch
            {
                handle.Dispose();
                throw;
            }
        }

        return new Destination(path, handle, part, overwrite, true, null, null) { _keepPart = true };
    }

    /// <summary>Gives the partial file up: it is removed unless it becomes complete.</summary>
    internal void DoNotKeep() => _keepPart = false;

    /// <summary>Takes over the permissions, and where that is allowed the owner, of the file that is replaced.</summary>
    internal void TakePermissionsOf(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        PosixWriting.TakePermissions(_handle, path);
    }

    /// <summary>
    /// Gives the file its name, in one step, and brings that to the disk. What it held must have been flushed.
    /// </summary>
    /// <exception cref="ImageWriteException">Something else has taken the name meanwhile.</exception>
    internal void Commit()
    {
        if (IsDevice)
        {
            return;
        }

        if (_overwrite)
        {
            Replace();
        }
        else if (OperatingSystem.IsLinux())
        {
            ThrowIfError(PartPath is null ? PosixWriting.Link(_handle, Path) : RenamePart());
        }
        else
        {
            _handle.Dispose();
            File.Move(PartPath!, Path, overwrite: false);
            PartPath = null;
        }

        if (OperatingSystem.IsLinux())
        {
            ThrowIfError(PosixWriting.FlushDirectory(System.IO.Path.GetDirectoryName(Path)!));
        }
    }

    public void Dispose()
    {
        _direct?.Dispose();
        if (!_keepPart)
        {
            RemovePart();
        }

        if (OperatingSystem.IsLinux() && !_handle.IsClosed)
        {
            PosixWriting.Unlock(_handle);
        }

        _handle.Dispose();
    }

    private static Destination? Prepare(string path, bool overwrite)
    {
        if (OperatingSystem.IsLinux() && IsBlockDevice(path))
        {
            return OpenDevice(path);
        }

        const string Devices = "/dev/";
        if (OperatingSystem.IsLinux() && path.StartsWith(Devices, StringComparison.Ordinal)
            && !path.StartsWith("/dev/shm/", StringComparison.Ordinal))
        {
            throw new ImageWriteException(
                ImageWriteProblem.NotFound, path,
                $"'{path}' is no block device, and nothing is created in {Devices}. Make the volume first, or check "
                + "the name.");
        }

        if (Directory.Exists(path))
        {
            throw DestinationErrors.FromOpening(PosixWriting.ErrorIsADirectory, path);
        }

        return overwrite || !File.Exists(path) ? null : throw DestinationErrors.Exists(path);
    }

    private static Destination OpenDevice(string path)
    {
        // Exclusive: the kernel refuses a device that is mounted, or that another part of it has claimed.
        var handle = PosixWriting.Open(
            path, PosixWriting.OpenReadWrite | PosixWriting.OpenExclusive, 0, out var error);
        if (error != 0)
        {
            handle.Dispose();
            throw DestinationErrors.FromOpening(error, path);
        }

        var direct = PosixWriting.Open(path, PosixWriting.OpenReadWrite | PosixWriting.OpenDirect, 0, out error);
        if (error != 0)
        {
            direct.Dispose();
            direct = null;
        }

        return new Destination(path, handle, null, true, false, Posix.GetDeviceLength(handle), direct);
    }

    private void Replace()
    {
        TakePermissionsOf(Path);
        if (PartPath is null)
        {
            // A file without a name cannot take one that is in use: it gets another, and that is renamed.
            PartPath = System.IO.Path.Join(
                System.IO.Path.GetDirectoryName(Path),
                $".{System.IO.Path.GetFileName(Path)}.{Guid.NewGuid():N}{PartSuffix}");
            ThrowIfError(PosixWriting.Link(_handle, PartPath));
        }

        try
        {
            File.Move(PartPath, Path, overwrite: true);
            PartPath = null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ImageWriteException(
                ImageWriteProblem.WriteFailed, Path, $"'{Path}' cannot be replaced: {exception.Message}");
        }
    }

    private int RenamePart()
    {
        var error = PosixWriting.RenameToNew(PartPath!, Path);
        if (error is PosixWriting.ErrorInvalid or PosixWriting.ErrorNoCall)
        {
            // Two steps where the file system has not got the one: both names are there for a moment.
            error = PosixWriting.Link(PartPath!, Path);
            if (error == 0)
            {
                RemovePart();
            }
        }

        PartPath = error == 0 ? null : PartPath;
        return error;
    }

    private void RemovePart()
    {
        if (PartPath is null)
        {
            return;
        }

        try
        {
            File.Delete(PartPath);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // There is nothing more to be done about it, and what failed before is what counts.
        }

        PartPath = null;
    }

    private void ThrowIfError(int error)
    {
        if (error != 0)
        {
            throw DestinationErrors.FromOpening(error, Path);
        }
    }
}
