using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Space;

/// <summary>Where an image can be written to: a directory of a file system, or a block device.</summary>
/// <param name="Path">The directory or block device.</param>
/// <param name="Identity">The same for all that shares one pool of free space.</param>
/// <param name="AvailableBytes">What is free for ordinary users, or a block device's length.</param>
internal sealed record StoragePlace(string Path, string Identity, long AvailableBytes)
{
    internal bool IsBlockDevice => FileSystem == SpaceCheck.BlockDevice;

    internal string? FileSystem { get; init; }

    internal string? MountPoint { get; init; }

    internal string? Device { get; init; }

    /// <param name="path">A directory, a file in a directory that is there, or a block device.</param>
    /// <exception cref="ImageFileException">There is no such place.</exception>
    internal static StoragePlace Find(string path)
    {
        path = System.IO.Path.GetFullPath(path);
        return OperatingSystem.IsLinux() ? FindOnLinux(path) : FindPortably(path);
    }

    private static StoragePlace FindOnLinux(string path)
    {
        var directory = path;
        using var first = Posix.OpenForLooking(path, out var error);
        if (error == 0)
        {
            switch (Posix.GetStatus(first).Type)
            {
                case Posix.FileType.Directory:
                    return OfDirectory(path, first);
                case Posix.FileType.BlockDevice:
                    return OfBlockDevice(path);
                case Posix.FileType.Regular:
                    break;
                default:
                    throw new ImageFileException(
                        ImageFileProblem.NotAFile, path,
                        $"'{path}' is neither a directory nor a file nor a block device, and cannot hold an image.");
            }

            // A link's directory is not where its file is.
            directory = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        else if (error != Posix.ErrorNotFound)
        {
            throw ToOpenError(path, error);
        }

        directory = System.IO.Path.GetDirectoryName(directory) ?? "/";
        using var second = Posix.OpenForLooking(directory, out error);
        return error == 0 ? OfDirectory(directory, second) : throw ToOpenError(directory, error);
    }

    private static StoragePlace OfDirectory(string path, Microsoft.Win32.SafeHandles.SafeFileHandle handle)
    {
        if (Posix.GetStatus(handle).Type != Posix.FileType.Directory)
        {
            throw ToOpenError(path, Posix.ErrorNotADirectory);
        }

        var space = Posix.GetSpace(handle);
        var mount = Mount.Of(handle);
        return new StoragePlace(path, mount?.DeviceNumber ?? $"id {space.FileSystemId:x}", space.AvailableBytes)
        {
            FileSystem = mount?.FileSystem,
            MountPoint = mount?.MountPoint,
            Device = mount?.Source,
        };
    }

    private static StoragePlace OfBlockDevice(string path)
    {
        using var device = FileByteSource.Open(path);
        return new StoragePlace(path, $"device {path}", device.Length)
        {
            FileSystem = SpaceCheck.BlockDevice,
            Device = path,
        };
    }

    private static StoragePlace FindPortably(string path)
    {
        var directory = Directory.Exists(path) ? path : System.IO.Path.GetDirectoryName(path) ?? path;
        if (!Directory.Exists(directory))
        {
            throw ToOpenError(directory, Posix.ErrorNotFound);
        }

        // On Windows a drive is named by its root; elsewhere any path of a file system will do.
        var drive = new DriveInfo(OperatingSystem.IsWindows() ? System.IO.Path.GetPathRoot(directory)! : directory);
        return new StoragePlace(directory, drive.Name, drive.AvailableFreeSpace)
        {
            FileSystem = drive.DriveFormat,
            MountPoint = drive.Name,
            Device = drive.Name,
        };
    }

    private static ImageFileException ToOpenError(string path, int error) => error switch
    {
        Posix.ErrorNotFound => new(
            ImageFileProblem.NotFound, path, $"There is no directory '{path}'. Create it, or name another."),
        Posix.ErrorNotADirectory => new(
            ImageFileProblem.NotFound, path, $"'{path}' is no directory. Name one, or a file in one."),
        Posix.ErrorAccess or Posix.ErrorPermission => new(
            ImageFileProblem.AccessDenied, path, $"'{path}' may not be looked into by this user."),
        _ => new(ImageFileProblem.CannotOpen, path, $"'{path}' cannot be opened: error {error}."),
    };
}
