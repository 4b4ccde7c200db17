namespace ImageUtils.Benchmarks;

/// <summary>A directory that is gone, with all that is in it, when the measurement is.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    private const string Memory = "/dev/shm";

    /// <param name="parent">Where it is made; null: in memory, where the system has a file system in memory.</param>
    internal ScratchDirectory(string? parent)
    {
        parent ??= Directory.Exists(Memory) ? Memory : System.IO.Path.GetTempPath();
        Directory.CreateDirectory(parent);
        Path = System.IO.Path.Combine(System.IO.Path.GetFullPath(parent), $"imageutils-race-{Guid.NewGuid():N}");
        Directory.CreateDirectory(Path);
        FileSystem = Programs.Run("df", "--output=fstype", Path).Split('\n')[1].Trim();
    }

    internal string Path { get; }

    /// <summary>The kind of file system, as mount(8) calls it.</summary>
    internal string FileSystem { get; }

    internal bool IsInMemory => FileSystem == "tmpfs";

    internal string this[string name] => System.IO.Path.Combine(Path, name);

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
