using System.Text.Json;
using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

public sealed class MeasureTests : IDisposable
{
    private const int Size = 5 << 20;

    private readonly TemporaryDirectory _directory = new();

    public MeasureTests() => File.WriteAllBytes(Source, NativeImage.RandomDisk(Size, 8));

    public static TheoryData<ImageFormat, string?, bool> Targets
    {
        get
        {
            var data = new TheoryData<ImageFormat, string?, bool>();
            foreach (var format in ImageConverter.WritableFormats)
            {
                data.Add(format, null, false);
            }

            data.Add(ImageFormat.Qcow2, null, true);
            data.Add(ImageFormat.Vmdk, "streamOptimized", true);
            data.Add(ImageFormat.Vhd, "fixed", false);
            data.Add(ImageFormat.Vdi, "static", false);
            return data;
        }
    }

    private string Source => _directory["source.raw"];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Targets))]
    public async Task The_measured_size_is_the_length_of_the_file_that_is_made(
        ImageFormat format, string? subformat, bool compress)
    {
        var request = Request(Source, format) with
        {
            Target = new WriterOptions { VirtualSize = 0, Subformat = subformat, Compress = compress },
        };
        var measured = await ImageConverter.MeasureAsync(request);
        var made = await ImageConverter.ConvertAsync(request);
        Assert.Equal(new FileInfo(made.Destination).Length, measured.RequiredBytes);
        Assert.Equal(made.VirtualSize, measured.VirtualSize);
        Assert.Equal(Source, measured.Path);
        Assert.InRange(measured.DataBytes, 1, measured.RequiredBytes);

        var planned = await ImageConverter.PlanAsync(request);
        Assert.InRange(measured.RequiredBytes, 1, planned.RequiredBytes);
        Assert.Equal(measured.FullyAllocatedBytes, planned.FullyAllocatedBytes);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public async Task An_empty_disk_measures_as_the_file_that_is_made_of_one(
        ImageFormat format, string? subformat, bool compress)
    {
        var empty = _directory["empty.raw"];
        using (var file = File.Create(empty))
        {
            file.SetLength(64 << 20);
        }

        var target = new WriterOptions { VirtualSize = 0, Subformat = subformat, Compress = compress };
        var measured = await ImageConverter.MeasureEmptyAsync(64 << 20, format, target);
        var made = await ImageConverter.ConvertAsync(Request(empty, format) with { Target = target });
        Assert.Equal(new FileInfo(made.Destination).Length, measured.RequiredBytes);
        Assert.Null(measured.Path);
    }

    [Theory]
    [MemberData(nameof(Targets))]
    public async Task Fully_allocated_is_the_length_of_a_file_full_of_data(
        ImageFormat format, string? subformat, bool compress)
    {
        var full = _directory["full.raw"];
        var disk = new byte[Size];
        new Random(1).NextBytes(disk);
        File.WriteAllBytes(full, disk);
        var target = new WriterOptions { VirtualSize = 0, Subformat = subformat, Compress = compress };
        var measured = await ImageConverter.MeasureAsync(Request(full, format) with { Target = target });
        Assert.Equal(measured.RequiredBytes, measured.FullyAllocatedBytes);
    }

    [Fact]
    public async Task A_stream_of_more_units_than_are_tried_has_its_exact_full_length()
    {
        // 2 times 4096 and 137 grains, the last of them cut short.
        const long Large = ((2 * 4096) + 136) * 65536L + 1000;
        var options = new WriterOptions { VirtualSize = Large, Subformat = "streamOptimized" };
        var measured = await ImageConverter.MeasureEmptyAsync(Large, ImageFormat.Vmdk, options);

        var noise = new byte[65536];
        new Random(2).NextBytes(noise);
        var encoded = new byte[2 * noise.Length];
        using var encoder = UnitEncoder.Create(UnitCodec.Zlib);
        var unit = encoded.AsMemory(0, encoder.Encode(noise, encoded));
        var writer = ImageConverter.FindWriter(ImageFormat.Vmdk)!.CreateWriter(options);
        var sink = new CountingSink();
        await writer.BeginAsync(sink, default);
        for (long at = 0; at < Large; at += noise.Length)
        {
            await writer.WriteCompressedAsync(at, unit, default);
        }

        await writer.FinishAsync(default);
        Assert.Equal(sink.Length, measured.FullyAllocatedBytes);
    }

    [SkippableTheory]
    [InlineData("raw")]
    [InlineData("qcow2")]
    public async Task Qemu_img_measures_the_same_or_more(string format)
    {
        Tool.Require("qemu-img", "qemu-utils");
        var theirs = JsonDocument.Parse(
            Tool.Run("qemu-img", "measure", "--output=json", "-f", "raw", "-O", format, Source)).RootElement;
        var ours = await ImageConverter.MeasureAsync(Request(Source, ImageFormatNames.Parse(format)));
        Assert.Equal(theirs.GetProperty("fully-allocated").GetInt64(), ours.FullyAllocatedBytes);
        Assert.InRange(ours.RequiredBytes, 1, theirs.GetProperty("required").GetInt64());
        if (format == "raw")
        {
            Assert.Equal(theirs.GetProperty("required").GetInt64(), ours.RequiredBytes);
        }
    }

    [Fact]
    public async Task What_is_not_written_natively_is_not_measured() =>
        await Assert.ThrowsAsync<UnsupportedImageException>(
            () => ImageConverter.MeasureEmptyAsync(1 << 20, ImageFormat.Qed, new WriterOptions { VirtualSize = 0 }));

    [Fact]
    public async Task A_better_compression_measures_less()
    {
        var fast = await ImageConverter.MeasureAsync(Compressed(1));
        var dense = await ImageConverter.MeasureAsync(Compressed(9));
        Assert.InRange(dense.RequiredBytes, 1, fast.RequiredBytes);

        ConversionRequest Compressed(int level) => Request(Source, ImageFormat.Qcow2) with
        {
            Target = new WriterOptions
            {
                VirtualSize = 0,
                Compress = true,
                CompressionType = UnitCodec.Deflate,
                CompressionLevel = level,
            },
        };
    }

    private ConversionRequest Request(string source, ImageFormat format) => new()
    {
        SourcePath = source,
        DestinationPath = _directory[$"made.{format.ToName()}"],
        DestinationFormat = format,
    };
}
