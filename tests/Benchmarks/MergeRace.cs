using System.Diagnostics;
using System.Globalization;
using ImageUtils.Conversion;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.Benchmarks;

/// <summary>In-place merges of a chain of three VHDs, whole processes, beside vhd-util's two coalesces.</summary>
internal static class MergeRace
{
    private const long DiskLength = 2L << 30;
    private const int RunLength = 1 << 20;
    private const int BaseMegabytes = 600;
    private const int ChildMegabytes = 150;

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var options = new RaceOptions(arguments, ["--write"], "--directory", "--pairs", "--imageutils");
        Programs.Require("vhd-util", "built from the sources of xapi-project/blktap");
        using var scratch = new ScratchDirectory(options["--directory"]);
        var front = options["--imageutils"] ?? PublishedFront.Publish(scratch["front"]);
        var kept = Directory.CreateDirectory(scratch["kept"]).FullName;
        var work = scratch["work"];
        Make(Path.Combine(kept, "2.vhd"), null, null, BaseMegabytes, 1);
        Make(Path.Combine(kept, "1.vhd"), "2.vhd", IdOf(1), ChildMegabytes, 2);
        Make(Path.Combine(kept, "0.vhd"), "1.vhd", IdOf(2), ChildMegabytes, 3);
        var (ours, theirs, export, conversion) =
            (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        var leaf = Path.Combine(work, "0.vhd");
        for (var pair = options.Number("--pairs", 5); pair > 0; pair--)
        {
            Lay(kept, work);
            ours.Add(Time(() => Programs.Run(front, "merge", leaf)));
            var merged = Path.Combine(work, "2.vhd");
            var result = Path.Combine(scratch["."], "ours.vhd");
            File.Move(merged, result, overwrite: true);
            Lay(kept, work);
            theirs.Add(Time(() =>
            {
                Programs.Run("vhd-util", "coalesce", "-n", leaf);
                Programs.Run("vhd-util", "coalesce", "-n", Path.Combine(work, "1.vhd"));
            }));
            Programs.Run(front, "compare", result, merged);
            Lay(kept, work);
            var output = Path.Combine(work, "whole.raw");
            export.Add(Time(() => Programs.Run(
                front, "convert", "--allow-backing", work, "-O", "raw", leaf, output)));
            Programs.Run(front, "compare", result, output);
            File.Delete(output);
            conversion.Add(Time(() => Programs.Run(front, "convert", "-O", "raw", result, output)));
            File.Delete(result);
        }

        ResultPage.Publish(
            "merges",
            $"{ResultPage.Machine()}; a chain of three VHDs of 2 GiB, {BaseMegabytes} MiB in the base and {ChildMegabytes} MiB "
            + $"in each child, on {scratch.FileSystem}. Medians of {ours.Count}:\n\n"
            + ResultPage.Table(
                ["work", "peer", "its time", "imageutils", "ratio"],
                [
                    Row("merge in place", "two `vhd-util coalesce`", theirs, ours),
                    Row("the merged disk to raw", "the merged VHD to raw", conversion, export),
                ]),
            options.Has("--write"));
        return 0;
    }

    private static string[] Row(string work, string peer, List<double> theirs, List<double> ours)
    {
        var (their, our) = (Median(theirs), Median(ours));
        return [work, peer, $"{their:F2} s", $"{our:F2} s", (our / their).ToString("F2", CultureInfo.InvariantCulture)];
    }

    private static double Median(List<double> times) => times.Order().ElementAt(times.Count / 2);

    private static double Time(Action work)
    {
        var started = Stopwatch.GetTimestamp();
        work();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static void Lay(string kept, string work)
    {
        if (Directory.Exists(work))
        {
            Directory.Delete(work, recursive: true);
        }

        Programs.Run("cp", "-r", "--sparse=always", kept, work);
    }

    private static Guid IdOf(int seed) => new(seed, 1, 2, new byte[8]);

    private static void Make(string path, string? parent, Guid? parentId, int megabytes, int seed)
    {
        var random = new Random(seed);
        var writer = new VhdFormat().CreateWriter(new WriterOptions
        {
            VirtualSize = DiskLength,
            Subformat = parent is null ? "dynamic" : "differencing",
            UniqueId = IdOf(seed),
            BackingFile = parent,
            BackingFormat = parent is null ? ImageFormat.Unknown : ImageFormat.Vhd,
            ParentId = parentId,
        });
        var places = Enumerable.Range(0, (int)(DiskLength / RunLength)).ToArray();
        random.Shuffle(places);
        using var destination = Destination.Create(path, overwrite: false);
        var data = new byte[RunLength];
        Wait(writer.BeginAsync(destination.Sink, default));
        foreach (var place in places.Take(megabytes).Order())
        {
            random.NextBytes(data);
            Wait(writer.WriteAsync((long)place * RunLength, data, default));
        }

        Wait(writer.FinishAsync(default));
        destination.Commit();
    }

    private static void Wait(ValueTask work) => work.AsTask().GetAwaiter().GetResult();
}
