using System.Diagnostics;
using System.Runtime.InteropServices;
using ImageUtils.Builders;
using ImageUtils.Inspection;
using ImageUtils.IO;
using Medallion.Shell;

namespace ImageUtils.Benchmarks;

/// <summary>Inspection beside its peers, all in one run over the same files.</summary>
internal static class InspectionRace
{
    private const int FileCount = 10_000;
    private const int LargestImage = 512 * 1024;
    private const int QemuSample = 200;

    internal static int Run()
    {
        var directory = Directory.CreateTempSubdirectory("imageutils-race-").FullName;
        try
        {
            var small = Directory.CreateDirectory(Path.Combine(directory, "small")).FullName;
            var made = Directory.CreateDirectory(Path.Combine(directory, "made")).FullName;
            var files = WriteFiles(small);
            var rows = new List<(string Work, string Ours, string Peer, string Ratio)>();
            rows.AddRange(TimePeers("small mixed images", small, files));
            if (Find("qemu-img") is not null)
            {
                rows.AddRange(TimePeers("images that qemu-img made", made, MakeFiles(made)));
            }

            rows.AddRange(TimePipeline(small));
            rows.Add(MeasureReading());
            rows.Add(MeasureHolding());
            rows.Add(MeasureGrowth(files));
            Console.WriteLine($"{RuntimeInformation.OSDescription}, {Environment.ProcessorCount} cores, "
                + $".NET {Environment.Version}, {files.Length} images of at most {LargestImage / 1024} KiB\n");
            Console.WriteLine("| work | ImageUtils | peer | ratio |\n|---|---|---|---|");
            foreach (var (work, ours, peer, ratio) in rows)
            {
                Console.WriteLine($"| {work} | {ours} | {peer} | {ratio} |");
            }

            return 0;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static string[] WriteFiles(string directory)
    {
        var samples = Corpus.All.Where(image => image.FailedChecks.Length == 0).Select(image => image.Bytes())
            .Where(bytes => bytes.Length is > 0 and <= LargestImage).ToArray();
        var files = new string[FileCount];
        for (var index = 0; index < FileCount; index++)
        {
            files[index] = Path.Combine(directory, $"{index:d5}.img");
            File.WriteAllBytes(files[index], samples[index % samples.Length]);
        }

        return files;
    }

    private static string[] MakeFiles(string directory)
    {
        const int Each = 40;
        string[] drivers = ["raw", "qcow2", "vmdk", "vdi", "vpc", "vhdx"];
        var source = Path.Combine(directory, "source");
        var content = new byte[8 << 20];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(source, content);
        var files = new List<string>();
        foreach (var driver in drivers)
        {
            var first = Path.Combine(directory, $"{driver}-00");
            Command.Run("qemu-img", "convert", "-f", "raw", "-O", driver, source, first).Wait();
            files.Add(first);
            for (var copy = 1; copy < Each; copy++)
            {
                files.Add(Path.Combine(directory, $"{driver}-{copy:d2}"));
                File.Copy(first, files[^1]);
            }
        }

        File.Delete(source);
        return [.. files];
    }

    private static IEnumerable<(string Work, string Ours, string Peer, string Ratio)> TimePeers(
        string what, string directory, string[] files)
    {
        var native = TimeNative(files);
        if (TimeQemu(files) is { } qemu)
        {
            yield return ($"{what}: a file, against a `qemu-img info` process", Micro(native), Micro(qemu), $"{qemu / native:F0} times faster");
        }

        if (TimeOslo(directory) is { } oslo)
        {
            yield return ($"{what}: a file, against oslo.utils in process", Micro(native), Micro(oslo), $"{oslo / native:F0} times faster");
        }
    }

    private static double TimeNative(string[] files)
    {
        var passes = new List<double>();
        for (var pass = 0; pass < Math.Max(6, 20_000 / files.Length); pass++)
        {
            var watch = Stopwatch.StartNew();
            foreach (var file in files)
            {
                _ = ImageInspector.InspectFileAsync(file).AsTask().GetAwaiter().GetResult();
            }

            passes.Add(watch.Elapsed.TotalSeconds / files.Length);
        }

        return Median(passes.Skip(1));
    }

    private static double? TimeQemu(string[] files)
    {
        if (Find("qemu-img") is null)
        {
            return null;
        }

        var sample = Math.Min(QemuSample, files.Length);
        var step = files.Length / sample;
        var watch = Stopwatch.StartNew();
        for (var index = 0; index < sample; index++)
        {
            var file = files[index * step];
            Command.Run("qemu-img", "info", "--output=json", file).Wait();
        }

        return watch.Elapsed.TotalSeconds / sample;
    }

    private static double? TimeOslo(string directory)
    {
        var result = Command.Run(
            Environment.GetEnvironmentVariable("OSLO_PYTHON") ?? "python3",
            Path.Combine(AppContext.BaseDirectory, "oslo_peer.py"), directory).Result;
        if (result.Success)
        {
            return double.Parse(result.StandardOutput);
        }

        Console.Error.WriteLine("oslo.utils is left out: it cannot be imported by python3 (see OSLO_PYTHON, PYTHONPATH).");
        return null;
    }

    private static IEnumerable<(string Work, string Ours, string Peer, string Ratio)> TimePipeline(string directory)
    {
        if (Find("pwsh") is null)
        {
            Console.Error.WriteLine("The pipeline is left out: there is no pwsh.");
            yield break;
        }

        var module = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../../ImageUtils.psd1"));
        var result = Command.Run(
            "pwsh", "-NoProfile", "-File", Path.Combine(AppContext.BaseDirectory, "pipeline.ps1"), module, directory).Result;
        if (!result.Success)
        {
            throw new InvalidOperationException(result.StandardError);
        }

        var figures = result.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(double.Parse).ToArray();
        yield return ("Import-Module", $"{figures[0]:F0} ms", "", "");
        yield return ("Get-ChildItem \\| Test-ImageFormat, first pass in a new pwsh", $"{FileCount / figures[1]:F0} files/s", "", "");
        yield return ("… further passes (median)", $"{FileCount / Median(figures.Skip(2)):F0} files/s", "", "");
    }

    private static (string Work, string Ours, string Peer, string Ratio) MeasureReading()
    {
        var most = Corpus.All.Select(image =>
        {
            var source = new CountingSource(image.Bytes());
            _ = ImageInspector.InspectAsync(source).AsTask().GetAwaiter().GetResult();
            return source.Read;
        }).Max();
        return ("most bytes read of any image of the corpus, from a file", $"{most / 1024.0:F0} KiB", "", "");
    }

    private static (string Work, string Ours, string Peer, string Ratio) MeasureHolding()
    {
        long most = 0;
        foreach (var image in Corpus.All)
        {
            var bytes = image.Bytes();
            var inspector = new StreamInspector();
            for (var at = 0; at < bytes.Length; at += 4096)
            {
                inspector.Push(bytes.AsSpan(at, Math.Min(4096, bytes.Length - at)));
                most = Math.Max(most, inspector.HeldBytes);
            }
        }

        return ("most bytes held for any image of the corpus, from a stream", $"{most / 1024.0:F0} KiB", "", "");
    }

    private static (string Work, string Ours, string Peer, string Ratio) MeasureGrowth(string[] files)
    {
        static long Settle()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            GC.Collect();
            return GC.GetTotalMemory(forceFullCollection: true);
        }

        var before = Settle();
        for (var pass = 0; pass < 10; pass++)
        {
            _ = TimeOnce(files);
        }

        return ("growth of live memory over 100,000 files", $"{(Settle() - before) / 1024.0:F0} KiB", "", "");
    }

    private static int TimeOnce(string[] files)
    {
        var safe = 0;
        foreach (var file in files)
        {
            safe += ImageInspector.InspectFileAsync(file).AsTask().GetAwaiter().GetResult().IsSafe ? 1 : 0;
        }

        return safe;
    }

    private static string? Find(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator).Select(directory => Path.Combine(directory, program)).FirstOrDefault(File.Exists);

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }

    private static string Micro(double seconds) => $"{seconds * 1e6:F0} µs";

    private sealed class CountingSource(byte[] bytes) : IByteSource
    {
        public long Read { get; private set; }

        public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var length = (int)Math.Max(0, Math.Min(buffer.Length, bytes.Length - offset));
            bytes.AsSpan((int)Math.Min(offset, bytes.Length), length).CopyTo(buffer.Span);
            Read += length;
            return ValueTask.FromResult(length);
        }

        public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            ReadAsync(Math.Max(0, bytes.Length - buffer.Length), buffer, cancellationToken);

        public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) => ValueTask.FromResult((long)bytes.Length);
    }
}
