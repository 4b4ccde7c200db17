using FsCheck;
using FsCheck.Fluent;
using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Qcow2;

/// <summary>What holds for every disk and every set of options.</summary>
public sealed class Qcow2WriterPropertyTests
{
    private static readonly Gen<WriterOptions> s_options =
        from bits in Gen.Choose(9, 17)
        from refcountOrder in Gen.Choose(0, 6)
        from version in Gen.Frequency((1, Gen.Constant(2)), (3, Gen.Constant(3)))
        from kind in Gen.Choose(0, 4)
        from size in Gen.Choose(1, 400_000)
        select new WriterOptions
        {
            VirtualSize = size,
            Version = version,
            ClusterSize = 1L << bits,
            RefcountBits = version == 2 ? null : 1 << refcountOrder,
            Compress = kind < 3,
            CompressionType = kind == 2 && version == 3 ? UnitCodec.Zstd : null,
            Preallocation = kind == 4 ? PreallocationMode.Metadata : PreallocationMode.Off,
        };

    [Fact]
    public void What_is_written_is_read_back_from_files_and_used_devices() => Prop.ForAll(
        s_options.ToArbitrary(), Gen.Choose(0, int.MaxValue).ToArbitrary(), (options, seed) =>
        {
            var disk = Qcow2Disk.Make((int)options.VirtualSize, seed, 30_000);
            foreach (var isZeroed in new[] { true, false })
            {
                var sink = new SparseMemory(isZeroed ? (byte)0 : (byte)0xFF);
                WriteAsync(options, disk, sink).GetAwaiter().GetResult();
                AssertHoldsAsync(sink.ToArray(), disk).GetAwaiter().GetResult();
            }
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_dry_run_gives_the_exact_size_and_a_resumed_run_the_same_bytes() => Prop.ForAll(
        s_options.ToArbitrary(), Gen.Choose(0, int.MaxValue).ToArbitrary(), (options, seed) =>
            CompareRunsAsync(options, Qcow2Disk.Make((int)options.VirtualSize, seed, 30_000), new Random(seed))
                .GetAwaiter().GetResult()).QuickCheckThrowOnFailure();

    [Theory]
    [InlineData(512, true)]
    [InlineData(4096, false)]
    public async Task Whatever_call_fails_nothing_is_left_that_looks_complete(int clusterSize, bool compress)
    {
        var options = new WriterOptions { VirtualSize = 120_000, ClusterSize = clusterSize, Compress = compress };
        var disk = Qcow2Disk.Make(120_000, 4, 20_000);
        var whole = new SparseMemory();
        await WriteAsync(options, disk, whole);
        Assert.True(whole.Calls > 20);
        for (var call = 0; call < whole.Calls; call++)
        {
            var sink = new SparseMemory { CallsUntilFault = call };
            await Assert.ThrowsAsync<IOException>(() => WriteAsync(options, disk, sink));
            Assert.True(sink.Length == 0 || Inspected.File(sink.ToArray()).Format == ImageFormat.Raw);
        }
    }

    [Fact]
    public async Task An_image_that_was_on_the_device_is_gone_from_the_start()
    {
        var options = new WriterOptions { VirtualSize = 1 << 20 };
        var sink = new SparseMemory(0xFF);
        await WriteAsync(options, new byte[1 << 20], sink);
        Assert.Equal(ImageFormat.Qcow2, Inspected.File(sink.ToArray()).Format);
        await Qcow2Disk.Format.CreateWriter(options).BeginAsync(sink, default);
        Assert.NotEqual(ImageFormat.Qcow2, Inspected.File(sink.ToArray()).Format);
    }

    [Theory]
    [InlineData(1, 63)]
    [InlineData(2, 21)]
    [InlineData(16, 1)]
    public async Task Narrow_counts_leave_room_between_compressed_clusters(int refcountBits, int expected)
    {
        // 63 units of some 20 bytes: alone, by threes, or all in a host cluster of 4 KiB.
        var options = new WriterOptions
        {
            VirtualSize = 63 * 4096,
            ClusterSize = 4096,
            RefcountBits = refcountBits,
            Compress = true,
        };
        var sink = new SparseMemory();
        var disk = new byte[63 * 4096];
        Array.Fill(disk, (byte)7);
        await WriteAsync(options, disk, sink);
        Assert.Equal(expected, sink.Length / 4096 - 5);
        await AssertHoldsAsync(sink.ToArray(), disk);
    }

    [Fact]
    public async Task A_disk_of_4_TiB_keeps_no_more_than_a_table_of_each_kind()
    {
        var writer = Qcow2Disk.Format.CreateWriter(new WriterOptions { VirtualSize = 4L << 40 });
        var sink = new CountingSink();
        await writer.BeginAsync(sink, default);
        var data = new byte[65536];
        data[0] = 1;
        for (var at = 0L; at < 4L << 40; at += 16 << 20)
        {
            await writer.WriteAsync(at, data, default);
        }

        // The state is all that the writer has: the L1 table, an L2 table and a refcount block of 64 KiB each.
        Assert.InRange(Save(writer).Length, 3 * 65536, 3 * 65536 + 1024);
        await writer.FinishAsync(default);
        Assert.InRange(sink.Length, (262_144L + 8192) * 65536, (262_144L + 8192 + 32) * 65536);
    }

    [Fact]
    public async Task A_state_of_other_options_is_not_taken()
    {
        var options = new WriterOptions { VirtualSize = 1 << 20 };
        var writer = Qcow2Disk.Format.CreateWriter(options);
        await writer.BeginAsync(new SparseMemory(), default);
        var state = Save(writer);
        var other = Qcow2Disk.Format.CreateWriter(options with { ClusterSize = 4096 });
        Assert.Throws<InvalidDataException>(() => Load(other, new SparseMemory(), state));
        var same = Qcow2Disk.Format.CreateWriter(options);
        Assert.Throws<EndOfStreamException>(() => Load(same, new SparseMemory(), state[..^1]));
    }

    [Fact]
    public async Task Calls_that_go_back_or_beyond_the_disk_are_refused()
    {
        var writer = Qcow2Disk.Format.CreateWriter(new WriterOptions { VirtualSize = 1 << 20, ClusterSize = 512 });
        await writer.BeginAsync(new SparseMemory(), default);
        await writer.WriteAsync(512 << 10, new byte[512], default);
        await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await writer.WriteAsync(0, new byte[512], default));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await writer.PlaceAsync(1 << 20, 512, default));
        await Assert.ThrowsAsync<InvalidOperationException>(
            async () => await writer.WriteCompressedAsync(600 << 10, new byte[9], default));
    }

    private static async Task CompareRunsAsync(WriterOptions options, byte[] disk, Random random)
    {
        var whole = new SparseMemory();
        await WriteAsync(options, disk, whole);
        var dry = new CountingSink();
        await WriteAsync(options, disk, dry);
        Assert.Equal(whole.Length, dry.Length);

        var first = Qcow2Disk.Format.CreateWriter(options);
        var cut = random.Next(disk.Length) & -(int)first.UnitSize;
        var sink = new SparseMemory();
        await first.BeginAsync(sink, default);
        await Qcow2Disk.WriteAsync(first, disk, 0, cut);
        var state = Save(first);

        // What the interrupted run wrote after its state was saved is still there.
        await Qcow2Disk.WriteAsync(first, disk, cut, cut + 3 * first.UnitSize);
        var second = Qcow2Disk.Format.CreateWriter(options);
        Load(second, sink, state);
        await Qcow2Disk.WriteAsync(second, disk, cut);
        await second.FinishAsync(default);
        whole.AssertSame(sink);
    }

    private static byte[] Save(ImageWriter writer)
    {
        using var stream = new MemoryStream();
        using var binary = new BinaryWriter(stream);
        writer.SaveState(binary);
        binary.Flush();
        return stream.ToArray();
    }

    private static void Load(ImageWriter writer, IByteSink sink, byte[] state)
    {
        using var reader = new BinaryReader(new MemoryStream(state));
        writer.LoadState(sink, reader);
    }

    private static async Task WriteAsync(WriterOptions options, byte[] disk, IByteSink sink)
    {
        var writer = Qcow2Disk.Format.CreateWriter(options);
        await writer.BeginAsync(sink, default);
        await Qcow2Disk.WriteAsync(writer, disk);
        await writer.FinishAsync(default);
    }

    private static async Task AssertHoldsAsync(byte[] image, byte[] disk)
    {
        var map = await Qcow2Disk.OpenAsync(image);
        Assert.Equal(disk.Length + 511 & ~511, map.VirtualSize);
        var read = await Qcow2Disk.ReadAsync(map, 0, map.VirtualSize);
        Assert.True(disk.AsSpan().SequenceEqual(read.AsSpan(0, disk.Length)));
        Assert.False(read.AsSpan(disk.Length).ContainsAnyExcept((byte)0));
    }
}
