namespace ImageUtils.Benchmarks;

/// <summary>The most memory that the console front holds, on images that are large, or in many pieces.</summary>
internal sealed class MemoryPeaks
{
    private const long Limit = 200L << 20;
    private const long Large = 4L << 40;
    private const int IslandLength = 1 << 20;
    private const int SmallIslandLength = 4096;

    // Of each format what it can hold; a VHD's limit is 2040 GiB, that of VMDK's sparse extents 2 TiB.
    private const long Smaller = 1900L << 30;

    private readonly ScratchDirectory _directory;
    private readonly string _front;
    private readonly List<string[]> _rows = [];
    private readonly List<string> _failures = [];

    private MemoryPeaks(ScratchDirectory directory, string front)
    {
        _directory = directory;
        _front = front;
    }

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var options = new RaceOptions(arguments, ["--write"], "--directory", "--islands", "--imageutils");
        using var directory = new ScratchDirectory(options["--directory"]);
        var peaks = new MemoryPeaks(
            directory, options["--imageutils"] ?? PublishedFront.Publish(directory["front"]));
        peaks.MeasureLarge();
        peaks.MeasureIslands(options.Number("--islands", 131_072));
        peaks.MeasureScattered();
        ResultPage.Publish(
            "memory",
            $"{ResultPage.Machine()}. The largest resident set of the process, as the kernel counts it; the promise is "
            + $"{ResultPage.Mebibytes(Limit)}:\n\n"
            + ResultPage.Table(["image", "work", "file made", "time", "peak memory"], peaks._rows),
            options.Has("--write"));
        foreach (var failure in peaks._failures)
        {
            Console.Error.WriteLine(failure);
        }

        return peaks._failures.Count == 0 ? 0 : 1;
    }

    private void MeasureLarge()
    {
        foreach (var (length, kinds) in new (long, string[][])[]
        {
            (Large, [["qcow2"], ["qcow2", "-c"], ["vhdx"], ["vdi"], ["raw"]]), (Smaller, [["vmdk"], ["vpc"]]),
        })
        {
            var image = $"raw, {length / 1099511627776.0:0.0#} TiB, 16 islands of data";
            var disk = _directory["large.raw"];
            WriteIslands(disk, length, 16, IslandLength);
            foreach (var kind in kinds)
            {
                ThereAndBack(image, disk, kind);
            }

            File.Delete(disk);
        }
    }

    private void MeasureIslands(int count)
    {
        var image = $"raw, 4 TiB, {count:N0} islands of 4 KiB";
        var disk = _directory["islands.raw"];
        WriteIslands(disk, Large, count, SmallIslandLength);
        ThereAndBack(image, disk, "qcow2", "-o", "cluster_size=4K");
        ThereAndBack(image, disk, "raw");
        File.Delete(disk);
    }

    private void MeasureScattered()
    {
        foreach (var (step, isMapped) in new[] { (2, true), (64, false) })
        {
            var image = _directory["scattered.qcow2"];
            var count = ScatteredQcow2.Write(image, Large, step);
            var name = $"qcow2, 4 TiB, {count:N0} clusters apart from each other";
            if (isMapped)
            {
                Measure(name, "map --summary", null, ["map", "--summary", image]);
            }
            else
            {
                // What the clusters would take if there were anything in them is more than there is room for; what they
                // compress to is not looked at beforehand.
                var made = _directory["made"];
                Measure(name, "to qcow2 -c", made, ["convert", "-f", "qcow2", "-O", "qcow2", "-c", image, made]);
            }

            File.Delete(image);
            File.Delete(_directory["made"]);
        }
    }

    private void ThereAndBack(string image, string disk, params string[] kind)
    {
        var (made, back) = (_directory["made"], _directory["back"]);
        Measure(image, $"to {string.Join(' ', kind)}", made, ["convert", "-f", "raw", "-O", .. kind, disk, made]);
        if (File.Exists(made) && kind[0] != "raw")
        {
            Measure(image, $"… and back from {kind[0]}", back, ["convert", "-f", kind[0], "-O", "raw", made, back]);
            Measure(image, $"… compared with the {kind[0]}", null, ["compare", "-f", "raw", "-F", kind[0], disk, made]);
        }

        File.Delete(made);
        File.Delete(back);
    }

    private void Measure(string image, string work, string? made, string[] arguments)
    {
        Console.Error.WriteLine($"{image}: {work} …");
        if (!PublishedFront.Has(_front, arguments[0]))
        {
            _failures.Add($"{image}: {work}: there is no such command.");
            return;
        }

        try
        {
            var measured = Programs.Measure(_front, arguments);
            _rows.Add(
            [
                image, work, made is null ? "" : ResultPage.Mebibytes(AllocatedBytes(made)),
                ResultPage.Seconds(measured.Time), ResultPage.Mebibytes(measured.PeakBytes),
            ]);
            if (measured.PeakBytes >= Limit)
            {
                _failures.Add($"{image}: {work}: {ResultPage.Mebibytes(measured.PeakBytes)} is too much.");
            }
        }
        catch (InvalidOperationException exception)
        {
            _failures.Add($"{image}: {work}: {exception.Message}");
        }
    }

    private static long AllocatedBytes(string path) => long.Parse(Programs.Run("stat", "-c", "%b", path)) * 512;

    // The first begins with a boot sector's jump and the last ends where the disk does.
    private static void WriteIslands(string path, long length, int count, int islandLength)
    {
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        var data = new byte[islandLength];
        var random = new Random(1);
        for (var island = 0; island < count; island++)
        {
            random.NextBytes(data);
            data[0] = 0xEB;
            var distance = length / count / islandLength * islandLength;
            var offset = island == count - 1 ? length - islandLength : distance * island;
            RandomAccess.Write(file, data, offset);
        }
    }
}
