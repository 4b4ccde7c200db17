using System.Diagnostics;
using System.Globalization;
using ImageUtils.Conversion;
using ImageUtils.Formats;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.VhdChains;

namespace ImageUtils.Benchmarks;

/// <summary>
/// In-place merges of a chain of three disks, whole processes: VHDs beside vhd-util's two coalesces, and the most memory that
/// merging the largest ones takes.
/// </summary>
internal static class MergeRace
{
    private const long DiskLength = 2L << 30;
    private const int RunLength = 1 << 20;
    private const int BaseMegabytes = 600;
    private const int ChildMegabytes = 150;
    private const int ScatteredLength = 4096;
    private const int ScatteredCount = 20_000;

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var options = new RaceOptions(arguments, ["--write"], "--directory", "--pairs", "--imageutils");
        Programs.Require("vhd-util", "built from the sources of xapi-project/blktap");
        using var scratch = new ScratchDirectory(options["--directory"]);
        var front = options["--imageutils"] ?? PublishedFront.Publish(scratch["front"]);
        var kept = Directory.CreateDirectory(scratch["kept"]).FullName;
        var work = scratch["work"];
        MakeChain(kept, "vhd", DiskLength, RunLength, BaseMegabytes, ChildMegabytes);
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

        Directory.Delete(kept, recursive: true);
        Directory.Delete(work, recursive: true);
        string[][] large =
        [
            MeasureLarge(front, work, "vhd", 2040L << 30), MeasureLarge(front, work, "vhdx", 2040L << 30),
            MeasureLarge(front, work, "vhdx", 64L << 40),
        ];
        ResultPage.Publish(
            "merges",
            $"{ResultPage.Machine()}; a chain of three VHDs of 2 GiB, {BaseMegabytes} MiB in the base and {ChildMegabytes} MiB "
            + $"in each child, on {scratch.FileSystem}. Medians of {ours.Count}:\n\n"
            + ResultPage.Table(
                ["work", "peer", "its time", "imageutils", "ratio"],
                [
                    Row("merge in place", "two `vhd-util coalesce`", theirs, ours),
                    Row("the merged disk to raw", "the merged VHD to raw", conversion, export),
                ])
            + $"\n\nChains of three large disks, {ScatteredCount:N0} pieces of 4 KiB scattered over each, merged in place once:\n\n"
            + ResultPage.Table(["disks", "time", "peak memory"], large),
            options.Has("--write"));
        return 0;
    }

    private static string[] MeasureLarge(string front, string work, string format, long length)
    {
        Directory.CreateDirectory(work);
        MakeChain(work, format, length, ScatteredLength, ScatteredCount, ScatteredCount);
        var measured = Programs.Measure(front, ["merge", Path.Combine(work, $"0.{format}")]);
        Directory.Delete(work, recursive: true);
        return
        [
            $"{format}, {length / 1099511627776.0:0.0#} TiB", ResultPage.Seconds(measured.Time),
            ResultPage.Mebibytes(measured.PeakBytes),
        ];
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

    private static void MakeChain(
        string directory, string extension, long length, int runLength, int inBase, int inChild)
    {
        string? parent = null;
        for (var index = 2; index >= 0; index--)
        {
            var path = Path.Combine(directory, $"{index}.{extension}");
            Make(path, parent, length, runLength, parent is null ? inBase : inChild, 3 - index);
            parent = path;
        }
    }

    private static void Make(string path, string? parent, long length, int runLength, int runs, int seed)
    {
        var random = new Random(seed);
        var isVhdx = path.EndsWith('x');
        var format = isVhdx ? ImageFormat.Vhdx : ImageFormat.Vhd;
        var writer = (isVhdx ? (IWritableFormat)new VhdxFormat() : new VhdFormat()).CreateWriter(new WriterOptions
        {
            VirtualSize = length,
            Subformat = parent is null ? "dynamic" : "differencing",
            BackingFile = Path.GetFileName(parent),
            BackingFormat = parent is null ? ImageFormat.Unknown : format,
            ParentId = parent is null ? null : VhdIdentity.Of(Wait(ImageInspector.InspectFileAsync(parent))),
        });
        var places = new SortedSet<long>();
        while (places.Count < runs)
        {
            places.Add(random.NextInt64(length / runLength));
        }

        using var destination = Destination.Create(path, overwrite: false);
        var data = new byte[runLength];
        Wait(writer.BeginAsync(destination.Sink, default));
        foreach (var place in places)
        {
            random.NextBytes(data);
            Wait(writer.WriteAsync(place * runLength, data, default));
        }

        Wait(writer.FinishAsync(default));
        destination.Commit();
    }

    private static void Wait(ValueTask work) => work.AsTask().GetAwaiter().GetResult();

    private static T Wait<T>(ValueTask<T> work) => work.AsTask().GetAwaiter().GetResult();
}
