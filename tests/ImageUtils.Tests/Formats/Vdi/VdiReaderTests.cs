using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Formats.Vdi;
using ImageUtils.Mapping;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Vdi;

public sealed class VdiReaderTests
{
    private static readonly VdiFormat s_format = new();

    [SkippableTheory]
    [InlineData("off")]
    [InlineData("on")]
    public void What_qemu_img_writes_reads_as_its_source_at_any_offset(string isStatic)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var disk = NativeImage.RandomDisk(11_000_320, 1, 3_000_000);
        File.WriteAllBytes(directory["disk.raw"], disk);
        var path = directory["disk.vdi"];
        Tool.Run(
            "qemu-img", "convert", "-f", "raw", "-O", "vdi", "-o", $"static={isStatic}", directory["disk.raw"], path);
        Tool.Run("qemu-io", "-f", "vdi", "-c", "write -P 5 9000k 1k", path);
        Tool.Run("qemu-img", "convert", "-f", "vdi", "-O", "raw", path, directory["disk.raw"]);
        disk = File.ReadAllBytes(directory["disk.raw"]);
        var map = NativeImage.Open(s_format, path);
        Assert.True(disk.AsSpan().SequenceEqual(NativeImage.Read(map)));
        var random = new Random(2);
        for (var round = 0; round < 50; round++)
        {
            var at = random.Next(disk.Length);
            var part = random.Next(1, 3_000_000);
            var expected = disk.AsSpan(at, Math.Min(part, disk.Length - at));
            Assert.True(expected.SequenceEqual(NativeImage.Read(map, at, part)), $"{part} bytes at {at}");
        }
    }

    [Fact]
    public void Blocks_of_another_size_with_bytes_before_them_are_read()
    {
        const int Data = 1024;
        var image = VdiCases.WithSmallBlock().Little32(380, 512).Little32(388, 2).Resize(Data + 2 * (4096 + 512))
            .Little32(512, 1).Little32(512 + 4, 0xFFFF_FFFE).Little32(512 + 8, 0)
            .Byte(Data + 512, 7).Byte(Data + 4096 + 512 + 512, 8);
        using var file = new TemporaryFile(image.ToArray());
        var map = NativeImage.Open(s_format, file.Path);
        Assert.Equal(
            [ExtentKind.Stored, ExtentKind.Zero, ExtentKind.Stored, ExtentKind.Hole],
            NativeImage.Extents(map).Where(extent => extent.Length == 4096).Select(extent => extent.Kind));
        var disk = NativeImage.Read(map);
        Assert.Equal((8, 7), (disk[0], disk[8192]));
    }

    [Fact]
    public void A_disk_that_ends_within_a_sector_has_zeros_for_its_rest()
    {
        var image = VdiCases.WithSmallBlock().Little64(368, 100).Little32(384, 1).Resize(1024 + 100).Byte(1024 + 99, 9);
        using var file = new TemporaryFile(image.ToArray());
        var disk = NativeImage.Read(NativeImage.Open(s_format, file.Path));
        Assert.Equal(512, disk.Length);
        Assert.Equal((9, 0), (disk[99], disk[100]));
    }

    [Fact]
    public void Every_malformed_image_of_the_corpus_is_refused_with_an_error_of_ours()
    {
        foreach (var corpusCase in VdiCases.All)
        {
            using var file = new TemporaryFile(corpusCase.Bytes());
            var error = Record.Exception(() => NativeImage.Extents(NativeImage.Open(s_format, file.Path)));
            Assert.True(corpusCase.FailedChecks.Length > 0 == error is ImageUtilsException, $"{corpusCase}: {error}");
            Assert.True(error is null or ImageUtilsException, $"{corpusCase}: {error}");
        }
    }

    [Fact]
    public void A_differencing_image_is_refused_with_the_way_round_it()
    {
        using var file = new TemporaryFile(VdiCases.Valid().Little32(76, 4).ToArray());
        var error = Assert.Throws<UnsupportedImageException>(() => NativeImage.Open(s_format, file.Path));
        Assert.Contains("VBoxManage", error.Message);
    }

    [SkippableFact]
    public void An_empty_disk_of_4_TiB_is_one_hole()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vdi", directory["disk.vdi"], "4T");
        Assert.Equal(
            [Extent.Hole(0, 4L << 40)], NativeImage.Extents(NativeImage.Open(s_format, directory["disk.vdi"])));
    }
}
