namespace ImageUtils.Benchmarks;

/// <summary>A raw disk to convert: one that was named, or an ext4 full of the machine's own programs.</summary>
internal static class MachineDisk
{
    private const long Length = 2L << 30;
    private const long DataBytes = 570_000_000;
    private const string From = "/usr";

    /// <summary>The path of the disk that was named with <c>--disk</c>, or of one that is made.</summary>
    internal static string Get(RaceOptions options, ScratchDirectory directory)
    {
        if (options["--disk"] is { } named)
        {
            return Path.GetFullPath(named);
        }

        var disk = directory["disk.raw"];
        Make(disk, directory["files"]);
        return disk;
    }

    /// <summary>What it is, in a sentence for the page.</summary>
    internal static string Describe(RaceOptions options, string disk)
    {
        var allocated = long.Parse(Programs.Run("stat", "-c", "%b", disk)) * 512;
        var kind = options.Has("--disk") ? "a disk" : $"an ext4 of files below {From}";
        var length = new FileInfo(disk).Length / 1073741824.0;
        return $"{kind} of {length:0.##} GiB, {allocated / 1e6:F0} MB of it allocated";
    }

    /// <summary>Reads a file from front to back, so that it is in the page cache.</summary>
    internal static void Warm(string path)
    {
        using var file = File.OpenHandle(path);
        var buffer = new byte[1 << 20];
        for (var at = 0L; RandomAccess.Read(file, buffer, at) is > 0 and var count; at += count)
        {
        }
    }

    // The same files on the same machine: every nth of all, by name, so that there is something of each kind.
    private static void Make(string disk, string staging)
    {
        Console.Error.WriteLine($"Making a disk of files below {From} …");
        var all = new DirectoryInfo(From)
            .EnumerateFiles("*", new EnumerationOptions
            {
                RecurseSubdirectories = true,
                AttributesToSkip = FileAttributes.ReparsePoint,
                IgnoreInaccessible = true,
            })
            .Where(file => file.Length > 0)
            .OrderBy(file => file.FullName, StringComparer.Ordinal).ToArray();
        var step = (int)Math.Max(1, all.Sum(file => file.Length) / DataBytes);
        var taken = 0L;
        for (var index = 0; index < all.Length && taken < DataBytes; index += step)
        {
            var target = Path.Join(staging, all[index].FullName);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            all[index].CopyTo(target);
            taken += all[index].Length;
        }

        Programs.Run(
            "mke2fs", "-q", "-F", "-t", "ext4", "-d", staging, "-U", "6f1ed002-ab59-4d33-95b1-8f2c3a7f1a11", "-E",
            "hash_seed=6f1ed002-ab59-4d33-95b1-8f2c3a7f1a12,root_owner=0:0", disk, $"{Length / 1024}k");
        Directory.Delete(staging, recursive: true);
    }
}
