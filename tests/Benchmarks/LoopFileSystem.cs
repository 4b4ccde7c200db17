namespace ImageUtils.Benchmarks;

/// <summary>A file system whose files can share blocks, in a sparse file, mounted until it is disposed of.</summary>
internal sealed class LoopFileSystem : IDisposable
{
    private const long Length = 24L << 30;

    private readonly string _image;

    private LoopFileSystem(string kind, string path, string image)
    {
        Kind = kind;
        Path = path;
        _image = image;
    }

    internal string Kind { get; }

    internal string Path { get; }

    internal string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>Makes and mounts it; null, and a line that says why, where that is not possible.</summary>
    /// <param name="kind">xfs or btrfs.</param>
    /// <param name="path">Where it is mounted; its image lies beside that.</param>
    internal static LoopFileSystem? TryMake(string kind, string path)
    {
        if (Programs.Find($"mkfs.{kind}") is not { } make || !Environment.IsPrivilegedProcess)
        {
            Console.Error.WriteLine($"{kind} is left out: it takes root, and mkfs.{kind}.");
            return null;
        }

        var image = path + ".img";
        using (var file = File.OpenHandle(image, FileMode.CreateNew, FileAccess.Write))
        {
            RandomAccess.SetLength(file, Length);
        }

        try
        {
            Programs.Run(make, "-f", image);
            Directory.CreateDirectory(path);
            Programs.Run("mount", "-o", "loop", image, path);
            return new LoopFileSystem(kind, path, image);
        }
        catch (InvalidOperationException exception)
        {
            File.Delete(image);
            Console.Error.WriteLine($"{kind} is left out: {exception.Message}");
            return null;
        }
    }

    /// <summary>
    /// Brings what was written to the image, and gives back what was freed, so that the image takes up no more than its
    /// files do.
    /// </summary>
    internal void Settle()
    {
        Programs.Run("sync", "-f", Path);
        Programs.TryRun("fstrim", Path);
    }

    public void Dispose()
    {
        Programs.Run("umount", Path);
        File.Delete(_image);
    }
}
