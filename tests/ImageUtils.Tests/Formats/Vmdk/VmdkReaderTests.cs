using System.Diagnostics;
using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Mapping;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats.Vmdk;

public sealed class VmdkReaderTests
{
    private const int Sector = 512;
    private static readonly VmdkFormat s_format = new();

    [SkippableTheory]
    [InlineData("monolithicSparse", 3_000_000)]
    [InlineData("monolithicSparse", 33 << 20)]
    [InlineData("monolithicSparse,zeroed_grain=on", 3_000_000)]
    [InlineData("monolithicFlat", 3_000_000)]
    [InlineData("twoGbMaxExtentFlat", 3_000_000)]
    [InlineData("twoGbMaxExtentSparse", 3_000_000)]
    [InlineData("streamOptimized", 3_000_000)]
    [InlineData("streamOptimized", 33 << 20)]
    public void What_qemu_img_writes_reads_as_its_source_at_any_offset(string subformat, int length)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var disk = NativeImage.RandomDisk(length / Sector * Sector, 1, 500_000);
        File.WriteAllBytes(directory["disk.raw"], disk);
        Tool.Run(
            "qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", $"subformat={subformat}", directory["disk.raw"],
            directory["disk.vmdk"]);
        var map = NativeImage.Open(s_format, directory["disk.vmdk"]);
        Assert.Equal(disk.Length, map.VirtualSize);
        Assert.True(disk.AsSpan().SequenceEqual(NativeImage.Read(map)));
        var random = new Random(2);
        for (var round = 0; round < 100; round++)
        {
            var at = random.Next(disk.Length);
            var part = random.Next(1, 300_000);
            var expected = disk.AsSpan(at, Math.Min(part, disk.Length - at));
            Assert.True(expected.SequenceEqual(NativeImage.Read(map, at, part)), $"{part} bytes at {at}");
        }
    }

    [SkippableFact]
    public void Odd_layouts_of_qemu_io_read_as_qemu_img_reads_them()
    {
        Tool.Require("qemu-io", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = directory["disk.vmdk"];
        Tool.Run("qemu-img", "create", "-q", "-f", "vmdk", "-o", "zeroed_grain=on", path, "100M");
        Tool.Run(
            "qemu-io", "-f", "vmdk", "-c", "write -P 1 90M 200k", "-c", "write -P 2 1000k 512", "-c",
            "write -P 3 0 64k", "-c", "write -z 64k 192k", "-c", "write -P 4 128k 1k", "-c", "write -P 5 104857088 512",
            path);
        Tool.Run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", path, directory["disk.raw"]);
        var map = NativeImage.Open(s_format, path);
        Assert.True(File.ReadAllBytes(directory["disk.raw"]).AsSpan().SequenceEqual(NativeImage.Read(map)));
        Assert.Equal(
            [ExtentKind.Stored, ExtentKind.Zero, ExtentKind.Stored, ExtentKind.Zero, ExtentKind.Hole],
            NativeImage.Extents(map, 0, 500_000).Select(extent => extent.Kind));
    }

    [SkippableFact]
    public void A_parent_shows_through_where_its_CID_is_the_one_that_was_noted()
    {
        Tool.Require("qemu-io", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var (parent, child) = (directory["parent.vmdk"], directory["child.vmdk"]);
        Tool.Run("qemu-img", "create", "-q", "-f", "vmdk", parent, "5M");
        Tool.Run("qemu-io", "-f", "vmdk", "-c", "write -P 1 0 3M", parent);
        Tool.Run(
            "qemu-img", "create", "-q", "-f", "vmdk", "-b", "parent.vmdk", "-F", "vmdk", "-o", "zeroed_grain=on",
            child);
        Tool.Run("qemu-io", "-f", "vmdk", "-c", "write -P 2 100k 100k", "-c", "write -z 1M 1M", child);
        Tool.Run("qemu-img", "convert", "-f", "vmdk", "-O", "raw", child, directory["disk.raw"]);
        var expected = File.ReadAllBytes(directory["disk.raw"]);
        Assert.True(expected.AsSpan().SequenceEqual(NativeImage.Read(NativeImage.Open(s_format, child))));

        Tool.Run("qemu-io", "-f", "vmdk", "-c", "write -P 9 0 512", parent);
        var error = Assert.Throws<ImageFormatException>(() => NativeImage.Open(s_format, child));
        Assert.Equal("parent", error.Check);
        Assert.Contains("changed since", error.Message);
    }

    [Fact]
    public void A_footer_takes_the_headers_place()
    {
        var image = VmdkCases.ValidStream();
        using var file = new TemporaryFile(image.Resize(image.Length).ToArray());
        var map = NativeImage.Open(s_format, file.Path);
        Assert.Equal([Extent.Hole(0, 1 << 20)], NativeImage.Extents(map));
    }

    [Fact]
    public void Extents_of_a_descriptor_are_one_disk_with_its_zeros_and_offsets()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["cowd.vmdk"], VmdkCases.ValidCowd().Put(40 * Sector, [7, 7]).ToArray());
        File.WriteAllBytes(
            directory["flat.img"], [.. Enumerable.Range(0, 5 * Sector).Select(at => (byte)(at / Sector + 1))]);
        File.WriteAllText(
            directory["disk.vmdk"],
            VmdkCases.Text(
                "vmfsSparse",
                "RW 2 FLAT \"flat.img\" 3\nRDONLY 4096 VMFSSPARSE \"cowd.vmdk\"\nRW 3 ZERO\nRW 1 VMFS \"flat.img\""));
        var map = NativeImage.Open(s_format, directory["disk.vmdk"]);
        Assert.Equal((2 + 4096 + 3 + 1) * Sector, map.VirtualSize);
        var disk = NativeImage.Read(map);
        Assert.Equal([4, 5, 7, 1], new[] { 0, Sector, 2 * Sector, 4101 * Sector }.Select(at => (int)disk[at]));
        Assert.Equal(
            [ExtentKind.Stored, ExtentKind.Stored, ExtentKind.Hole, ExtentKind.Zero, ExtentKind.Stored],
            NativeImage.Extents(map).Select(extent => extent.Kind));
    }

    [Theory]
    [InlineData("fullDevice", "RW 1 FLAT \"flat.img\" 0")]
    [InlineData("vmfsRawDeviceMap", "RW 1 VMFSRDM \"flat.img\"")]
    [InlineData("custom", "RW 1 VMFSRAW \"flat.img\"")]
    [InlineData("seSparse", "RW 1 SESPARSE \"flat.img\"")]
    [InlineData("monolithicFlat", "NOACCESS 1 FLAT \"flat.img\" 0")]
    public void Devices_and_what_is_not_read_natively_are_refused(string createType, string extents)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["flat.img"], new byte[Sector]);
        File.WriteAllText(directory["disk.vmdk"], VmdkCases.Text(createType, extents));
        Assert.Throws<UnsupportedImageException>(() => NativeImage.Open(s_format, directory["disk.vmdk"]));
    }

    [Theory]
    [InlineData("RW 2 FLAT \"flat.img\" 0")]
    [InlineData("RW 1 FLAT \"flat.img\" 9223372036854775807")]
    [InlineData("RW 1 SPARSE \"flat.img\"")]
    [InlineData("RW 4095 SPARSE \"cowd.vmdk\"")]
    [InlineData("RW 4096 SPARSE \"cowd.vmdk\" 1")]
    [InlineData("RW 0 ZERO")]
    public void Extents_that_do_not_fit_their_files_are_errors(string extents)
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["flat.img"], new byte[Sector]);
        File.WriteAllBytes(directory["cowd.vmdk"], VmdkCases.ValidCowd().ToArray());
        File.WriteAllText(directory["disk.vmdk"], VmdkCases.Text("monolithicFlat", extents));
        Assert.ThrowsAny<ImageFormatException>(() => NativeImage.Open(s_format, directory["disk.vmdk"]));
    }

    [Fact]
    public void Every_malformed_image_of_the_corpus_is_read_or_refused_with_an_error_of_ours()
    {
        var refused = 0;
        foreach (var corpusCase in VmdkCases.All)
        {
            using var file = new TemporaryFile(corpusCase.Bytes());
            try
            {
                var map = NativeImage.Open(s_format, file.Path);
                _ = NativeImage.Extents(map);
                Assert.True(
                    !corpusCase.FailedChecks.Contains("tables") && !corpusCase.FailedChecks.Contains("truncated"),
                    corpusCase.Name);
            }
            catch (ImageUtilsException)
            {
                Assert.True(corpusCase.FailedChecks.Length > 0, corpusCase.Name);
                refused++;
            }
        }

        Assert.True(refused > 40, $"{refused}");
    }

    [Theory]
    [InlineData(27 * Sector, 26)]
    [InlineData(27 * Sector, 1)]
    [InlineData(27 * Sector, 200)]
    [InlineData(27 * Sector, uint.MaxValue)]
    [InlineData(26 * Sector, 25)]
    [InlineData(26 * Sector, uint.MaxValue)]
    public void A_grain_or_table_at_an_impossible_place_is_an_error_when_it_is_reached(int at, uint sector)
    {
        using var file = new TemporaryFile(VmdkCases.Valid().Little32(at, sector).ToArray());
        var map = NativeImage.Open(s_format, file.Path);
        Assert.ThrowsAny<ImageFormatException>(() => NativeImage.Extents(map));
    }

    [Fact]
    public void Random_tables_give_extents_within_the_file_or_an_error()
    {
        var random = new Random(3);
        for (var round = 0; round < 300; round++)
        {
            var image = VmdkCases.Valid().Little32(8, 7);
            for (var entry = 0; entry < 16; entry++)
            {
                image.Little32(27 * Sector + entry * 4, (uint)random.Next(0, random.Next(2, 400)));
            }

            image.Little32(26 * Sector, random.Next(3) == 0 ? (uint)random.Next(400) : 27);
            using var file = new TemporaryFile(image.ToArray());
            try
            {
                foreach (var extent in NativeImage.Extents(NativeImage.Open(s_format, file.Path)))
                {
                    Assert.True(extent.IsEmpty || extent.HostOffset + extent.Length <= image.Length);
                }
            }
            catch (ImageFormatException)
            {
            }
        }
    }

    [SkippableFact]
    public void An_empty_disk_of_4_TiB_is_mapped_in_a_moment()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vmdk", directory["disk.vmdk"], "4T");
        var map = NativeImage.Open(s_format, directory["disk.vmdk"]);
        var clock = Stopwatch.StartNew();
        Assert.Equal([Extent.Hole(0, 4L << 40)], NativeImage.Extents(map));
        Assert.True(clock.Elapsed < TimeSpan.FromSeconds(5), $"{clock.Elapsed}");
    }
}
