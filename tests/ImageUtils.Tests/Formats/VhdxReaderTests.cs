using System.Globalization;
using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class VhdxReaderTests
{
    private const int Mebibyte = 1 << 20;
    private const int Bat = 3 * Mebibyte;
    private const int Items = 2 * Mebibyte + 0x10000;

    private static readonly VhdxFormat s_format = new();

    [SkippableTheory]
    [InlineData("subformat=dynamic", 40_000_000)]
    [InlineData("subformat=fixed", 19_000_320)]
    [InlineData("subformat=dynamic,block_size=1M", 9_000_960)]
    [InlineData("subformat=dynamic,block_size=256M", 9_000_960)]
    [InlineData("subformat=dynamic,block_state_zero=off", 9_000_960)]
    public void What_qemu_writes_reads_the_same(string options, long size)
    {
        Tool.Require("qemu-io", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vhdx", "-o", options, directory["disk.vhdx"], size);
        var random = new Random(5);
        for (var write = 1; write <= 6; write++)
        {
            var offset = random.NextInt64(size / 512) * 512;
            var length = Math.Min(512 * random.Next(1, 3000), size - offset);
            var command = string.Create(CultureInfo.InvariantCulture, $"write -q -P {write} {offset} {length}");
            Tool.Run("qemu-io", "-f", "vhdx", "-c", command, directory["disk.vhdx"]);
        }

        AssertAsQemuSees(directory, "disk.vhdx");
    }

    [Theory]
    [InlineData(0, ExtentKind.Hole)]
    [InlineData(1, ExtentKind.Zero)]
    [InlineData(2, ExtentKind.Zero)]
    [InlineData(3, ExtentKind.Zero)]
    [InlineData(6, ExtentKind.Stored)]
    public void A_block_reads_as_its_state_says(int state, ExtentKind expected)
    {
        var image = VhdxCases.WithBlock();
        image.Little64(Bat, 4UL * Mebibyte | (uint)state);
        var extent = Assert.Single(GuestDisk.Extents(Open(image), 0, Mebibyte));
        Assert.Equal((expected, 1L << 20), (extent.Kind, extent.Length));
    }

    [Fact]
    public void Blocks_of_sectors_of_4096_bytes_are_read()
    {
        var image = VhdxCases.WithBlock().Little32(Items + 32, 4096).Text(4 * Mebibyte, "content");
        Assert.Equal("content"u8.ToArray(), GuestDisk.Read(Open(image), 0, 7));
    }

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void A_partially_present_block_shows_its_parent_where_its_bitmap_has_no_bit(int sectorSize)
    {
        var parent = new SparseMemory();
        var content = new byte[2 * Mebibyte];
        new Random(1).NextBytes(content);
        new WriterContract<VhdxFormat>(s_format, new() { VirtualSize = content.Length }).Write(parent, [(0, content)]);
        var id = ((VhdxDetails)Inspect(parent).Details!).DataWriteGuid;
        var child = VhdxCases.WithParent(("parent_linkage", id.ToString("B")), ("relative_path", @".\base.vhdx"))
            .Resize(6 * Mebibyte).Little32(Items + 32, (uint)sectorSize);
        var ratio = (1 << 23) / Mebibyte * sectorSize;

        // The first block is partially present, the second one whole; sectors 1, 8 and 9 of the first are its own.
        child.Little64(Bat, 5UL * Mebibyte | 7).Little64(Bat + ratio * 8, 4UL * Mebibyte | 6)
            .Byte(4 * Mebibyte, 0b10).Byte(4 * Mebibyte + 1, 0b11);
        var own = new byte[Mebibyte];
        new Random(2).NextBytes(own);
        child.Put(5 * Mebibyte, own);

        var expected = (byte[])content.Clone();
        foreach (var sector in new[] { 1, 8, 9 })
        {
            own.AsSpan(sector * sectorSize, sectorSize).CopyTo(expected.AsSpan(sector * sectorSize));
        }

        var map = GuestDisk.Open(s_format, Source(VhdxCases.Seal(child)), ("./base.vhdx", parent));
        Assert.True(expected.AsSpan().SequenceEqual(GuestDisk.Read(map)));
        Assert.Equal(expected[5000..9000], GuestDisk.Read(map, 5000, 4000));
    }

    [Theory]
    [InlineData("{11111111-1111-1111-1111-111111111111}", "parent")]
    [InlineData("nonsense", "parent")]
    public void A_parent_that_is_another_disk_is_refused(string linkage, string check)
    {
        var child = VhdxCases.WithParent(("parent_linkage", linkage), ("relative_path", "base.vhdx"));
        var error = Assert.Throws<ImageFormatException>(() => GuestDisk.Open(
            s_format, Source(VhdxCases.Seal(child)), ("base.vhdx", Source(VhdxCases.Seal(VhdxCases.Valid())))));
        Assert.Equal(check, error.Check);
    }

    [Fact]
    public void The_next_name_is_tried_where_a_parent_is_not_found_and_the_other_linkage_counts()
    {
        var child = VhdxCases.WithParent(
            ("parent_linkage", Guid.NewGuid().ToString("B")),
            ("parent_linkage2", "{02020202-0202-0202-0202-020202020202}"),
            ("relative_path", "gone.vhdx"),
            ("absolute_win32_path", "/base.vhdx"));
        var map = GuestDisk.Open(
            s_format, Source(VhdxCases.Seal(child)), ("/base.vhdx", Source(VhdxCases.Seal(VhdxCases.Valid()))));
        Assert.Equal(2 * Mebibyte, map.VirtualSize);
        Assert.Throws<ImageFileException>(() => GuestDisk.Open(s_format, Source(VhdxCases.Seal(child))));
    }

    [Theory]
    [InlineData(4UL * Mebibyte | 4, "tables")]
    [InlineData(4UL * Mebibyte | 5, "tables")]
    [InlineData(4UL * Mebibyte | 7, "tables")]
    [InlineData(0UL * Mebibyte | 6, "tables")]
    [InlineData(1UL * Mebibyte | 6, "tables")]
    [InlineData(2UL * Mebibyte | 6, "tables")]
    [InlineData(3UL * Mebibyte | 6, "tables")]
    [InlineData(5UL * Mebibyte | 6, "truncated")]
    [InlineData(0xFFFF_FFFF_FFF0_0006, "tables")]
    public void A_block_that_cannot_be_is_refused(ulong entry, string check)
    {
        var map = Open(VhdxCases.WithBlock().Little64(Bat + 8, entry));
        var error = Assert.ThrowsAny<ImageFormatException>(() => GuestDisk.Extents(map));
        Assert.Equal(check, error.Check);
        Assert.Contains("entry 1 ", error.Message);
    }

    [Fact]
    public void What_is_left_in_the_entries_of_bitmaps_means_nothing_without_a_parent()
    {
        var image = VhdxCases.Valid().Little64(Items + 8, 5UL << 30).Little64(Bat + 4096 * 8, 0xFFFF_FFFF_FFF0_0007);
        Assert.Equal(5L << 30, GuestDisk.Extents(Open(image)).Sum(extent => extent.Length));
    }

    [Fact]
    public void Mutilated_structures_give_a_format_error_or_a_disk_and_nothing_else()
    {
        var random = new Random(3);
        (int Start, int Length)[] areas =
            [(0x10000 + 8, 80), (0x30000 + 8, 72), (2 * Mebibyte, 224), (Items, 64), (Bat, 24), (Mebibyte, 200)];
        for (var run = 0; run < 100; run++)
        {
            var image = VhdxLogs.Pending(VhdxCases.WithBlock());
            if (run % 2 == 0)
            {
                VhdxLogs.Put(image, 0, 1, 0, 0, 0, new VhdxLogChange(Bat, new byte[4096]));
            }
            else
            {
                image.Put(0x10000 + 48, new byte[16]);
            }

            for (var change = 0; change < 2; change++)
            {
                var (start, length) = areas[random.Next(areas.Length)];
                image.Byte(start + random.Next(length), (byte)random.Next(256));
            }

            try
            {
                GuestDisk.Extents(Open(image)).ForEach(extent => Assert.True(extent.Length > 0));
            }
            catch (ImageUtilsException)
            {
            }
        }
    }

    [SkippableFact]
    public void A_greatest_disk_without_blocks_maps_in_no_time()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vhdx", directory["disk.vhdx"], "64T");
        using var source = FileByteSource.Open(directory["disk.vhdx"]);
        Assert.Equal(64L << 40, Assert.Single(GuestDisk.Extents(GuestDisk.Open(s_format, source))).Length);
    }

    private static void AssertAsQemuSees(TemporaryDirectory directory, string name)
    {
        Tool.Run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", directory[name], directory["qemu.raw"]);
        var expected = File.ReadAllBytes(directory["qemu.raw"]);
        using var source = FileByteSource.Open(directory[name]);
        var map = GuestDisk.Open(s_format, source);
        Assert.True(expected.AsSpan().SequenceEqual(GuestDisk.Read(map)));
        var random = new Random(8);
        for (var read = 0; read < 20; read++)
        {
            var offset = random.Next(expected.Length);
            var length = random.Next(1, Math.Min(expected.Length - offset, 3_000_000) + 1);
            Assert.True(expected.AsSpan(offset, length).SequenceEqual(GuestDisk.Read(map, offset, length)));
        }
    }

    private static ImageMap Open(BuiltImage image) => GuestDisk.Open(s_format, Source(VhdxCases.Seal(image)));

    private static SparseMemory Source(BuiltImage image) => SparseMemory.Of(image.ToArray());

    private static ImageInspection Inspect(SparseMemory file) =>
        ImageInspector.InspectAsync(file).AsTask().GetAwaiter().GetResult();
}
