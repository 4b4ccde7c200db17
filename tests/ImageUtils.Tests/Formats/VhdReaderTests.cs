using System.Globalization;
using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class VhdReaderTests
{
    private const int Header = 512;
    private const int Table = 1536;
    private const int Block = 2048;

    private static readonly VhdFormat s_format = new();

    [SkippableTheory]
    [InlineData("subformat=dynamic", 9_000_960)]
    [InlineData("subformat=dynamic,force_size=on", 9_000_960)]
    [InlineData("subformat=fixed", 9_000_960)]
    [InlineData("subformat=fixed,force_size=on", 9_000_960)]
    public void What_qemu_writes_reads_the_same(string options, long size)
    {
        Tool.Require("qemu-io", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vpc", "-o", options, directory["disk.vhd"], size);
        var random = new Random(5);
        for (var write = 1; write <= 6; write++)
        {
            var offset = random.NextInt64(size / 512) * 512;
            var length = Math.Min(512 * random.Next(1, 3000), size - offset);
            var command = string.Create(CultureInfo.InvariantCulture, $"write -q -P {write} {offset} {length}");
            Tool.Run("qemu-io", "-f", "vpc", "-c", command, directory["disk.vhd"]);
        }

        Tool.Run("qemu-img", "convert", "-f", "vpc", "-O", "raw", directory["disk.vhd"], directory["qemu.raw"]);
        var expected = File.ReadAllBytes(directory["qemu.raw"]);
        using var source = FileByteSource.Open(directory["disk.vhd"]);
        var map = GuestDisk.Open(s_format, source);
        Assert.True(expected.AsSpan().SequenceEqual(GuestDisk.Read(map)));
        for (var read = 0; read < 20; read++)
        {
            var offset = random.Next(expected.Length);
            var length = random.Next(1, Math.Min(expected.Length - offset, 3_000_000) + 1);
            Assert.True(expected.AsSpan(offset, length).SequenceEqual(GuestDisk.Read(map, offset, length)));
        }
    }

    [Fact]
    public void A_dynamic_disks_block_is_read_whole_whatever_its_bitmap_says()
    {
        var image = VhdCases.Seal(VhdCases.WithBlock().Put(Block, new byte[16]).Text(Block + 512, "content"));
        Assert.Equal("content"u8.ToArray(), GuestDisk.Read(Open(image), 0, 7));
    }

    [Fact]
    public void A_differencing_disk_shows_its_parent_where_its_bitmap_has_no_bit()
    {
        // Bits of a byte count from the most significant one.
        var child = Child("base.vhd", "", Guid.Empty);
        var content = new byte[262144];
        new Random(1).NextBytes(content);
        child.Put(Block, new byte[512]).Byte(Block, 0b0100_0001).Byte(Block + 1, 0b1000_0000);
        child.Put(Block + 512, Filled(65536, 0xAA));
        var map = GuestDisk.Open(s_format, Source(VhdCases.Seal(child)), ("base.vhd", SparseMemory.Of(content)));
        content.AsSpan(512, 512).Fill(0xAA);
        content.AsSpan(7 * 512, 1024).Fill(0xAA);
        Assert.True(content.AsSpan().SequenceEqual(GuestDisk.Read(map)));
        Assert.Equal(content[1000..4000], GuestDisk.Read(map, 1000, 3000));
        Assert.Equal(content[65000..70000], GuestDisk.Read(map, 65000, 5000));
    }

    [Fact]
    public void A_parent_is_known_by_its_unique_id()
    {
        var parent = VhdCases.Seal(VhdCases.WithBlock().Text(Block + 512, "parent"));
        var right = new Guid(Filled(16, 0x5A), bigEndian: true);
        var map = GuestDisk.Open(
            s_format, Source(VhdCases.Seal(Child("base.vhd", "", right))), ("base.vhd", Source(parent)));
        Assert.Equal(262144, map.VirtualSize);
        var error = Assert.Throws<ImageFormatException>(() => GuestDisk.Open(
            s_format, Source(VhdCases.Seal(Child("base.vhd", "", Guid.NewGuid()))), ("base.vhd", Source(parent))));
        Assert.Equal("parent", error.Check);
        Assert.Contains(right.ToString(), error.Message);
    }

    [Fact]
    public void A_raw_file_is_no_parent_of_a_disk_that_names_an_identity()
    {
        var child = VhdCases.Seal(Child("base.vhd", "", Guid.NewGuid()));
        Assert.Throws<ImageFormatException>(() => GuestDisk.Open(
            s_format, Source(child), ("base.vhd", Source(VhdCases.SealFixed(VhdCases.Fixed(262144))))));
    }

    [Theory]
    [InlineData(@".\base.vhd", "./base.vhd")]
    [InlineData(@"..\a\base.vhd", "../a/base.vhd")]
    public void The_relative_locator_is_tried_before_the_name_in_the_header(string locator, string path)
    {
        var child = Source(VhdCases.Seal(Child(locator, "other.vhd", Guid.Empty)));
        var (one, other) = (new SparseMemory(), new SparseMemory());
        one.Put(0, Filled(262144, 1));
        other.Put(0, Filled(262144, 2));
        var first = GuestDisk.Open(s_format, child, (path, one), ("other.vhd", other));
        Assert.Equal(1, Assert.Single(GuestDisk.Read(first, 100_000, 1)));
        var second = GuestDisk.Open(s_format, child, ("other.vhd", other));
        Assert.Equal(2, Assert.Single(GuestDisk.Read(second, 100_000, 1)));
        Assert.Throws<ImageFileException>(() => GuestDisk.Open(s_format, child));
    }

    [Theory]
    [InlineData(0U, "tables")]
    [InlineData(1U, "tables")]
    [InlineData(3U, "tables")]
    [InlineData(5U, "truncated")]
    [InlineData(0x00FF_FFFFU, "truncated")]
    [InlineData(0xFFFF_FFFEU, "truncated")]
    public void A_block_that_cannot_be_is_refused(uint entry, string check)
    {
        var map = Open(VhdCases.Seal(VhdCases.WithBlock().Big32(Table + 4, entry)));
        var error = Assert.ThrowsAny<ImageFormatException>(() => GuestDisk.Extents(map));
        Assert.Equal(check, error.Check);
        Assert.Contains("entry 1 ", error.Message);
    }

    [Fact]
    public void Each_damaged_case_gives_a_format_error_or_a_disk_and_nothing_else()
    {
        foreach (var one in VhdCases.All.Concat(VhdxCases.All))
        {
            Formats(one);
        }

        static void Formats(CorpusCase one)
        {
            ImageUtils.Formats.IReadableFormat format =
                one.Format == "vhd" ? s_format : new ImageUtils.Formats.Vhdx.VhdxFormat();
            try
            {
                GuestDisk.Extents(GuestDisk.Open(format, SparseMemory.Of(one.Bytes())));
            }
            catch (ImageUtilsException)
            {
                Assert.False(one.FailedChecks.Length == 0, $"{one.Name} should be read.");
            }
        }
    }

    [Fact]
    public void Mutilated_headers_give_a_format_error_or_a_disk_and_nothing_else()
    {
        var random = new Random(3);
        (int Start, int Length)[] areas = [(8, 80), (Header + 8, 56), (Header + 576, 24), (Table, 16)];
        for (var run = 0; run < 2000; run++)
        {
            var image = run % 2 == 0 ? VhdCases.WithBlock() : Child("base.vhd", "base.vhd", Guid.Empty);
            for (var change = 0; change < 2; change++)
            {
                var (start, length) = areas[random.Next(areas.Length)];
                image.Byte(start + random.Next(length), (byte)random.Next(256));
            }

            try
            {
                var map = GuestDisk.Open(
                    s_format, Source(VhdCases.Seal(image)), ("base.vhd", SparseMemory.Of(new byte[1000])));
                GuestDisk.Extents(map).ForEach(extent => Assert.True(extent.Length > 0));
            }
            catch (ImageUtilsException)
            {
            }
        }
    }

    [Fact]
    public void A_fixed_disk_is_read_as_it_lies_there_whatever_the_footers_length()
    {
        foreach (var length in new[] { 511, 512 })
        {
            var image = VhdCases.SealFixed(VhdCases.Fixed(65536).Resize(65536 + length).Text(100, "content"), length);
            var map = Open(image);
            Assert.Equal(65536, map.VirtualSize);
            Assert.Equal("content"u8.ToArray(), GuestDisk.Read(map, 100, 7));
        }
    }

    // 256 KiB in blocks of 64 KiB, the first of them allocated; the parent's name lies behind it.
    private static BuiltImage Child(string locator, string name, Guid parent)
    {
        const int names = Block + 512 + 65536;
        var bytes = System.Text.Encoding.Unicode.GetBytes(locator);
        return VhdCases.WithBlock().Resize(names + 1024).Big32(60, 4).Put(Header + 40, parent.ToByteArray(true))
            .Text(Header + 576, "W2ru").Big32(Header + 580, 512).Big32(Header + 584, (uint)bytes.Length)
            .Big64(Header + 592, names).Put(names, bytes)
            .Put(Header + 64, System.Text.Encoding.BigEndianUnicode.GetBytes(name));
    }

    private static byte[] Filled(int length, byte value)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, value);
        return bytes;
    }

    private static ImageMap Open(BuiltImage image) => GuestDisk.Open(s_format, Source(image));

    private static SparseMemory Source(BuiltImage image) => SparseMemory.Of(image.ToArray());
}
