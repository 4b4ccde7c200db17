using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Vmdk;

public sealed class VmdkWriterTests
{
    private static readonly VmdkFormat s_format = new();
    private static readonly Guid s_id = Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10");

    [SkippableTheory]
    [InlineData("monolithicSparse", 0, null)]
    [InlineData("monolithicSparse", 100, null)]
    [InlineData("monolithicSparse", 3_000_320, null)]
    [InlineData("monolithicSparse", 33 << 20, null)]
    [InlineData("monolithicSparse", 33 << 20, 8192)]
    [InlineData("monolithicSparse", 3_000_320, 1 << 20)]
    [InlineData("streamOptimized", 0, null)]
    [InlineData("streamOptimized", 100, null)]
    [InlineData("streamOptimized", 3_000_320, null)]
    [InlineData("streamOptimized", 33 << 20, null)]
    [InlineData("streamOptimized", 33 << 20, 8192)]
    [InlineData("streamOptimized", 3_000_320, 1 << 20)]
    public void What_is_written_satisfies_qemu_img_vmdkinfo_and_the_inspector(
        string subformat, int length, int? grainLength)
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Require("vmdkinfo", "libvmdk-utils");
        using var directory = new TemporaryDirectory();
        var (raw, path) = (directory["disk.raw"], directory["disk.vmdk"]);
        var options = new WriterOptions { VirtualSize = length, Subformat = subformat, ClusterSize = grainLength };
        var disk = NativeImage.RandomDisk(length, 1, 400_000);
        var (bytes, size) = Write(options, disk);
        File.WriteAllBytes(path, bytes);
        Array.Resize(ref disk, (int)size);
        File.WriteAllBytes(raw, disk);

        Tool.Run("qemu-img", "check", "-q", "-f", "vmdk", path);
        Tool.Run("qemu-img", "compare", "-q", "-f", "raw", "-F", "vmdk", raw, path);
        Assert.Contains($"({size} bytes)", Tool.Run("qemu-img", "info", "-f", "vmdk", path));
        Assert.Contains(size < 1024 ? $"{size} bytes" : $"({size} bytes)", Tool.Run("vmdkinfo", path));
        var inspection = Inspected.Bytes(bytes);
        Assert.True(inspection.IsSafe, string.Join("; ", inspection.Failures.Select(failure => failure.Message)));
        Assert.Equal(
            (ImageFormat.Vmdk, size, subformat, grainLength ?? 65536L),
            (inspection.Format, inspection.VirtualSize, inspection.Subformat, inspection.ClusterSize));
        Assert.True(disk.AsSpan().SequenceEqual(NativeImage.Read(NativeImage.Open(s_format, path))));
    }

    [SkippableTheory]
    [InlineData("monolithicSparse")]
    [InlineData("streamOptimized")]
    public async Task A_conversion_there_and_back_through_split_extents_changes_nothing(string subformat)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var disk = NativeImage.RandomDisk(20_000_256, 11, 2_000_000);
        File.WriteAllBytes(directory["disk.raw"], disk);
        Tool.Run(
            "qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse",
            directory["disk.raw"], directory["split.vmdk"]);
        var policy = SafetyPolicy.Default with
        {
            DataFileDirectories = [directory.Path],
            AllowedVmdkTypes = ["twoGbMaxExtentSparse"],
        };
        await ImageConverter.ConvertAsync(new ConversionRequest
        {
            SourcePath = directory["split.vmdk"],
            DestinationPath = directory["disk.vmdk"],
            DestinationFormat = ImageFormat.Vmdk,
            Source = OpenOptions.Default with { Inspection = new InspectionOptions { Policy = policy } },
            Target = new WriterOptions { VirtualSize = 0, Subformat = subformat },
            Verify = true,
        });
        Tool.Run("qemu-img", "check", "-q", "-f", "vmdk", directory["disk.vmdk"]);
        Tool.Run(
            "qemu-img", "compare", "-q", "-f", "raw", "-F", "vmdk", directory["disk.raw"], directory["disk.vmdk"]);
        await ImageConverter.ConvertAsync(new ConversionRequest
        {
            SourcePath = directory["disk.vmdk"],
            DestinationPath = directory["back.raw"],
            DestinationFormat = ImageFormat.Raw,
        });
        Assert.True(disk.AsSpan().SequenceEqual(File.ReadAllBytes(directory["back.raw"])));
    }

    [SkippableFact]
    public void A_sparse_disk_is_laid_out_as_qemu_img_does_it()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vmdk", directory["disk.vmdk"], "40G");
        var expected = File.ReadAllBytes(directory["disk.vmdk"]);
        var id = BitConverter.GetBytes(uint.Parse(
            Between(Latin(expected.AsSpan(512, 2000)), "\nCID=", "\n"), NumberStyles.HexNumber,
            CultureInfo.InvariantCulture));
        var (bytes, _) = Write(
            new WriterOptions { VirtualSize = 40L << 30, UniqueId = new Guid([.. id, .. new byte[12]]) }, []);
        Assert.Equal(expected.Length, bytes.Length);
        Assert.Equal(Latin(expected.AsSpan(512, 10_240)), Latin(bytes.AsSpan(512, 10_240)));
        Assert.True(expected.AsSpan().SequenceEqual(bytes));
    }

    [Fact]
    public void Random_disks_read_as_they_were_written()
    {
        Prop.ForAll<int, bool, bool>((seed, isStream, isDevice) =>
        {
            var random = new Random(seed);
            var disk = NativeImage.RandomDisk(random.Next(1, 6000) * 512, seed, random.Next(100, 300_000));
            var options = new WriterOptions
            {
                VirtualSize = disk.Length,
                Subformat = isStream ? "STREAMoptimized" : null,
                ClusterSize = 8192L << random.Next(5),
            };
            var sink = new SparseMemory(isDevice ? (byte)0xFF : (byte)0);
            NativeImage.Write(s_format.CreateWriter(options), sink, disk, random.Next(1, 200_000));

            // A device goes on after the image.
            sink.SetLengthAsync(isDevice ? 8 << 20 : sink.Length, default).AsTask().GetAwaiter().GetResult();
            using var file = new TemporaryFile(sink.ToArray());
            return disk.AsSpan().SequenceEqual(NativeImage.Read(NativeImage.Open(s_format, file.Path)));
        }).QuickCheckThrowOnFailure();
    }

    [Theory]
    [InlineData("monolithicSparse")]
    [InlineData("streamOptimized")]
    public void A_writer_goes_on_from_a_saved_state_to_the_same_bytes(string subformat)
    {
        var disk = NativeImage.RandomDisk(30 << 20, 5, 2_000_000);
        var options = new WriterOptions
        {
            VirtualSize = disk.Length,
            Subformat = subformat,
            ClusterSize = 16384,
            UniqueId = s_id,
        };
        var (expected, _) = Write(options, disk);
        var random = new Random(6);
        for (var round = 0; round < 4; round++)
        {
            // Between pieces of 1 MiB, which are written whole or, being zero, not at all.
            var stop = random.Next(disk.Length >> 20) << 20;
            var lost = Math.Min(stop + (random.Next(8) << 20), disk.Length);
            var sink = new SparseMemory();
            var writer = s_format.CreateWriter(options);
            NativeImage.Write(writer, sink, disk, to: stop, isFinished: false);
            var state = new MemoryStream();
            writer.SaveState(new BinaryWriter(state));
            NativeImage.Write(writer, sink, disk, from: stop, to: lost, isContinued: true, isFinished: false);

            state.Position = 0;
            writer = s_format.CreateWriter(options);
            writer.LoadState(sink, new BinaryReader(state));
            Assert.Equal(state.Length, state.Position);
            NativeImage.Write(writer, sink, disk, from: stop, isContinued: true);
            Assert.True(expected.AsSpan().SequenceEqual(sink.ToArray()), $"stopped at {stop}");
        }
    }

    [Theory]
    [InlineData("monolithicSparse")]
    [InlineData("streamOptimized")]
    public void A_state_that_is_cut_or_of_another_disk_is_refused(string subformat)
    {
        var options = new WriterOptions { VirtualSize = 1 << 20, Subformat = subformat };
        var writer = s_format.CreateWriter(options);
        NativeImage.Write(writer, new SparseMemory(), NativeImage.RandomDisk(1 << 20, 7), isFinished: false);
        var state = new MemoryStream();
        writer.SaveState(new BinaryWriter(state));
        var bytes = state.ToArray();
        Assert.Throws<InvalidDataException>(() => Load(options with { VirtualSize = 2 << 20 }, bytes));
        for (var length = 0; length < bytes.Length; length += 7)
        {
            Assert.Throws<EndOfStreamException>(() => Load(options, bytes[..length]));
        }

        static void Load(WriterOptions options, byte[] state) => s_format.CreateWriter(options)
            .LoadState(new SparseMemory(), new BinaryReader(new MemoryStream(state)));
    }

    [Theory]
    [InlineData("monolithicSparse")]
    [InlineData("streamOptimized")]
    public void A_dry_run_has_the_files_length(string subformat)
    {
        var disk = NativeImage.RandomDisk(5_000_000, 8);
        var options = new WriterOptions { VirtualSize = disk.Length, Subformat = subformat };
        var counted = new CountingSink();
        NativeImage.Write(s_format.CreateWriter(options), counted, disk);
        Assert.Equal(Write(options, disk).Bytes.Length, counted.Length);
    }

    [Theory]
    [InlineData("monolithicSparse")]
    [InlineData("streamOptimized")]
    public void Until_the_last_write_the_file_is_no_image(string subformat)
    {
        var disk = NativeImage.RandomDisk(3 << 20, 9);
        var options = new WriterOptions { VirtualSize = disk.Length, Subformat = subformat };
        var whole = new SparseMemory();
        NativeImage.Write(s_format.CreateWriter(options), whole, disk);
        for (var failAt = 0; failAt < whole.Calls; failAt++)
        {
            var sink = new SparseMemory { CallsUntilFault = failAt };
            Assert.Throws<IOException>(
                () => NativeImage.Write(s_format.CreateWriter(options), sink, disk));
            Assert.NotEqual(ImageFormat.Vmdk, Inspected.File([.. sink.ToArray(), 0]).Format);
        }
    }

    [Fact]
    public void A_stream_is_appended_but_for_its_header_and_descriptor()
    {
        var sink = new SparseMemory();
        NativeImage.Write(
            s_format.CreateWriter(new WriterOptions { VirtualSize = 100 << 20, Compress = true }), sink,
            NativeImage.RandomDisk(100 << 20, 10, 9_000_000));
        Assert.Equal([512L, 0L], sink.Writes[^2..].Select(write => write.Offset));
        long end = 128 * 512;
        foreach (var (offset, length) in sink.Writes[..^2])
        {
            Assert.Equal(end, offset);
            end += length;
        }

        var bytes = sink.ToArray();
        Assert.Equal(end, bytes.Length);
        Assert.True(bytes.AsSpan(0, 512).SequenceEqual(bytes.AsSpan(bytes.Length - 1024, 512)));
    }

    [Theory]
    [InlineData("monolithicSparse")]
    [InlineData("streamOptimized")]
    public async Task Memory_does_not_grow_with_a_disk_of_many_TiB(string subformat)
    {
        var options = new WriterOptions { VirtualSize = 16L << 40, Subformat = subformat };
        var writer = s_format.CreateWriter(options);
        await writer.BeginAsync(new CountingSink(), default);
        var (piece, unit) = (new byte[1], new byte[40]);

        // All of it is on this thread: nothing waits for a counter.
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (long at = 0; at < writer.VirtualSize; at += 512L << 20)
        {
            await (writer.Compression is null
                ? writer.WriteAsync(at, piece, default)
                : writer.WriteCompressedAsync(at, unit, default));
        }

        await writer.FinishAsync(default);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 16 << 20);
    }

    [Fact]
    public async Task More_data_than_32_bits_of_sectors_can_reach_is_an_error_that_a_dry_run_finds()
    {
        var writer = s_format.CreateWriter(new WriterOptions { VirtualSize = 3L << 40, ClusterSize = 1 << 20 });
        await writer.BeginAsync(new CountingSink(), default);
        var error = await Assert.ThrowsAsync<ImageOptionException>(async () =>
        {
            for (long at = 0; at < writer.VirtualSize; at += writer.UnitSize)
            {
                await writer.PlaceAsync(at, writer.UnitSize, default);
            }
        });
        Assert.Contains("2 TiB", error.Message);
    }

    [Fact]
    public void Options_that_there_are_not_are_refused()
    {
        var options = new WriterOptions { VirtualSize = 1 << 20 };
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { Subformat = "monolithicFlat" }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { ClusterSize = 4096 }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { ClusterSize = 3 << 16 }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { BackingFile = "a" }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { VirtualSize = 1L << 60 }));
        Assert.Throws<ImageOptionException>(
            () => s_format.CreateWriter(options with { Subformat = "monolithicSparse", Compress = true }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { CompressionLevel = 3 }));
    }

    private static (byte[] Bytes, long VirtualSize) Write(WriterOptions options, byte[] disk)
    {
        var sink = new SparseMemory();
        var writer = s_format.CreateWriter(options);
        NativeImage.Write(writer, sink, disk);
        return (sink.ToArray(), writer.VirtualSize);
    }

    private static string Latin(ReadOnlySpan<byte> bytes) => System.Text.Encoding.Latin1.GetString(bytes);

    private static string Between(string text, string start, string end)
    {
        var from = text.IndexOf(start, StringComparison.Ordinal) + start.Length;
        return text[from..text.IndexOf(end, from, StringComparison.Ordinal)];
    }
}
