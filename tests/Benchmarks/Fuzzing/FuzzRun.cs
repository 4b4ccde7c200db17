using System.Diagnostics;
using System.Text.RegularExpressions;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Mapping;
using ImageUtils.Resizing;
using ImageUtils.Safety;

namespace ImageUtils.Benchmarks.Fuzzing;

/// <summary>
/// Damages images and has them opened, mapped and converted: only this library's own errors may come of it, soon, in
/// little memory; and what qemu-img reads of an image that passed, we must read alike or refuse.
/// </summary>
internal sealed class FuzzRun
{
    private const long MostAllocated = 300L << 20;
    private const long MostConverted = 32L << 20;
    private const long MostCompared = 8L << 30;
    private const int MostExtents = 2_000_000;

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(5);
    private static readonly Regex s_numbers = new("'[^']*'|(0x[0-9a-f]+|[0-9]+)");

    private readonly SortedDictionary<string, int> _counts = new(StringComparer.Ordinal);
    private readonly Random _random;
    private readonly string _directory;
    private readonly string _failures;
    private readonly OpenOptions _options;
    private int _failed;

    private FuzzRun(int seed, string directory, string failures)
    {
        _random = new Random(seed);
        _directory = directory;
        _failures = failures;
        _options = new OpenOptions
        {
            TemporaryDirectory = directory,
            MaximumUnpackedSize = 64 << 20,
            Inspection = new InspectionOptions
            {
                Policy = SafetyPolicy.Default with
                {
                    AllowExtendedL2 = true,
                    DataFileDirectories = [directory],
                    AllowedVmdkTypes =
                        ["streamOptimized", "monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse"],
                },
            },
        };
    }

    internal static async Task<int> RunAsync(ReadOnlyMemory<string> arguments)
    {
        var given = arguments.Span;
        var seconds = given.Length > 0 ? int.Parse(given[0], null) : 60;
        var seed = given.Length > 1 ? int.Parse(given[1], null) : Environment.TickCount & int.MaxValue;
        var failures = Path.GetFullPath(given.Length > 2 ? given[2] : "fuzz-failures");
        var only = given.Length > 3 ? given[3] : "";
        var root = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        var directory = Directory.CreateDirectory(Path.Join(root, $"imageutils-fuzz-{Environment.ProcessId}")).FullName;
        try
        {
            var run = new FuzzRun(seed, directory, failures);
            await run.RunAsync(TimeSpan.FromSeconds(seconds), only);
            Console.WriteLine($"seed {seed}, {seconds} s");
            foreach (var (what, count) in run._counts)
            {
                Console.WriteLine($"{count,8}  {what[..Math.Min(what.Length, 200)]}");
            }

            return run._failed == 0 ? 0 : 1;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private async Task RunAsync(TimeSpan duration, string only)
    {
        var seeds = (await FuzzSeeds.MakeAsync(_directory))
            .Where(seed => seed.Name.Contains(only, StringComparison.Ordinal)).ToList();
        var mutators = new List<FuzzMutator>();
        foreach (var seed in seeds)
        {
            mutators.Add(await FuzzMutator.MakeAsync(seed, _options));
        }

        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < duration)
        {
            var index = _random.Next(seeds.Count);
            if (seeds[index].IsHostile && _random.Next(10) > 0)
            {
                continue;
            }

            mutators[index].Mutate(_random);
            using (var file = new FileStream(seeds[index].Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            {
                file.SetLength(mutators[index].Bytes.Length);
                file.Write(mutators[index].Bytes);
            }

            Count("inputs");
            if (await TryAsync(seeds[index]) is { } defect)
            {
                Save(seeds[index], defect);
            }
        }
    }

    private async Task<string?> TryAsync(FuzzSeed seed)
    {
        var allocated = GC.GetTotalAllocatedBytes();
        var clock = Stopwatch.StartNew();
        var output = Path.Join(_directory, "out.raw");
        string? refusal = null;
        var wasOpened = false;
        var isWhole = false;
        var isKind = false;
        using var patience = new CancellationTokenSource(s_patience);
        try
        {
            using (var image = await ImageOpener.OpenAsync(seed.Path, _options, patience.Token))
            {
                wasOpened = true;
                Count("opened");
                var (problem, data) = await WalkAsync(image, patience.Token);
                if (problem is not null)
                {
                    return problem;
                }

                isWhole = data <= MostConverted && image.Map.VirtualSize <= 1L << 42;
                isKind = image.Format.ToQemuName() == seed.QemuDriver;
            }

            if (isWhole)
            {
                await ConvertAsync(seed, output, patience.Token);
                Count("converted");
            }
        }
        catch (ImageUtilsException exception)
        {
            refusal = $"{exception.ErrorId} ({seed.QemuDriver}): {exception.Message}";
            Count($"refused{(wasOpened ? " later" : "")}: {exception.ErrorId}");
            isWhole = wasOpened && exception is not ConversionResultException;
        }
        catch (OperationCanceledException)
        {
            return $"hang: more than {s_patience.TotalSeconds} s";
        }
        catch (Exception exception)
        {
            return $"{exception.GetType().Name}: {exception.Message}\n{exception.StackTrace}";
        }

        if (GC.GetTotalAllocatedBytes() - allocated is > MostAllocated and var much)
        {
            return $"memory: {much} bytes allocated";
        }

        if (refusal is null && isWhole && _random.Next(6) == 0 && await GrowAsync(seed, output) is { } changed)
        {
            return changed;
        }

        return clock.Elapsed > s_patience
            ? $"hang: {clock.Elapsed.TotalSeconds} s"
            : isWhole && isKind && _random.Next(2) == 0
                ? await CompareAsync(seed, output, refusal)
                : null;
    }

    private static async Task<(string? Problem, long Data)> WalkAsync(OpenedImage image, CancellationToken token)
    {
        long at = 0;
        long data = 0;
        var count = 0;
        await foreach (var extent in image.Map.GetExtentsAsync(token))
        {
            if (extent.GuestOffset != at || extent.Length <= 0 || extent.GuestEnd > image.Map.VirtualSize)
            {
                return ($"map: {extent} follows {at} of {image.Map.VirtualSize}", data);
            }

            at = extent.GuestEnd;
            if (!extent.IsEmpty)
            {
                data += extent.Length;
                var hostLength = extent.Kind == ExtentKind.Stored ? extent.Length : extent.HostLength;
                var fileLength = await extent.Source!.GetLengthAsync(token);
                if (extent.HostOffset < 0 || hostLength <= 0 || extent.HostOffset > fileLength - hostLength)
                {
                    return ($"map: {extent} is outside the file's {fileLength}", data);
                }
            }

            if (++count > MostExtents)
            {
                return (null, long.MaxValue);
            }
        }

        return (at == image.Map.VirtualSize ? null : $"map: ends at {at} of {image.Map.VirtualSize}", data);
    }

    private Task<ImageConversionResult> ConvertAsync(FuzzSeed seed, string output, CancellationToken token) =>
        ImageConverter.ConvertAsync(
            new ConversionRequest
            {
                SourcePath = seed.Path,
                DestinationPath = output,
                DestinationFormat = ImageFormat.Raw,
                Source = _options,
                TemporaryDirectory = _directory,
                Engine = ConversionEngine.Native,
                CheckSpace = false,
                Overwrite = true,
            },
            null, token);

    // What is larger now must still read as it did, with zeros behind.
    private async Task<string?> GrowAsync(FuzzSeed seed, string output)
    {
        var grown = Path.Join(_directory, "grown");
        File.Copy(seed.Path, grown, overwrite: true);
        var known = new OpenOptions { KnownRaw = true };
        try
        {
            await ImageResizer.ResizeAsync(new ImageResizeRequest
            {
                Path = grown,
                Size = SizeChange.Parse("+3M"),
                Source = _options,
                Engine = ConversionEngine.Native,
            });
            var comparison = await DiskComparer.CompareAsync(new DiskComparisonRequest
            {
                Path = grown,
                Image = _options,
                ReferencePath = output,
                Reference = known,
            });
            Count("grown");
            return comparison.IsIdentical && !comparison.IsSameSize
                ? null
                : $"grown: {comparison.Difference} at {comparison.FirstDifference}, size {comparison.VirtualSize}";
        }
        catch (ImageUtilsException exception)
        {
            Count($"not grown: {exception.ErrorId}");
            return null;
        }
        catch (Exception exception)
        {
            return $"{exception.GetType().Name}: {exception.Message}\n{exception.StackTrace}";
        }
    }

    private async Task<string?> CompareAsync(FuzzSeed seed, string output, string? refusal)
    {
        var reference = Path.Join(_directory, "qemu.raw");
        var isRead = FuzzSeeds.RunQemu(
            ["convert", "-f", seed.QemuDriver!, "-O", "raw", seed.Path, reference], out var error);
        if (refusal is not null || !isRead)
        {
            Count(isRead ? $"qemu reads, we refuse later: {s_numbers.Replace(refusal!, "#")}"
                : refusal is null ? $"we read, qemu refuses ({seed.Name}): {s_numbers.Replace(error, "#")}" : "both refuse later");
            return null;
        }

        var length = new FileInfo(output).Length;
        if (length is < 512 or > MostCompared)
        {
            return length / 512 == new FileInfo(reference).Length / 512 ? null : $"differs: in size, {length} bytes";
        }

        // qemu leaves out what is no whole sector at the end.
        using (var file = new FileStream(output, FileMode.Open, FileAccess.Write))
        {
            file.SetLength(length - length % 512);
        }

        Count("compared with qemu");
        var raw = new OpenOptions { KnownRaw = true };
        var comparison = await DiskComparer.CompareAsync(
            new DiskComparisonRequest
            {
                Path = output,
                Image = raw,
                ReferencePath = reference,
                Reference = raw,
                Strict = true,
            },
            null, CancellationToken.None);
        return comparison.IsIdentical
            ? null
            : $"differs: {comparison.Difference} at {comparison.FirstDifference}, size {comparison.VirtualSize} and "
                + $"{comparison.ReferenceVirtualSize} of qemu's";
    }

    private void Count(string what) => _counts[what] = _counts.GetValueOrDefault(what) + 1;

    private void Save(FuzzSeed seed, string defect)
    {
        _failed++;
        var kind = defect.Split(':')[0];
        Count($"DEFECT {kind} ({seed.Name})");
        Directory.CreateDirectory(_failures);
        var path = Path.Join(_failures, $"{_failed:0000}-{kind}-{seed.Name}");
        File.Copy(seed.Path, path, overwrite: true);
        File.WriteAllText(path + ".txt", defect + "\n");
        Console.WriteLine($"{path}: {defect.Split('\n')[0]}");
    }
}
