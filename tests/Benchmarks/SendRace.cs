using System.Diagnostics;

namespace ImageUtils.Benchmarks;

/// <summary>
/// Uploads of a raw disk as another format, with the hash that is compared afterwards: in one pass beside what is done
/// with a file in between (qemu-img convert, sha512sum, curl -T). And the most memory that it takes.
/// </summary>
internal static class SendRace
{
    private const long Terabyte = 1L << 40;
    private const long MostSent = 2L << 30;

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var options = new RaceOptions(
            arguments, ["--write"], "--disk", "--directory", "--pairs", "--islands");
        Programs.Require("qemu-img", "qemu-utils");
        Programs.Require("curl", "curl");
        using var directory = new ScratchDirectory(options["--directory"]);
        using var server = new DiscardingServer();
        var disk = MachineDisk.Get(options, directory);
        MachineDisk.Warm(disk);
        var rows = new List<string[]>();
        foreach (var (format, driver) in new[]
        {
            ("qcow2", "qcow2"), ("vmdk", "vmdk"), ("vhd", "vpc"), ("raw", "raw"), ("qcow2+compressed", "qcow2"),
            ("qcow2+gzip", "qcow2"),
        })
        {
            rows.Add(Race(format, driver, disk, directory, server, options.Number("--pairs", 3)));
        }

        var islands = options.Number("--islands", 100_000);
        var scattered = directory["scattered.raw"];
        WriteIslands(scattered, 2 * Terabyte, islands);
        foreach (var format in new[] { "qcow2", "vmdk", "vdi", "vhdx" })
        {
            var measured = Programs.Measure(
                Environment.ProcessPath!, [Sending.Name, scattered, format, "-", $"{MostSent}"]);
            rows.Add(
            [
                $"2 TiB, {islands} islands, the first {ResultPage.Mebibytes(MostSent)} as {format}", "", "",
                ResultPage.Seconds(measured.Time), "", ResultPage.Mebibytes(measured.PeakBytes),
            ]);
        }

        ResultPage.Publish(
            "sending",
            $"{ResultPage.Machine()}; {MachineDisk.Describe(options, disk)}. "
            + $"Medians of {options.Number("--pairs", 3)}; "
            + $"load average {File.ReadAllText("/proc/loadavg").Split(' ')[0]}:\n\n"
            + ResultPage.Table(
                ["what", "convert (+ gzip) + sha512sum + curl", "of which convert", "ours", "ratio", "peak memory"], rows),
            options.Has("--write"));
        return 0;
    }

    private static string[] Race(
        string format, string driver, string disk, ScratchDirectory directory, DiscardingServer server, int pairs)
    {
        var theirs = new List<(TimeSpan All, TimeSpan Convert)>();
        var ours = new List<Measured>();
        for (var pair = 0; pair < pairs; pair++)
        {
            var started = Stopwatch.GetTimestamp();
            var file = directory["theirs"];
            string[] compression = format.EndsWith("+compressed", StringComparison.Ordinal) ? ["-c"] : [];
            Programs.Run("qemu-img", ["convert", .. compression, "-f", "raw", "-O", driver, disk, file]);
            var converted = Stopwatch.GetElapsedTime(started);
            if (format.EndsWith("+gzip", StringComparison.Ordinal))
            {
                Programs.Run("gzip", file);
                file += ".gz";
            }

            Programs.Run("sha512sum", file);
            Programs.Run("curl", "-s", "-S", "-f", "-T", file, server.Address);
            theirs.Add((Stopwatch.GetElapsedTime(started), converted));
            File.Delete(file);
            ours.Add(Programs.Measure(Environment.ProcessPath!, [Sending.Name, disk, format, server.Address]));
        }

        var their = theirs.OrderBy(one => one.All).ElementAt(pairs / 2);
        var our = ours.OrderBy(one => one.Time).ElementAt(pairs / 2);
        return
        [
            $"raw to {format.Replace("+", ", ", StringComparison.Ordinal)}", ResultPage.Seconds(their.All), ResultPage.Seconds(their.Convert),
            ResultPage.Seconds(our.Time), $"{our.Time / their.All:0.00}", ResultPage.Mebibytes(our.PeakBytes),
        ];
    }

    private static void WriteIslands(string path, long length, int count)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        RandomAccess.SetLength(file, length);
        var island = new byte[4096];
        island.AsSpan().Fill(0x5A);
        for (var index = 0; index < count; index++)
        {
            RandomAccess.Write(file, island, length / count * index / 4096 * 4096);
        }
    }
}
