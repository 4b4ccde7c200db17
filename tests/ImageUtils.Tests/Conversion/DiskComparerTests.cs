using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

public sealed class DiskComparerTests : IDisposable
{
    private const int Size = 7 << 20;

    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _disk = NativeImage.RandomDisk(Size, 3);

    public static TheoryData<ImageFormat> Writable => [.. ImageConverter.WritableFormats];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [MemberData(nameof(Writable))]
    public async Task A_disk_is_the_same_in_every_format(ImageFormat format)
    {
        var raw = Raw("a.raw", _disk);
        var image = await ConvertAsync(raw, format);
        var result = await CompareAsync(image, raw);
        Assert.True(result.IsIdentical);
        Assert.Null(result.FirstDifference);
        Assert.Equal(Size, result.ReferenceVirtualSize);
        Assert.InRange(result.BytesCompared, 1, Size);

        _disk[^1] ^= 1;
        var other = await CompareAsync(image, Raw("b.raw", _disk));
        Assert.Equal(DiskDifference.Content, other.Difference);
        Assert.Equal(Size - 1, other.FirstDifference);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(513)]
    [InlineData((2 << 20) - 1)]
    [InlineData(2 << 20)]
    [InlineData(Size - 1)]
    public async Task The_first_difference_is_exact_to_the_byte(int offset)
    {
        var raw = Raw("a.raw", _disk);
        _disk[offset] ^= 0x40;
        var other = await ConvertAsync(Raw("b.raw", _disk), ImageFormat.Qcow2);
        Assert.Equal(offset, (await CompareAsync(raw, other)).FirstDifference);
        Assert.Equal(offset, (await CompareAsync(other, raw)).FirstDifference);
    }

    [Fact]
    public async Task Of_many_differences_the_first_on_the_disk_counts_however_often_it_is_asked()
    {
        var raw = Raw("a.raw", _disk);
        for (var offset = 1_234_567; offset < Size; offset += 99_991)
        {
            _disk[offset] ^= 1;
        }

        var other = Raw("b.raw", _disk);
        for (var turn = 0; turn < 20; turn++)
        {
            Assert.Equal(1_234_567, (await CompareAsync(raw, other)).FirstDifference);
        }
    }

    [Fact]
    public async Task Zeros_are_the_same_whether_they_are_stored_stated_or_missing()
    {
        var stored = Raw("stored.raw", new byte[Size]);
        var missing = Sparse("missing.raw", Size);
        var stated = await ConvertAsync(missing, ImageFormat.Qcow2);
        Assert.True((await CompareAsync(stored, missing)).IsIdentical);
        Assert.True((await CompareAsync(stated, stored)).IsIdentical);
        var nothing = await CompareAsync(missing, stated);
        Assert.True(nothing.IsIdentical);
        Assert.Equal(0, nothing.BytesCompared);
    }

    [Fact]
    public async Task What_is_empty_in_both_takes_no_time_however_large_it_is()
    {
        var large = Sparse("large.raw", 1L << 42);
        using (var file = File.OpenWrite(large))
        {
            file.Position = 3L << 40;
            file.WriteByte(9);
        }

        var image = await ConvertAsync(large, ImageFormat.Qcow2);
        var result = await CompareAsync(image, large);
        Assert.True(result.IsIdentical);
        Assert.InRange(result.BytesCompared, 1, 2 << 20);
        Assert.Equal(3L << 40, (await CompareAsync(Sparse("empty.raw", 1L << 42), large)).FirstDifference);
    }

    [Fact]
    public async Task A_longer_disk_is_the_same_where_its_rest_is_zero()
    {
        var raw = Raw("a.raw", _disk);
        var longer = Raw("longer.raw", [.. _disk, .. new byte[123_456]]);
        var result = await CompareAsync(raw, longer);
        Assert.True(result.IsIdentical);
        Assert.False(result.IsSameSize);
        Assert.True((await CompareAsync(longer, raw)).IsIdentical);

        var strict = await CompareAsync(raw, longer, strict: true);
        Assert.False(strict.IsIdentical);
        Assert.Equal(DiskDifference.Size, strict.Difference);
        Assert.Null(strict.FirstDifference);
        Assert.True((await CompareAsync(raw, raw, strict: true)).IsIdentical);

        byte[] rest = [.. _disk, .. new byte[100_000], 1, .. new byte[55]];
        Assert.Equal(Size + 100_000, (await CompareAsync(raw, Raw("rest.raw", rest))).FirstDifference);
    }

    [SkippableFact]
    public async Task An_overlay_is_compared_with_what_it_is_based_on_without_reading_what_they_share()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var raw = Raw("a.raw", _disk);
        var image = await ConvertAsync(raw, ImageFormat.Qcow2);
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", "-b", image, "-F", "qcow2", _directory["over.qcow2"]);
        await Assert.ThrowsAsync<ImageUnsafeException>(() => CompareAsync(_directory["over.qcow2"], raw));
        var allowed = new OpenOptions
        {
            Inspection = new InspectionOptions
            {
                Policy = SafetyPolicy.Default with { BackingFileDirectories = [_directory.Path] },
            },
        };
        var result = await CompareAsync(_directory["over.qcow2"], image, options: allowed);
        Assert.True(result.IsIdentical);
        Assert.Equal(0, result.BytesCompared);
        Assert.InRange((await CompareAsync(_directory["over.qcow2"], raw, options: allowed)).BytesCompared, 1, Size);
    }

    [Fact]
    public async Task Damage_is_an_error_that_names_its_image_unless_there_is_a_difference_before_it()
    {
        var disk = new byte[Size];
        Array.Fill(disk, (byte)'a', 0, 100);
        Array.Fill(disk, (byte)'b', 6 << 20, 1000);
        var raw = Raw("a.raw", disk);
        var image = await ConvertAsync(raw, ImageFormat.Qcow2, compress: true);

        // The last compressed cluster is the last in the file.
        var bytes = File.ReadAllBytes(image);
        using (var opened = await ImageOpener.OpenAsync(image))
        {
            var last = NativeImage.Extents(opened.Map).Last(extent => !extent.IsEmpty);
            Array.Fill(bytes, (byte)0xff, (int)last.HostOffset, 16);
        }

        File.WriteAllBytes(image, bytes);
        var error = await Assert.ThrowsAnyAsync<ImageFormatException>(() => CompareAsync(raw, image));
        Assert.Contains(image, error.Message, StringComparison.Ordinal);

        disk[50] = 0;
        Assert.Equal(50, (await CompareAsync(Raw("b.raw", disk), image)).FirstDifference);
    }

    [Fact]
    public async Task A_claim_that_is_wrong_is_refused()
    {
        var raw = Raw("a.raw", _disk);
        var image = await ConvertAsync(raw, ImageFormat.Vdi);
        await Assert.ThrowsAsync<ImageFormatMismatchException>(
            () => CompareAsync(image, raw, options: new OpenOptions { ClaimedFormat = ImageFormat.Qcow2 }));
    }

    [Fact]
    public async Task A_comparison_that_is_cancelled_ends()
    {
        var raw = Raw("a.raw", _disk);
        using var stop = new CancellationTokenSource();
        stop.Cancel();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => DiskComparer.CompareAsync(
            new DiskComparisonRequest { Path = raw, ReferencePath = raw }, null, stop.Token));
    }

    [SkippableFact]
    public async Task Qemu_img_says_the_same()
    {
        Tool.Require("qemu-img", "qemu-utils");
        foreach (var seed in new[] { 11, 12 })
        {
            var disk = NativeImage.RandomDisk(3 << 20, seed);
            var raw = Raw($"{seed}.raw", disk);
            var image = Path.Combine(_directory.Path, $"{seed}.vmdk");
            Tool.Run("qemu-img", "convert", "-f", "raw", "-O", "vmdk", raw, image);
            Assert.Contains(
                "identical", Tool.Run("qemu-img", "compare", "-f", "raw", "-F", "vmdk", raw, image), StringComparison.Ordinal);
            Assert.True((await CompareAsync(raw, image)).IsIdentical);
        }
    }

    private static Task<DiskImageComparison> CompareAsync(
        string path, string reference, bool strict = false, OpenOptions? options = null) =>
        DiskComparer.CompareAsync(new DiskComparisonRequest
        {
            Path = path,
            ReferencePath = reference,
            Image = options ?? OpenOptions.Default,
            Strict = strict,
        });

    private static async Task<string> ConvertAsync(string source, ImageFormat format, bool compress = false)
    {
        var path = Path.ChangeExtension(source, $"of.{format.ToName()}");
        await ImageConverter.ConvertAsync(new ConversionRequest
        {
            SourcePath = source,
            DestinationPath = path,
            DestinationFormat = format,
            Target = new WriterOptions { VirtualSize = 0, Compress = compress },
        });
        return path;
    }

    private string Raw(string name, byte[] disk)
    {
        File.WriteAllBytes(_directory[name], disk);
        return _directory[name];
    }

    private string Sparse(string name, long length)
    {
        using var file = File.Create(_directory[name]);
        file.SetLength(length);
        return _directory[name];
    }
}
