using System.Diagnostics;
using ImageUtils.Builders;
using ImageUtils.Codecs;
using ImageUtils.Conversion;

namespace ImageUtils.Benchmarks.Fuzzing;

/// <summary>An image to be damaged.</summary>
/// <param name="Name">What it is, such as <c>qemu-qcow2-zstd</c>.</param>
/// <param name="Path">The file that is damaged and mended again.</param>
/// <param name="QemuDriver">What qemu calls the format; null where qemu is not asked.</param>
/// <param name="IsHostile">Whether it is refused as it is; such are tried less often.</param>
internal sealed record FuzzSeed(string Name, string Path, string? QemuDriver, bool IsHostile = false);

/// <summary>Makes valid images of every kind that is read: by qemu-img, by this library, and from the tests' builders.</summary>
internal static class FuzzSeeds
{
    private const int DiskLength = (3 << 20) + 512;

    private static readonly (string Name, string Format, string[] Arguments)[] s_ofQemu =
    [
        ("qcow2", "qcow2", []),
        ("qcow2-v2", "qcow2", ["-o", "compat=0.10"]),
        ("qcow2-512", "qcow2", ["-o", "cluster_size=512"]),
        ("qcow2-4k-lazy", "qcow2", ["-o", "cluster_size=4096,lazy_refcounts=on,refcount_bits=1"]),
        ("qcow2-2M", "qcow2", ["-o", "cluster_size=2M,refcount_bits=64"]),
        ("qcow2-zlib", "qcow2", ["-c"]),
        ("qcow2-zlib-4k", "qcow2", ["-c", "-o", "cluster_size=4096"]),
        ("qcow2-zlib-2M", "qcow2", ["-c", "-o", "cluster_size=2M"]),
        ("qcow2-zstd", "qcow2", ["-c", "-o", "compression_type=zstd"]),
        ("qcow2-extended", "qcow2", ["-o", "extended_l2=on"]),
        ("qcow2-extended-zlib", "qcow2", ["-c", "-o", "extended_l2=on,cluster_size=128k"]),
        ("qcow2-metadata", "qcow2", ["-o", "preallocation=metadata"]),
        ("vpc", "vpc", ["-o", "force_size=on"]),
        ("vpc-fixed", "vpc", ["-o", "subformat=fixed,force_size=on"]),
        ("vpc-chs", "vpc", []),
        ("vhdx", "vhdx", []),
        ("vhdx-1M", "vhdx", ["-o", "block_size=1M"]),
        ("vhdx-fixed", "vhdx", ["-o", "subformat=fixed,block_size=1M"]),
        ("vmdk", "vmdk", []),
        ("vmdk-stream", "vmdk", ["-o", "subformat=streamOptimized"]),
        ("vmdk-flat", "vmdk", ["-o", "subformat=monolithicFlat"]),
        ("vmdk-2g-sparse", "vmdk", ["-o", "subformat=twoGbMaxExtentSparse"]),
        ("vdi", "vdi", []),
        ("vdi-static", "vdi", ["-o", "static=on"]),
    ];

    private static readonly (string Name, ImageFormat Format, WriterOptions Options)[] s_ofOurs =
    [
        ("qcow2", ImageFormat.Qcow2, new() { VirtualSize = 0 }),
        ("qcow2-zlib", ImageFormat.Qcow2, new() { VirtualSize = 0, Compress = true }),
        ("qcow2-zstd", ImageFormat.Qcow2,
            new() { VirtualSize = 0, Compress = true, CompressionType = UnitCodec.Zstd, ClusterSize = 16384 }),
        ("vhd", ImageFormat.Vhd, new() { VirtualSize = 0 }),
        ("vhd-512k", ImageFormat.Vhd, new() { VirtualSize = 0, ClusterSize = 512 << 10 }),
        ("vhdx", ImageFormat.Vhdx, new() { VirtualSize = 0, ClusterSize = 1 << 20 }),
        ("vmdk", ImageFormat.Vmdk, new() { VirtualSize = 0 }),
        ("vmdk-stream", ImageFormat.Vmdk, new() { VirtualSize = 0, Subformat = "streamOptimized" }),
        ("vdi", ImageFormat.Vdi, new() { VirtualSize = 0 }),
    ];

    /// <summary>Whether qemu-img is at hand to be compared with.</summary>
    internal static bool HasQemu { get; } = File.Exists("/usr/bin/qemu-img");

    internal static async Task<IReadOnlyList<FuzzSeed>> MakeAsync(string directory)
    {
        var seeds = new List<FuzzSeed>();
        var raw = Path.Join(directory, "disk.raw");
        await File.WriteAllBytesAsync(raw, MakeDisk());
        foreach (var (name, format, arguments) in HasQemu ? s_ofQemu : [])
        {
            var path = Path.Join(directory, $"qemu-{name}.{format}");
            if (RunQemu(["convert", "-f", "raw", "-O", format, .. arguments, raw, path], out _))
            {
                seeds.Add(new FuzzSeed($"qemu-{name}", path, format));
            }
        }

        AddWithSnapshots(seeds, directory, raw);
        foreach (var (name, format, options) in s_ofOurs)
        {
            var path = Path.Join(directory, $"ours-{name}");
            await ImageConverter.ConvertAsync(new ConversionRequest
            {
                SourcePath = raw,
                DestinationPath = path,
                DestinationFormat = format,
                Target = options,
                Source = new OpenOptions { KnownRaw = true },
                Engine = ConversionEngine.Native,
            });
            seeds.Add(new FuzzSeed($"ours-{name}", path, HasQemu ? format.ToQemuName() : null));
        }

        string[] read = ["qcow2", "vhd", "vhdx", "vmdk", "vdi"];
        foreach (var one in Corpus.All.Where(one => read.Contains(one.Format)))
        {
            var path = Path.Join(directory, $"corpus-{one.Name.Replace('/', '-')}");
            await File.WriteAllBytesAsync(path, one.Bytes());
            seeds.Add(new FuzzSeed(
                $"corpus-{one.Name.Replace('/', '-')}", path,
                HasQemu ? one.Format == "vhd" ? "vpc" : one.Format : null, one.FailedChecks.Length > 0));
        }

        return seeds;
    }

    /// <summary>Runs qemu-img for at most ten seconds.</summary>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="error">What it said last on its standard error.</param>
    internal static bool RunQemu(IEnumerable<string> arguments, out string error)
    {
        var last = "";

        var start = new ProcessStartInfo("/usr/bin/qemu-img", arguments)
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        process.ErrorDataReceived += (_, line) => last = line.Data ?? last;
        process.OutputDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        if (!process.WaitForExit(10_000))
        {
            process.Kill();
            process.WaitForExit();
            error = "timed out";
            return false;
        }

        // The end of its output too.
        process.WaitForExit();
        error = last[(last.LastIndexOf("': ", StringComparison.Ordinal) + 1)..];
        return process.ExitCode == 0;
    }

    private static void AddWithSnapshots(List<FuzzSeed> seeds, string directory, string raw)
    {
        var path = Path.Join(directory, "qemu-qcow2-snapshots.qcow2");
        if (HasQemu && RunQemu(["convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4096", raw, path], out _)
            && RunQemu(["snapshot", "-c", "first", path], out _)
            && RunQemu(["bitmap", "--add", path, "dirty"], out _))
        {
            seeds.Add(new FuzzSeed("qemu-qcow2-snapshots", path, "qcow2"));
        }
    }

    // Runs of noise, of text and of zeros, and an odd end.
    private static byte[] MakeDisk()
    {
        var random = new Random(7);
        var disk = new byte[DiskLength];
        for (var at = 0; at < disk.Length;)
        {
            var length = Math.Min(disk.Length - at, 512 * random.Next(1, 300));
            var run = disk.AsSpan(at, length);
            switch (random.Next(4))
            {
                case 0:
                    random.NextBytes(run);
                    break;
                case 1:
                    for (var index = 0; index < run.Length; index++)
                    {
                        run[index] = (byte)("a guest's data "[index % 15] + index / 700 % 9);
                    }

                    break;
            }

            at += length;
        }

        disk[0] = 0xEB;
        return disk;
    }
}
