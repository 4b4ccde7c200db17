using FsCheck;
using FsCheck.Fluent;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vdi;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Vdi;

public sealed class VdiWriterTests
{
    private static readonly VdiFormat s_format = new();

    [SkippableTheory]
    [InlineData("dynamic", 0)]
    [InlineData("dynamic", 100)]
    [InlineData("dynamic", 3_000_320)]
    [InlineData("dynamic", 20 << 20)]
    [InlineData("static", 0)]
    [InlineData("static", 3_000_320)]
    public void What_is_written_satisfies_qemu_img_and_the_inspector(string subformat, int length)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var (raw, path) = (directory["disk.raw"], directory["disk.vdi"]);
        var disk = NativeImage.RandomDisk(length, 1, 3_000_000);
        var (bytes, size) = Write(new WriterOptions { VirtualSize = length, Subformat = subformat }, disk);
        File.WriteAllBytes(path, bytes);
        Array.Resize(ref disk, (int)size);
        File.WriteAllBytes(raw, disk);

        Tool.Run("qemu-img", "check", "-q", "-f", "vdi", path);
        Tool.Run("qemu-img", "compare", "-q", "-f", "raw", "-F", "vdi", raw, path);
        Assert.Contains($"({size} bytes)", Tool.Run("qemu-img", "info", "-f", "vdi", path));
        var inspection = Inspected.Bytes(bytes);
        Assert.True(inspection.IsSafe, string.Join("; ", inspection.Failures.Select(failure => failure.Message)));
        Assert.Equal(
            (ImageFormat.Vdi, size, subformat), (inspection.Format, inspection.VirtualSize, inspection.Subformat));
        Assert.True(disk.AsSpan().SequenceEqual(NativeImage.Read(NativeImage.Open(s_format, path))));
    }

    [SkippableTheory]
    [InlineData("dynamic", "off", "5000M")]
    [InlineData("static", "on", "3500000")]
    public void An_empty_disk_is_laid_out_as_qemu_img_does_it(string subformat, string isStatic, string size)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vdi", "-o", $"static={isStatic}", directory["disk.vdi"], size);
        var expected = File.ReadAllBytes(directory["disk.vdi"]);
        var length = size == "5000M" ? 5000L << 20 : 3_500_000;
        var (bytes, _) = Write(new WriterOptions { VirtualSize = length, Subformat = subformat }, []);
        Assert.Equal(expected.Length, bytes.Length);
        Assert.Equal(expected[64..392], bytes[64..392]);
        Assert.True(expected.AsSpan(512).SequenceEqual(bytes.AsSpan(512)));
    }

    [Fact]
    public void Random_disks_read_as_they_were_written()
    {
        Prop.ForAll<int, bool, bool>((seed, isStatic, isDevice) =>
        {
            var random = new Random(seed);
            var disk = NativeImage.RandomDisk(random.Next(1, 10_000) * 512, seed, random.Next(100, 3_000_000));
            var sink = new SparseMemory(isDevice ? (byte)0xFF : (byte)0);
            var options = new WriterOptions { VirtualSize = disk.Length, Subformat = isStatic ? "STATIC" : null };
            NativeImage.Write(s_format.CreateWriter(options), sink, disk, random.Next(1, 200_000));

            // A device goes on after the image.
            sink.SetLengthAsync(isDevice ? 8 << 20 : sink.Length, default).AsTask().GetAwaiter().GetResult();
            using var file = new TemporaryFile(sink.ToArray());
            return disk.AsSpan().SequenceEqual(NativeImage.Read(NativeImage.Open(s_format, file.Path)));
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public async Task The_block_map_is_written_as_the_walk_moves_on()
    {
        var options = new WriterOptions { VirtualSize = 40L << 30 };
        var sink = new SparseMemory();
        var writer = s_format.CreateWriter(options);
        NativeImage.Write(writer, sink, [1], isFinished: false);
        await writer.WriteAsync(39L << 30, new byte[] { 2 }, default);
        var map = new byte[64 << 10];
        map.AsSpan(4).Fill(0xFF);
        Assert.True(map.AsSpan().SequenceEqual(sink.ToArray().AsSpan(512, map.Length)));
        await writer.FinishAsync(default);
        using var file = new TemporaryFile(sink.ToArray());
        var read = NativeImage.Open(s_format, file.Path);
        Assert.Equal((1, 2), (NativeImage.Read(read, 0, 1)[0], NativeImage.Read(read, 39L << 30, 1)[0]));
        Assert.Equal(0, NativeImage.Read(read, (39L << 30) + 1, 1)[0]);
    }

    [Theory]
    [InlineData("dynamic")]
    [InlineData("static")]
    public void A_writer_goes_on_from_a_saved_state_to_the_same_bytes(string subformat)
    {
        var disk = NativeImage.RandomDisk(30 << 20, 5, 3_000_000);
        var options = new WriterOptions
        {
            VirtualSize = disk.Length,
            Subformat = subformat,
            UniqueId = Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10"),
        };
        var (expected, _) = Write(options, disk);
        var random = new Random(6);
        for (var round = 0; round < 5; round++)
        {
            var stop = random.Next(disk.Length);
            var sink = new SparseMemory();
            var writer = s_format.CreateWriter(options);
            NativeImage.Write(writer, sink, disk, to: stop, isFinished: false);
            var state = new MemoryStream();
            writer.SaveState(new BinaryWriter(state));
            NativeImage.Write(
                writer, sink, disk, from: stop, to: stop + random.Next(5_000_000), isContinued: true,
                isFinished: false);

            state.Position = 0;
            writer = s_format.CreateWriter(options);
            writer.LoadState(sink, new BinaryReader(state));
            NativeImage.Write(writer, sink, disk, from: stop, isContinued: true);
            Assert.True(expected.AsSpan().SequenceEqual(sink.ToArray()), $"stopped at {stop}");
        }
    }

    [Theory]
    [InlineData("dynamic")]
    [InlineData("static")]
    public void Until_the_last_write_the_file_is_no_image_and_a_dry_run_has_its_length(string subformat)
    {
        var disk = NativeImage.RandomDisk(3_000_064, 9);
        var options = new WriterOptions { VirtualSize = disk.Length, Subformat = subformat };
        var whole = new SparseMemory();
        NativeImage.Write(s_format.CreateWriter(options), whole, disk);
        for (var failAt = 0; failAt < whole.Calls; failAt++)
        {
            var sink = new SparseMemory { CallsUntilFault = failAt };
            Assert.Throws<IOException>(() => NativeImage.Write(s_format.CreateWriter(options), sink, disk));
            Assert.NotEqual(ImageFormat.Vdi, Inspected.File([.. sink.ToArray(), 0]).Format);
        }

        var counted = new CountingSink();
        NativeImage.Write(s_format.CreateWriter(options), counted, disk);
        Assert.Equal(whole.Length, counted.Length);
    }

    [Fact]
    public void Options_that_there_are_not_are_refused()
    {
        var options = new WriterOptions { VirtualSize = 1 << 20 };
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { Subformat = "differencing" }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { ClusterSize = 65536 }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { VirtualSize = 1L << 50 }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { VirtualSize = long.MaxValue }));
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options with { Compress = true }));
    }

    private static (byte[] Bytes, long VirtualSize) Write(WriterOptions options, byte[] disk)
    {
        var sink = new SparseMemory();
        var writer = s_format.CreateWriter(options);
        NativeImage.Write(writer, sink, disk);
        return (sink.ToArray(), writer.VirtualSize);
    }
}
