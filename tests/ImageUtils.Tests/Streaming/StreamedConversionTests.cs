using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Streaming;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Streaming;

/// <summary>Images that pass once, from front to back, and become disks of another format on the way.</summary>
public sealed class StreamedConversionTests : IDisposable
{
    private const int DiskLength = (24 << 20) + 1536;

    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _disk = MakeDisk();

    public static TheoryData<string, ImageFormat> Pairs
    {
        get
        {
            var pairs = new TheoryData<string, ImageFormat>();
            string[] sources =
            [
                "raw", "qcow2", "qcow2 -c", "qcow2 -c -o compression_type=zstd", "qcow2 -o cluster_size=512",
                "qcow2 -c -o cluster_size=2M", "qcow2 -o compat=0.10", "vpc -o force_size=on",
                "vpc -o subformat=fixed,force_size=on", "vhdx", "vdi", "vmdk", "vmdk -o subformat=streamOptimized",
            ];
            foreach (var source in sources)
            {
                pairs.Add(source, ImageFormat.Raw);
                pairs.Add(source, ImageFormat.Qcow2);
            }

            foreach (var target in new[] { ImageFormat.Vhd, ImageFormat.Vhdx, ImageFormat.Vmdk, ImageFormat.Vdi })
            {
                pairs.Add("qcow2 -c", target);
                pairs.Add("raw", target);
            }

            return pairs;
        }
    }

    private string Image => _directory["image"];

    private string Result => _directory["result"];

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [MemberData(nameof(Pairs))]
    public async Task What_passes_is_the_disk(string source, ImageFormat target)
    {
        Make(source);
        var result = await RunAsync(target);
        Assert.NotNull(result);
        Assert.Equal(["disk.raw", "image", "result"], _directory.Names());
        Assert.Equal(target, result.DestinationFormat);
        var read = await ReadAsync(Result, target);
        Assert.Equal(_disk, read[..DiskLength]);
        Assert.Equal(-1, read.AsSpan(DiskLength).IndexOfAnyExcept((byte)0));
    }

    [SkippableFact]
    public async Task Data_in_any_order_finds_its_place()
    {
        Tool.Require("qemu-io", "qemu-utils");
        Tool.Run("qemu-img", "create", "-f", "qcow2", Image, $"{DiskLength}");
        var disk = new byte[DiskLength];
        var random = new Random(4);
        var commands = new List<object> { "-f", "qcow2" };
        foreach (var place in Enumerable.Range(0, 300).OrderBy(_ => random.Next()))
        {
            var value = (byte)random.Next(1, 255);
            var offset = place * 80_000 / 512 * 512;
            disk.AsSpan(offset, 4096).Fill(value);
            commands.AddRange(["-c", $"write -P {value} {offset} 4096"]);
        }

        // What was written later is over what was written before; the last one over all.
        Tool.Run("qemu-io", [.. commands, Image]);
        Tool.Run("qemu-img", "convert", "-f", "qcow2", "-O", "raw", Image, _directory["disk.raw"]);
        Assert.Equal(disk, await File.ReadAllBytesAsync(_directory["disk.raw"]));
        foreach (var target in new[] { ImageFormat.Raw, ImageFormat.Vhdx, ImageFormat.Qcow2 })
        {
            Assert.NotNull(await RunAsync(target));
            Assert.Equal(disk, (await ReadAsync(Result, target))[..DiskLength]);
            File.Delete(Result);
        }
    }

    [SkippableFact]
    public async Task Tables_that_change_between_the_ranges_and_the_stream_leave_nothing()
    {
        Make("qcow2 -c");
        var bytes = await File.ReadAllBytesAsync(Image);

        // Somewhere in the L1 and L2 tables, that were read by range.
        foreach (var at in new[] { 24, 0x30000 + 5, 0x40000 + 800 })
        {
            var other = bytes.ToArray();
            other[at] ^= 1;
            var error = await Assert.ThrowsAsync<ImageFormatException>(() => RunAsync(ImageFormat.Raw, passing: other));
            Assert.Contains("changed meanwhile", error.Message, StringComparison.Ordinal);
            Assert.Equal(["disk.raw", "image"], _directory.Names());
        }
    }

    [SkippableFact]
    public async Task A_stream_that_is_cut_or_goes_on_leaves_nothing()
    {
        Make("qcow2 -c");
        var bytes = await File.ReadAllBytesAsync(Image);
        foreach (var length in new[] { 0, 1, 70_000, bytes.Length / 2, bytes.Length - 1 })
        {
            await Assert.ThrowsAsync<TruncatedImageException>(() => RunAsync(ImageFormat.Raw, passing: bytes[..length]));
        }

        await Assert.ThrowsAsync<ImageFormatException>(() => RunAsync(ImageFormat.Vhd, passing: [.. bytes, 0]));
        Assert.Equal(["disk.raw", "image"], _directory.Names());
    }

    [SkippableFact]
    public async Task What_the_check_of_the_hash_refuses_does_not_become_visible()
    {
        Make("qcow2 -c");
        var passed = 0L;
        await Assert.ThrowsAsync<InvalidDataException>(() => RunAsync(
            ImageFormat.Raw, onPassed: bytes => passed += bytes.Length,
            verify: () => throw new InvalidDataException($"{passed}")));
        Assert.Equal(new FileInfo(Image).Length, passed);
        Assert.Equal(["disk.raw", "image"], _directory.Names());
    }

    [SkippableFact]
    public async Task A_full_disk_or_a_cancellation_half_way_leaves_nothing()
    {
        Make("qcow2 -c");
        for (var fullAt = 1; fullAt < 6; fullAt++)
        {
            await Assert.ThrowsAsync<ImageWriteException>(
                () => RunAsync(ImageFormat.Vhd, through: sink => new FullSink(sink, fullAt)));
        }

        using var stop = new CancellationTokenSource();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => RunAsync(ImageFormat.Raw, onPassed: _ => stop.Cancel(), token: stop.Token));
        Assert.Equal(["disk.raw", "image"], _directory.Names());
    }

    [SkippableFact]
    public async Task What_cannot_be_streamed_is_left_to_others()
    {
        Make("qcow2");
        Assert.Null(await RunAsync(ImageFormat.Vmdk, options: new WriterOptions { VirtualSize = 0, Subformat = "streamOptimized" }));
        Assert.Null(await RunAsync(ImageFormat.Qcow2, options: new WriterOptions { VirtualSize = 0, Compress = true }));
        Assert.Equal(["disk.raw", "image"], _directory.Names());
    }

    [SkippableFact]
    public async Task A_device_full_of_old_data_shows_none_of_it()
    {
        var old = new byte[32 << 20];
        old.AsSpan().Fill(0xA5);
        await File.WriteAllBytesAsync(_directory["old"], old);
        using var loop = LoopDevice.Attach(_directory["old"]);
        Make("qcow2 -c");
        Assert.NotNull(await RunAsync(ImageFormat.Raw, destination: loop.Path));
        var read = await File.ReadAllBytesAsync(loop.Path);
        Assert.Equal(_disk, read[..DiskLength]);
        Assert.Equal(-1, read.AsSpan(DiskLength).IndexOfAnyExcept((byte)0));
    }

    private static byte[] MakeDisk()
    {
        var disk = new byte[DiskLength];
        var random = new Random(12);
        for (var at = 0; at < DiskLength; at += random.Next(1 << 21))
        {
            var piece = disk.AsSpan(at, Math.Min(random.Next(1 << 20), DiskLength - at));
            random.NextBytes(piece);

            // Half of it compresses.
            piece[(piece.Length / 2)..].Fill((byte)random.Next(256));
        }

        return disk;
    }

    private void Make(string source)
    {
        Tool.Require("qemu-img", "qemu-utils");
        File.WriteAllBytes(_directory["disk.raw"], _disk);
        Tool.Run("qemu-img", ["convert", "-f", "raw", "-O", .. source.Split(' '), _directory["disk.raw"], Image]);
    }

    private async Task<ImageConversionResult?> RunAsync(
        ImageFormat target,
        byte[]? passing = null,
        PassedBytes? onPassed = null,
        Action? verify = null,
        Func<IByteSink, IByteSink>? through = null,
        WriterOptions? options = null,
        string? destination = null,
        CancellationToken token = default)
    {
        using var file = FileByteSource.Open(Image);
        var source = new RemoteSource(file.Length, file.ReadAsync);
        var inspection = await ImageInspector.InspectAsync(source, new InspectionOptions { Path = "image" }, token);
        Assert.True(inspection.IsSafe, string.Join(" ", inspection.Failures.Select(one => one.Message)));
        var conversion = new StreamedConversion(
            new ConversionRequest
            {
                SourcePath = "image",
                DestinationPath = destination ?? Result,
                DestinationFormat = target,
                Target = options ?? new WriterOptions { VirtualSize = 0 },
            },
            source,
            inspection)
        {
            OpenAsync = _ => Task.FromResult<Stream>(new Drips(passing ?? File.ReadAllBytes(Image))),
            OnPassed = onPassed,
            Verify = verify,
            Through = through ?? (sink => sink),
        };
        var result = await conversion.RunAsync(token);

        // Where every second block has a table in it, all of them are read.
        Assert.True(source.BytesRead < Math.Max(1 << 20, file.Length / 4) || inspection.ClusterSize == 512);
        return result;
    }

    private static async Task<byte[]> ReadAsync(string path, ImageFormat format)
    {
        using var image = await ImageOpener.OpenAsync(
            path, new OpenOptions { KnownRaw = format == ImageFormat.Raw, ClaimedFormat = format });
        return NativeImage.Read(image.Map);
    }

    /// <summary>Gives a few bytes at a time, as a network does.</summary>
    private sealed class Drips(byte[] bytes) : MemoryStream(bytes, writable: false)
    {
        private readonly Random _random = new(5);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, _random.Next(1, 100_000))], cancellationToken);
    }
}
