using System.Buffers.Binary;
using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;
using ImageUtils.Tests.Support;
using ImageUtils.VhdChains;

namespace ImageUtils.Tests.VhdChains;

public sealed class VhdImageCheckTests : IDisposable
{
    private const int Header = 512;
    private const int Table = 1536;
    private const int TableEnd = 2048;
    private const int BlockLength = 512 + 65536;

    private readonly ChainFiles _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData("a.vhd", "dynamic")]
    [InlineData("a.vhd", "fixed")]
    [InlineData("a.vhdx", "dynamic")]
    [InlineData("a.vhdx", "fixed")]
    public async Task What_our_writers_make_is_valid(string name, string subformat)
    {
        var path = _files.Make(
            name, change: options => options with { Subformat = subformat }, pieces: [(1 << 20, [.. new byte[511], 1])]);
        var report = await VhdImageCheck.RunAsync(path);
        Assert.Empty(report.Problems);
        Assert.Empty(report.Warnings);
        Assert.Equal((true, subformat, path), (report.IsValid, report.Type, report.Path));
    }

    [SkippableTheory]
    [InlineData("vpc", "subformat=dynamic")]
    [InlineData("vpc", "subformat=fixed,force_size=on")]
    [InlineData("vhdx", "subformat=dynamic")]
    [InlineData("vhdx", "subformat=fixed")]
    public async Task What_qemu_img_makes_is_valid(string format, string options)
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run("qemu-img", "create", "-q", "-f", format, "-o", options, _files["a"], "20M");
        Tool.Run("qemu-io", "-f", format, "-c", "write 3M 1M", "-c", "write 9M 64k", _files["a"]);
        Assert.Empty((await VhdImageCheck.RunAsync(_files["a"])).Problems);
    }

    [Fact]
    public async Task Each_damage_of_a_vhd_is_named()
    {
        await AssertSaysAsync("checksum is", image => image.Byte(100, 1));
        await AssertSaysAsync("VHD footer at the file's end's checksum", image => image.Byte(image.Length - 100, 1));
        await AssertSaysAsync("VHD dynamic header's checksum", image => image.Byte(Header + 900, 1));
        await AssertSaysAsync("no footer in the last 512", image => image.Resize(image.Length - 512));
        await AssertSaysAsync("a change of the size was cut off", image =>
        {
            var end = image[(image.Length - 512)..].ToArray();
            VhdCases.Seal(image.Big64(48, 200 << 10)).Put(image.Length - 512, end);
        });
        await AssertSaysAsync("entry 1 points at byte 0, where", image => image.Big32(Table + 4, 0));
        await AssertSaysAsync("overlaps the dynamic header", image => image.Big32(Table + 4, 2));
        await AssertSaysAsync("overlaps the table itself", image => image.Big32(Table + 4, 3));
        await AssertSaysAsync("entry 3 points at byte 68608, but the block", image => image.Big32(Table + 12, 134));
        await AssertSaysAsync("entry 1 points at byte 2048, where the block overlaps the one at byte 2048",
            image => image.Big32(Table + 4, TableEnd / 512));
        await AssertSaysAsync("overlaps the one at byte 2048", image => image.Resize(2048 + 3 * BlockLength).Big32(
            Table + 4, TableEnd / 512 + 100).Put(image.Length - 512, image[..512]));
        await AssertSaysAsync("parent locator 'W2ru' has 10 bytes at byte 1099511627776", image => VhdCases.Seal(image
            .Text(Header + 576, "W2ru").Big32(Header + 584, 10).Big64(Header + 592, 1UL << 40)));
        await AssertSaysAsync("the parent locator 'W2ru' at byte 1540 overlaps the table itself", image => VhdCases.Seal(image
            .Text(Header + 576, "W2ru").Big32(Header + 584, 10).Big64(Header + 592, 1540)));
        await AssertSaysAsync("no dynamic header", image => image.Text(Header, "nonsense"));
    }

    [Fact]
    public async Task Problems_are_counted_and_the_first_are_kept()
    {
        var image = VhdCases.Dynamic().Resize(Table + 4096 + 512).Big32(Header + 28, 1024);
        for (var entry = 0; entry < 1024; entry++)
        {
            image.Big32(Table + entry * 4, (uint)(1000 + entry * 5000));
        }

        var report = await VhdImageCheck.RunAsync(_files.Put("a.vhd", VhdCases.Seal(image).ToArray()));
        Assert.Equal((100, 1024L, false), (report.Problems.Count, report.ProblemCount, report.IsValid));
    }

    [Theory]
    [InlineData("as it should be", null)]
    [InlineData("missing", "expects a batmap")]
    [InlineData("of a block that is not full", "has block 0 as full, but its bitmap at byte 3072 does not have the sector 8")]
    [InlineData("damaged", "batmap's checksum")]
    [InlineData("beyond the file", "beyond the file's data")]
    [InlineData("too short", "too few for 9999 blocks")]
    [InlineData("of a later version", "version is 0x00010003")]
    [InlineData("over the table", "the batmap at byte 1536 overlaps the table itself")]
    [InlineData("under a block", "overlaps the batmap")]
    public async Task A_batmap_is_held_against_the_bitmaps(string what, string? problem)
    {
        // Header, table, the batmap's header and map, and the one block.
        const int batmap = TableEnd;
        const int map = TableEnd + 512;
        const int block = map + 512;
        var image = VhdCases.WithBlock().Resize(block + BlockLength + 512).Text(28, "tap\0").Big32(32, 0x0001_0003)
            .Put(TableEnd, new byte[16]).Big32(Table, block / 512).Put(block, Full(16))
            .Text(batmap, "tdbatmap").Big64(batmap + 8, map).Big32(batmap + 16, 1).Big32(batmap + 20, 0x0001_0002)
            .Byte(map, 0x80).Big32(batmap + 24, ~0x80u);
        _ = what switch
        {
            "missing" => image.Text(batmap, "nonsense"),
            "of a block that is not full" => image.Byte(block + 1, 0x7F),
            "damaged" => image.Byte(map + 3, 1),
            "beyond the file" => image.Big64(batmap + 8, 1 << 30),
            "too short" => image.Big32(batmap + 16, 0),
            "of a later version" => image.Big32(batmap + 20, 0x0001_0003),
            "over the table" => image.Big64(batmap + 8, Table),
            "under a block" => image.Big32(Table + 4, map / 512),
            _ => image,
        };
        var report = await VhdImageCheck.RunAsync(_files.Put("a.vhd", VhdCases.Seal(image).ToArray()));
        if (problem is null)
        {
            Assert.Empty(report.Problems);
        }
        else
        {
            Assert.Contains(report.Problems, one => one.Contains(
                problem.Replace("9999", "4", StringComparison.Ordinal), StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task Blocks_without_sectors_are_only_worth_a_warning()
    {
        _files.Make("base.vhd");
        var path = _files.Make("leaf.vhd", parent: "base.vhd", pieces: [(0, new byte[512])]);
        var bytes = File.ReadAllBytes(path);
        var table = (int)BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(Header + 16));
        var block = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(table)) * 512;
        Assert.Equal(0x80, bytes[block]);
        _files.Patch("leaf.vhd", block, 0);
        var report = await VhdImageCheck.RunAsync(path);
        Assert.True(report.IsValid, string.Join(" ", report.Problems));
        Assert.Contains("none of their sectors", Assert.Single(report.Warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("vhd")]
    [InlineData("vhdx")]
    public async Task A_parent_must_be_there_and_have_its_id(string extension)
    {
        _files.Make($"base.{extension}");
        var path = _files.Make($"leaf.{extension}", parent: $"base.{extension}");
        Assert.True((await VhdImageCheck.RunAsync(path)).IsValid);
        _files.Make($"base.{extension}");
        Assert.Contains("it is not the disk's parent", Assert.Single((await VhdImageCheck.RunAsync(path)).Problems));
        File.Delete(_files[$"base.{extension}"]);
        Assert.Contains("was not found", Assert.Single((await VhdImageCheck.RunAsync(path)).Problems));
    }

    [Theory]
    [InlineData("first header", false, "VHDX header at byte 65536")]
    [InlineData("second regions", true, "region table at byte 262144")]
    [InlineData("first regions", true, "region table at byte 196608")]
    [InlineData("state", true, "entry 0 has the state 5")]
    [InlineData("partial", true, "entry 0 has the state 7")]
    [InlineData("beyond", true, "end beyond the file's")]
    [InlineData("overlap", true, "entry 1 points at byte 4194304, where the block overlaps another one")]
    [InlineData("region", true, "entry 0 points at byte 3145728, where the block overlaps the region")]
    [InlineData("log", true, "must be replayed")]
    [InlineData("none", false, null)]
    public async Task Each_damage_of_a_vhdx_is_named(string what, bool isProblem, string? expected)
    {
        const int bat = 3 << 20;
        var image = VhdxCases.WithBlock();
        _ = what switch
        {
            "state" => image.Little64(bat, (4 << 20) | 5),
            "partial" => image.Little64(bat, (4 << 20) | 7),
            "beyond" => image.Little64(bat + 8, (5 << 20) | 6),
            "overlap" => image.Little64(bat + 8, (4 << 20) | 6),
            "region" => image.Little64(bat, (3 << 20) | 6),
            "log" => Pending(image),
            _ => image,
        };
        VhdxCases.Seal(image);
        _ = what switch
        {
            "first header" => image.Byte(0x10000 + 300, 1),
            "second regions" => image.Byte(0x40000 + 30000, 1),
            "first regions" => image.Byte(0x30000 + 30000, 1),
            _ => image,
        };
        var report = await VhdImageCheck.RunAsync(_files.Put("a.vhdx", image.ToArray()));
        Assert.Equal(!isProblem, report.IsValid);
        if (expected is not null)
        {
            Assert.Contains(expected, Assert.Single(isProblem ? report.Problems : report.Warnings));
        }
    }

    [Fact]
    public async Task A_partially_present_block_needs_its_bitmap()
    {
        _files.Make("base.vhdx");
        var path = _files.Make("leaf.vhdx", parent: "base.vhdx", pieces: [(4096, new byte[512])]);
        Assert.True((await VhdImageCheck.RunAsync(path)).IsValid);
        using var file = FileByteSource.Open(path);
        var disk = await VhdxReader.ReadStructuresAsync(file, default);
        var bat = disk.Regions.Single(region => region.Id == VhdxIds.BatRegion);
        var layout = VhdxSafetyChecks.LayoutOf(disk.Metadata);
        _files.Patch("leaf.vhdx", (long)bat.FileOffset + (long)layout.ChunkRatio * 8, new byte[8]);
        Assert.Contains("6 is expected", Assert.Single((await VhdImageCheck.RunAsync(path)).Problems));
    }

    [Fact]
    public async Task Whatever_bytes_are_wrong_there_is_a_verdict()
    {
        _files.Make("base.vhd");
        _files.Make("leaf.vhd", parent: "base.vhd", pieces: [(0, new byte[4096])]);
        _files.Make("a.vhdx", pieces: [(0, new byte[4096])]);
        var random = new Random(11);
        foreach (var (name, areas) in new[]
        {
            ("leaf.vhd", new[] { (0, 100), (512, 640), (1536, 64), (1 << 11, 600) }),
            ("a.vhdx", [(0x10000, 80), (0x30000, 80), (0x200000, 224), (0x210000, 64), (0x300000, 64)]),
        })
        {
            var good = File.ReadAllBytes(_files[name]);
            for (var round = 0; round < 40; round++)
            {
                var bad = (byte[])good.Clone();
                for (var changes = random.Next(1, 4); changes > 0; changes--)
                {
                    var (start, length) = areas[random.Next(areas.Length)];
                    bad[Math.Min(start + random.Next(length), bad.Length - 1)] = (byte)random.Next(256);
                }

                var path = _files.Put("bad" + Path.GetExtension(name), bad);
                try
                {
                    await VhdImageCheck.RunAsync(path);
                }
                catch (VhdChainException exception)
                {
                    Assert.Equal(VhdChainProblem.NotUsable, exception.Problem);
                }
            }
        }
    }

    [Fact]
    public async Task A_full_disk_of_two_tebibytes_is_checked_in_little_memory()
    {
        const long blocks = 2040L * 512;
        const long blockLength = 512 + (2 << 20);
        const long first = Table + blocks * 4;
        var path = _files.Make("a.vhd", 2040L << 30);
        using (var file = File.Open(path, FileMode.Open))
        {
            var footer = new byte[512];
            file.ReadExactly(footer);
            var table = new byte[blocks * 4];
            for (var block = 0; block < blocks; block++)
            {
                // From the end to the beginning, which is the worst order.
                BinaryPrimitives.WriteUInt32BigEndian(
                    table.AsSpan(block * 4), (uint)((first + (blocks - 1 - block) * blockLength) / 512));
            }

            file.Position = Table;
            file.Write(table);
            try
            {
                file.SetLength(first + blocks * blockLength);
                file.Position = file.Length;
                file.Write(footer);
            }
            catch (IOException)
            {
                // Not every file system has files of two tebibytes.
                return;
            }
        }

        // Files are read without waiting, so that all happens on this thread.
        var before = GC.GetAllocatedBytesForCurrentThread();
        var work = VhdImageCheck.RunAsync(path);
        Assert.True(work.IsCompleted);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1L << 20, 16L << 20);
        var report = await work;
        Assert.Empty(report.Problems);
        Assert.Equal(blocks, report.AllocatedBlocks);
        Assert.Equal(100, (await VhdImageInfo.ReadAsync(path)).FragmentationPercentage);
    }

    private static BuiltImage Pending(BuiltImage image)
    {
        VhdxLogs.Pending(image);
        return VhdxLogs.Put(
            image, 0, 1, 0, image.Length, image.Length, new VhdxLogChange(4 << 20, new byte[VhdxLogs.Sector]));
    }

    private static byte[] Full(int length)
    {
        var bytes = new byte[length];
        bytes.AsSpan().Fill(0xFF);
        return bytes;
    }

    // 256 KiB in blocks of 64 KiB, of which the first is there.
    private async Task AssertSaysAsync(string problem, Action<BuiltImage> damage)
    {
        var image = VhdCases.Seal(VhdCases.WithBlock());
        damage(image);
        var report = await VhdImageCheck.RunAsync(_files.Put("a.vhd", image.ToArray()));
        Assert.False(report.IsValid, problem);
        Assert.Contains(report.Problems, one => one.Contains(problem, StringComparison.Ordinal));
        Assert.Equal(report.Problems.Count, report.Problems.Distinct().Count());
    }
}
