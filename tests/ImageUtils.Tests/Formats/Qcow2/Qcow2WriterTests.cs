using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Qcow2;

/// <summary>What is written is sound to qemu-img and libqcow, and the same disk.</summary>
public sealed class Qcow2WriterTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public static TheoryData<int, int, int?, UnitCodec?> Combinations()
    {
        var data = new TheoryData<int, int, int?, UnitCodec?>();
        for (var bits = 9; bits <= 21; bits++)
        {
            data.Add(3, 1 << bits, null, null);
            data.Add(3, 1 << bits, null, UnitCodec.Deflate);
            data.Add(3, 1 << bits, 1 << (bits + 3) % 7, UnitCodec.Zstd);
            if (bits % 4 != 0)
            {
                data.Add(2, 1 << bits, null, bits % 2 == 0 ? UnitCodec.Deflate : null);
            }
        }

        for (var width = 1; width <= 64; width *= 2)
        {
            data.Add(3, 2048, width, UnitCodec.Deflate);
            data.Add(3, 4096, width, null);
        }

        return data;
    }

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [MemberData(nameof(Combinations))]
    public async Task Every_combination_is_clean_and_identical(
        int version, int clusterSize, int? refcountBits, UnitCodec? codec)
    {
        var length = clusterSize < 4096 ? 700_416 : 5_000_192;
        var disk = Qcow2Disk.Make(length, clusterSize + version + (refcountBits ?? 0));
        await AssertSoundAsync(disk, new WriterOptions
        {
            VirtualSize = 0,
            Version = version,
            ClusterSize = clusterSize,
            RefcountBits = refcountBits,
            Compress = codec is not null,
            CompressionType = codec,
        });
    }

    [SkippableTheory]
    [InlineData(3, 512, PreallocationMode.Metadata, 64)]
    [InlineData(3, 4096, PreallocationMode.Falloc, 1)]
    [InlineData(3, 65536, PreallocationMode.Full, 16)]
    [InlineData(2, 65536, PreallocationMode.Metadata, 16)]
    [InlineData(3, 2 << 20, PreallocationMode.Metadata, 8)]
    public async Task Preallocated_images_are_clean_and_have_their_full_length_from_the_start(
        int version, int clusterSize, PreallocationMode preallocation, int refcountBits)
    {
        var options = new WriterOptions
        {
            VirtualSize = 5_000_192,
            Version = version,
            ClusterSize = clusterSize,
            RefcountBits = refcountBits,
            Preallocation = preallocation,
        };
        await AssertSoundAsync(Qcow2Disk.Make(5_000_192, 9, 400_000), options);
        var sink = new CountingSink();
        await Qcow2Disk.Format.CreateWriter(options).BeginAsync(sink, default);
        Assert.Equal(new FileInfo(_directory["image"]).Length, sink.Length);
    }

    [SkippableTheory]
    [InlineData(1, 512)]
    [InlineData(512, 512)]
    [InlineData(65_535, 65_536)]
    [InlineData(65_537, 66_048)]
    [InlineData(1_000_001, 1_000_448)]
    public async Task Sizes_are_rounded_up_to_sectors(int length, int expected)
    {
        foreach (var compress in new[] { false, true })
        {
            var disk = Qcow2Disk.Make(length, length).Select(each => (byte)(each | 1)).ToArray();
            await AssertSoundAsync(disk, new WriterOptions { VirtualSize = 0, Compress = compress });
            Assert.Equal(expected, (await ImageInspector.InspectFileAsync(_directory["image"])).VirtualSize);
        }
    }

    [SkippableTheory]
    [InlineData(0L, 3)]
    [InlineData(1L << 30, 2)]
    [InlineData(4L << 40, 3)]
    public async Task An_empty_disk_is_sound_to_qemu_and_libqcow(long size, int version)
    {
        Tool.Require("qemu-img", "qemu-utils");
        var writer = Qcow2Disk.Format.CreateWriter(new WriterOptions { VirtualSize = size, Version = version });
        var sink = new SparseMemory();
        await writer.BeginAsync(sink, default);
        await writer.FinishAsync(default);
        sink.Save(_directory["image"]);
        Tool.Run("qemu-img", "check", "-f", "qcow2", _directory["image"]);
        Assert.Contains(
            $"\"virtual-size\": {size}",
            Tool.Run("qemu-img", "info", "-f", "qcow2", "--output=json", _directory["image"]),
            StringComparison.Ordinal);
        var inspection = await ImageInspector.InspectFileAsync(_directory["image"]);
        Assert.True(inspection.IsSafe);
        Assert.Equal(size, inspection.VirtualSize);
        if (size > 0 && Tool.Find("qcowinfo") is not null)
        {
            Assert.Contains($"({size} bytes)", Tool.Run("qcowinfo", _directory["image"]), StringComparison.Ordinal);
        }
    }

    [SkippableTheory]
    [InlineData(2, 512)]
    [InlineData(3, 65536)]
    public async Task Over_a_backing_file_zeros_hide_it_and_the_rest_shows_through(int version, int clusterSize)
    {
        Tool.Require("qemu-img", "qemu-utils");
        var disk = Qcow2Disk.Make(1 << 20, 11).Select(each => (byte)(each | 1)).ToArray();
        File.WriteAllBytes(_directory["base"], disk);
        var writer = Qcow2Disk.Format.CreateWriter(new WriterOptions
        {
            VirtualSize = disk.Length,
            Version = version,
            ClusterSize = clusterSize,
            BackingFile = _directory["base"],
            BackingFormat = ImageFormat.Raw,
        });
        var sink = new SparseMemory(0xFF);
        await writer.BeginAsync(sink, default);
        await writer.WriteZeroesAsync(65536, 131072, default);
        await writer.WriteAsync(262144, disk.AsMemory(0, 65536), default);
        await writer.WriteZeroesAsync(disk.Length - 65536, 1024, default);
        await writer.WriteAsync(disk.Length - 65536 + 1024, disk.AsMemory(0, 64512), default);
        await writer.FinishAsync(default);
        disk.AsSpan(65536, 131072).Clear();
        disk.AsSpan(0, 65536).CopyTo(disk.AsSpan(262144));
        disk.AsSpan(disk.Length - 65536, 1024).Clear();
        disk.AsSpan(0, 64512).CopyTo(disk.AsSpan(disk.Length - 65536 + 1024));

        sink.Save(_directory["image"]);
        File.WriteAllBytes(_directory["raw"], disk);
        Tool.Run("qemu-img", "check", "-f", "qcow2", _directory["image"]);
        Tool.Run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", _directory["raw"], _directory["image"]);
        Assert.Contains(
            "\"backing-filename-format\": \"raw\"",
            Tool.Run("qemu-img", "info", "-f", "qcow2", "--output=json", _directory["image"]),
            StringComparison.Ordinal);
        Assert.Equal(disk, await Qcow2Disk.ReadAsync(_directory["image"], Qcow2Disk.Within(_directory)));
    }

    [SkippableTheory]
    [InlineData(2, 512, 16, true, PreallocationMode.Off)]
    [InlineData(3, 65536, 1, true, PreallocationMode.Off)]
    [InlineData(3, 4096, 64, false, PreallocationMode.Metadata)]
    [InlineData(3, 2 << 20, 8, false, PreallocationMode.Off)]
    public async Task Libqcow_reads_what_is_written(
        int version, int clusterSize, int refcountBits, bool compress, PreallocationMode preallocation)
    {
        Tool.Require("qcowinfo", "libqcow-utils");
        await AssertSoundAsync(Qcow2Disk.Make(1_000_448, 21), new WriterOptions
        {
            VirtualSize = 0,
            Version = version,
            ClusterSize = clusterSize,
            RefcountBits = version == 2 ? null : refcountBits,
            Compress = compress,
            Preallocation = preallocation,
        });
        Assert.Contains("(1000448 bytes)", Tool.Run("qcowinfo", _directory["image"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Options_that_contradict_each_other_are_refused()
    {
        var valid = new WriterOptions { VirtualSize = 1 << 20 };
        (string Option, WriterOptions Options)[] cases =
        [
            ("Version", valid with { Version = 4 }),
            ("ClusterSize", valid with { ClusterSize = 256 }),
            ("ClusterSize", valid with { ClusterSize = 4 << 20 }),
            ("ClusterSize", valid with { ClusterSize = 65537 }),
            ("ClusterSize", valid with { VirtualSize = 129L << 30, ClusterSize = 512 }),
            ("VirtualSize", valid with { VirtualSize = long.MaxValue }),
            ("VirtualSize", valid with { VirtualSize = -1 }),
            ("RefcountBits", valid with { RefcountBits = 3 }),
            ("RefcountBits", valid with { RefcountBits = 128 }),
            ("RefcountBits", valid with { RefcountBits = 1, Version = 2 }),
            ("CompressionType", valid with { CompressionType = UnitCodec.Zlib }),
            ("CompressionType", valid with { Compress = true, CompressionType = UnitCodec.Zstd, Version = 2 }),
            ("CompressionLevel", valid with { CompressionLevel = 3 }),
            ("CompressionLevel", valid with { Compress = true, CompressionLevel = 10 }),
            ("Preallocation", valid with { Compress = true, Preallocation = PreallocationMode.Metadata }),
            ("Preallocation", valid with
            {
                Preallocation = PreallocationMode.Full, BackingFile = "base", BackingFormat = ImageFormat.Raw,
            }),
            ("BackingFormat", valid with { BackingFile = "base" }),
            ("BackingFormat", valid with { BackingFormat = ImageFormat.Raw }),
            ("BackingFile", valid with { BackingFile = new string('a', 1024), BackingFormat = ImageFormat.Raw }),
            ("Subformat", valid with { Subformat = "dynamic" }),
            ("RoundToGeometry", valid with { RoundToGeometry = true }),
        ];
        foreach (var (option, options) in cases)
        {
            var error = Assert.Throws<ImageOptionException>(() => Qcow2Disk.Format.CreateWriter(options));
            Assert.Equal(option, error.Option);
        }
    }

    [Fact]
    public async Task A_backing_file_name_must_fit_the_first_cluster()
    {
        var writer = Qcow2Disk.Format.CreateWriter(new WriterOptions
        {
            VirtualSize = 1 << 20,
            ClusterSize = 512,
            BackingFile = new string('a', 500),
            BackingFormat = ImageFormat.Raw,
        });
        var error = await Assert.ThrowsAsync<ImageOptionException>(
            async () => await writer.BeginAsync(new SparseMemory(), default));
        Assert.Equal("BackingFile", error.Option);
    }

    private async Task AssertSoundAsync(byte[] disk, WriterOptions options)
    {
        Tool.Require("qemu-img", "qemu-utils");
        File.WriteAllBytes(_directory["raw"], disk);
        await Qcow2Disk.ConvertAsync(_directory["raw"], _directory["image"], options);
        Tool.Run("qemu-img", "check", "-f", "qcow2", _directory["image"]);
        Tool.Run("qemu-img", "compare", "-f", "raw", "-F", "qcow2", _directory["raw"], _directory["image"]);
        var read = await Qcow2Disk.ReadAsync(_directory["image"]);
        Assert.True(disk.AsSpan().SequenceEqual(read.AsSpan(0, disk.Length)));
        Assert.False(read.AsSpan(disk.Length).ContainsAnyExcept((byte)0));
    }
}
