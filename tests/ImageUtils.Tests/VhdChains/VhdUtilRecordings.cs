using System.Formats.Tar;
using System.IO.Compression;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.VhdChains;

/// <summary>
/// Chains that vhd-util of blktap 4.0 made (create, snapshot, modify, resize; the data was written by its coalesce),
/// and what its read and query say of each disk.
/// </summary>
internal static class VhdUtilRecordings
{
    private static readonly string s_directory = Path.Combine(Repository.Root, "tests", "data", "vhd-util");

    /// <summary>Every disk of every archive.</summary>
    public static IReadOnlyList<RecordedDisk> All { get; } =
        [.. File.ReadLines(Path.Combine(s_directory, "chains.csv")).Skip(1).Select(line => line.Split(','))
            .Select(row => new RecordedDisk(row[0], row[1], long.Parse(row[2]), row[3], int.Parse(row[4])))];

    public static string ArchiveOf(string name) => Path.Combine(s_directory, name + ".tar.gz");

    public static void Unpack(string name, string directory)
    {
        using var archive = new GZipStream(File.OpenRead(ArchiveOf(name)), CompressionMode.Decompress);
        TarFile.ExtractToDirectory(archive, directory, overwriteFiles: false);
    }
}

/// <summary>What vhd-util says of a disk.</summary>
/// <param name="Archive">The chain that it is a part of.</param>
/// <param name="Name">Its file.</param>
/// <param name="Size">Its virtual size in bytes.</param>
/// <param name="Sha256">The hash of what it reads as, with all below it.</param>
/// <param name="Depth">How many disks there are from it to the base.</param>
internal sealed record RecordedDisk(string Archive, string Name, long Size, string Sha256, int Depth);
