namespace ImageUtils.Tests.Support;

/// <summary>A small file system of its own, unmounted when the test ends.</summary>
internal sealed class MountedFileSystem : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly LoopDevice? _device;

    private MountedFileSystem(string name, Func<string, LoopDevice?> mount)
    {
        Path = _directory[name];
        Directory.CreateDirectory(Path);
        try
        {
            _device = mount(Path);
        }
        catch
        {
            _directory.Dispose();
            throw;
        }
    }

    /// <summary>Where it is mounted.</summary>
    public string Path { get; }

    /// <summary>What is mounted.</summary>
    public string Source => _device?.Path ?? "tmpfs";

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Mounts a file system in memory, or skips the calling test where that is not allowed.</summary>
    public static MountedFileSystem OfMemory(string size, string name = "memory") => new(name, path =>
    {
        Mount("-t", "tmpfs", "-o", $"size={size}", "tmpfs", path);
        return null;
    });

    /// <summary>Makes an ext4 on a loop device and mounts it, or skips the calling test where that is not allowed.</summary>
    public static MountedFileSystem OfExt4(long length) => OfDisk("ext4", "e2fsprogs", length, "-q", "-F");

    /// <summary>Makes a btrfs or xfs, whose files can share blocks, and mounts it; or skips the calling test.</summary>
    public static MountedFileSystem OfReflinks(string name, string package) => OfDisk(name, package, 400L << 20, "-f");

    private static MountedFileSystem OfDisk(string name, string package, long length, params object[] options) => new(name, path =>
    {
        Tool.Require($"mkfs.{name}", package);
        var image = path + ".img";
        using (var file = File.Create(image))
        {
            file.SetLength(length);
        }

        Tool.Run($"mkfs.{name}", [.. options, image]);
        var device = LoopDevice.Attach(image);
        try
        {
            Mount(device.Path, path);
            return device;
        }
        catch
        {
            device.Dispose();
            throw;
        }
    });

    public void Dispose()
    {
        Tool.Run("umount", Path);
        _device?.Dispose();
        _directory.Dispose();
    }

    private static void Mount(params object[] arguments)
    {
        Tool.Require("mount", "mount");
        Skip.IfNot(OperatingSystem.IsLinux() && Environment.IsPrivilegedProcess, "mounting needs root");
        try
        {
            Tool.Run("mount", arguments);
        }
        catch (InvalidOperationException exception)
        {
            throw new SkipException($"nothing can be mounted: {exception.Message}");
        }
    }
}
