using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Mapping;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

/// <summary>Logs are replayed in memory, to what qemu makes of them when it replays them on disk.</summary>
public sealed class VhdxLogTests
{
    private const int Mebibyte = 1 << 20;
    private const int Bat = 3 * Mebibyte;
    private const int Block = 4 * Mebibyte;

    private static readonly VhdxFormat s_format = new();

    public static TheoryData<string> Logs => ["one-entry", "sequence", "zeros", "two-sequences", "grows"];

    [SkippableTheory]
    [MemberData(nameof(Logs))]
    public void A_pending_log_reads_as_after_qemu_replayed_it(string name)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var image = VhdxCases.Seal(Make(name));
        File.WriteAllBytes(directory["ours.vhdx"], image.ToArray());
        File.WriteAllBytes(directory["theirs.vhdx"], image.ToArray());
        Tool.Run("qemu-img", "check", "-q", "-f", "vhdx", "-r", "all", directory["theirs.vhdx"]);
        Tool.Run("qemu-img", "convert", "-f", "vhdx", "-O", "raw", directory["theirs.vhdx"], directory["qemu.raw"]);

        var content = GuestDisk.Read(Open(image));
        Assert.True(File.ReadAllBytes(directory["qemu.raw"]).AsSpan().SequenceEqual(content), "The content differs.");
        Assert.True(content.AsSpan(0, 4).SequenceEqual("DATA"u8), "The block that the log adds is missing.");
    }

    // QEMU 7.2 does not follow the specification here: it reads one sector of descriptors only, takes a sequence for
    // as new as its first entry, and lets an older entry follow a newer one.
    [Theory]
    [InlineData("wrapped", 1)]
    [InlineData("many-descriptors", 200)]
    [InlineData("stale-entries", 0)]
    public void A_pending_log_that_qemu_misreads_reads_as_the_specification_says(string name, int sectors)
    {
        var expected = VhdxCases.WithBlock().Text(Block, "DATA");
        foreach (var change in Enumerable.Range(1, sectors).Select(index => Sector(Block + 4096 * index, (byte)index)))
        {
            expected.Put((int)change.FileOffset, change.Data);
        }

        var content = GuestDisk.Read(Open(VhdxCases.Seal(Make(name))));
        Assert.True(GuestDisk.Read(Open(VhdxCases.Seal(expected))).AsSpan().SequenceEqual(content));
    }

    [Fact]
    public void Nothing_is_written_and_the_file_is_longer_only_in_memory()
    {
        var source = SparseMemory.Of(VhdxCases.Seal(Make("grows")).ToArray());
        var before = source.Copy();
        Assert.Equal(2 * Mebibyte, GuestDisk.Read(GuestDisk.Open(s_format, source)).Length);
        source.AssertSame(before);
        Assert.Equal(0, source.Calls);
    }

    [Fact]
    public async Task A_log_of_entries_within_entries_is_soon_refused()
    {
        // Each of 16,384 sectors claims to begin an entry as long as the log, whose checksum would have to be made.
        const int length = 64 * Mebibyte;
        var image = VhdxLogs.Pending(VhdxCases.WithBlock());
        var at = image.Length;
        image.Resize(at + length).Little32(0x10000 + 68, length).Little64(0x10000 + 72, (ulong)at);
        for (var sector = at; sector < image.Length; sector += VhdxLogs.Sector)
        {
            image.Text(sector, "loge").Little32(sector + 8, length).Little64(sector + 16, 1)
                .Put(sector + 32, VhdxLogs.LogGuid.ToByteArray());
        }

        var source = SparseMemory.Of(VhdxCases.Seal(image).ToArray());
        var error = await Assert.ThrowsAsync<ImageFormatException>(
            () => Task.Run(() => GuestDisk.Open(s_format, source)).WaitAsync(TimeSpan.FromSeconds(20)));
        Assert.Contains("entries within entries", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_sectors_and_many_ranges_of_zeros_are_kept_apart_soon()
    {
        var random = new Random(5);
        var inner = SparseMemory.Of(Enumerable.Repeat((byte)9, 1 << 20).ToArray());
        var replayed = new ReplayedSource(inner, 1 << 20);
        var expected = Enumerable.Repeat((byte)9, 64 << 20).ToArray();
        expected.AsSpan(1 << 20).Clear();
        for (var change = 0; change < 400_000; change++)
        {
            var sector = random.Next(expected.Length / 4096);
            if (change % 20 == 0)
            {
                replayed.Put(sector * 4096L, Enumerable.Repeat((byte)change, 4096).ToArray());
                expected.AsSpan(sector * 4096, 4096).Fill((byte)change);
            }
            else
            {
                var count = Math.Min(random.Next(3), expected.Length / 4096 - sector);
                replayed.Clear(sector * 4096L, count * 4096L);
                expected.AsSpan(sector * 4096, count * 4096).Clear();
            }
        }

        replayed.Seal();
        var length = (int)await replayed.GetLengthAsync(default);
        for (var read = 0; read < 2000; read++)
        {
            var at = random.Next(length);
            var buffer = new byte[Math.Min(random.Next(1, 20_000), length - at)];
            Assert.Equal(buffer.Length, await replayed.ReadAsync(at, buffer, default));
            Assert.True(expected.AsSpan(at, buffer.Length).SequenceEqual(buffer), $"{buffer.Length} bytes at {at} differ.");
        }
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("checksum")]
    [InlineData("other-log")]
    [InlineData("sequence-0")]
    [InlineData("descriptor-signature")]
    [InlineData("descriptor-sequence")]
    [InlineData("descriptor-offset")]
    [InlineData("data-signature")]
    [InlineData("data-sequence")]
    [InlineData("length-0")]
    [InlineData("length-beyond-log")]
    [InlineData("descriptors-beyond-entry")]
    [InlineData("tail-elsewhere")]
    [InlineData("gap")]
    public void A_log_without_an_intact_sequence_is_an_error(string damage)
    {
        const int entry = Mebibyte;
        var image = VhdxLogs.Pending(VhdxCases.WithBlock());
        var change = new VhdxLogChange(Bat, new byte[4096]);
        var isSealed = true;
        switch (damage)
        {
            case "nothing":
                isSealed = false;
                break;
            case "tail-elsewhere":
                VhdxLogs.Put(image, 0, 5, 8192, 0, 0, change);
                break;
            case "gap":
                // The second one names the first as its tail, but does not follow it.
                VhdxLogs.Put(image, 0, 5, 4096 * 20, 0, 0, change);
                VhdxLogs.Put(image, 8192, 7, 0, 0, 0, change);
                isSealed = false;
                break;
            default:
                VhdxLogs.Put(image, 0, 5, 0, 0, 0, change);
                break;
        }

        _ = damage switch
        {
            "checksum" => image.Byte(entry + 5000, 1),
            "other-log" => image.Byte(entry + 32, 1),
            "sequence-0" => image.Little64(entry + 16, 0).Little64(entry + 64 + 24, 0).Little32(entry + 8188, 0),
            "descriptor-signature" => image.Text(entry + 64, "nope"),
            "descriptor-sequence" => image.Little64(entry + 64 + 24, 6),
            "descriptor-offset" => image.Little64(entry + 64 + 16, Bat + 512),
            "data-signature" => image.Text(entry + 4096, "nope"),
            "data-sequence" => image.Little32(entry + 8188, 6),
            "length-0" => image.Little32(entry + 8, 0),
            "length-beyond-log" => image.Little32(entry + 8, 2 * Mebibyte),
            "descriptors-beyond-entry" => image.Little32(entry + 24, 0xFFFF_FFFF),
            _ => image,
        };
        if (isSealed && damage != "checksum")
        {
            image.Little32(entry + 4, 0).Little32(entry + 4, VhdxCases.Crc(image[entry..(entry + 8192)]));
        }

        var error = Assert.Throws<ImageFormatException>(() => Open(VhdxCases.Seal(image)));
        Assert.Equal("log_pending", error.Check);
    }

    [Theory]
    [InlineData(0x10000, "tables")]
    [InlineData(Mebibyte, "tables")]
    [InlineData(1L << 60, "tables")]
    public void A_log_that_changes_headers_or_itself_is_an_error(long target, string check)
    {
        var image = VhdxLogs.Pending(VhdxCases.WithBlock());
        VhdxLogs.Put(image, 0, 5, 0, 0, 0, new VhdxLogChange(target, new byte[4096]));
        var error = Assert.ThrowsAny<ImageFormatException>(() => Open(VhdxCases.Seal(image)));
        Assert.Equal(check, error.Check);
    }

    [Theory]
    [InlineData(0UL, 4096UL, "tables")]
    [InlineData(3UL * Mebibyte, 0xFFFF_FFFF_FFFF_F000UL, "tables")]
    public void Zeros_that_reach_where_they_must_not_are_an_error(ulong target, ulong length, string check)
    {
        var image = VhdxLogs.Pending(VhdxCases.WithBlock());
        VhdxLogs.Put(image, 0, 5, 0, 0, 0, new VhdxLogChange((long)target, null, (long)length));
        var error = Assert.ThrowsAny<ImageFormatException>(() => Open(VhdxCases.Seal(image)));
        Assert.Equal(check, error.Check);
    }

    [Fact]
    public void A_file_that_was_cut_short_since_is_an_error()
    {
        var image = VhdxLogs.Pending(VhdxCases.WithBlock());
        VhdxLogs.Put(image, 0, 5, 0, 6 * Mebibyte, 6 * Mebibyte, new VhdxLogChange(Bat, new byte[4096]));
        Assert.Throws<TruncatedImageException>(() => Open(VhdxCases.Seal(image)));
    }

    [Fact]
    public void A_log_that_says_where_nothing_is_gives_an_error()
    {
        var image = VhdxLogs.Pending(VhdxCases.WithBlock()).Little32(0x10000 + 68, 0);
        Assert.Throws<ImageFormatException>(() => Open(VhdxCases.Seal(image)));
        image.Little32(0x10000 + 68, 0xFFF0_0000);
        Assert.Throws<UnsupportedImageException>(() => Open(VhdxCases.Seal(image)));
    }

    // A disk of 2 MiB whose first block, with DATA at its beginning, is known to the log alone.
    private static BuiltImage Make(string name)
    {
        var image = VhdxLogs.Pending(VhdxCases.WithBlock().Little64(Bat, 0)).Text(Block, "DATA");
        var table = new VhdxLogChange(Bat, Table(Block | 6, 0));
        long length = image.Length;
        switch (name)
        {
            case "one-entry":
                return VhdxLogs.Put(image, 0, 7, 0, length, length, table);
            case "sequence":
                VhdxLogs.Put(image, 8192, 7, 8192, length, length, new VhdxLogChange(Bat, Table(0, 0)));
                VhdxLogs.Put(image, 16384, 8, 8192, length, length, table);
                return VhdxLogs.Put(image, 24576, 9, 8192, length, length, Sector(Block + 8192, 3));
            case "zeros":
                image.Text(Block + 65536, "old");
                return VhdxLogs.Put(
                    image, 4096, 7, 4096, length, length,
                    Sector(Block + 65536, 1), table, Sector(Block + 131072, 2),
                    new VhdxLogChange(Block + 65536, null, 65536), Sector(Block + 69632, 4));
            case "wrapped":
                VhdxLogs.Put(image, Mebibyte - 8192, 7, Mebibyte - 8192, length, length, Sector(Block + 4096, 1));
                VhdxLogs.Put(image, 0, 8, Mebibyte - 8192, length, length, table);
                return image;
            case "many-descriptors":
                return VhdxLogs.Put(
                    image, 0, 7, 0, length, length,
                    [table, .. Enumerable.Range(1, 200).Select(index => Sector(Block + 4096 * index, (byte)index))]);
            case "stale-entries":
                // Of an older sequence: what follows it now has begun anew.
                VhdxLogs.Put(image, 0, 20, 0, length, length, table);
                VhdxLogs.Put(image, 8192, 5, 8192, length, length, new VhdxLogChange(Bat, Table(0, 0)));
                return image;
            case "two-sequences":
                VhdxLogs.Put(image, 0, 3, 0, length, length, new VhdxLogChange(Bat, Table(0, 0)));
                VhdxLogs.Put(image, 65536, 9, 65536, length, length, table);
                return VhdxLogs.Put(image, 73728, 10, 65536, length, length, Sector(Block + 4096, 7));
            default:
                // The second block is where the file did not reach yet.
                return VhdxLogs.Put(
                    image, 0, 7, 0, length, length + Mebibyte - 4096,
                    new VhdxLogChange(Bat, Table(Block | 6, (Block + Mebibyte) | 6)), Sector(Block + Mebibyte, 5));
        }
    }

    private static VhdxLogChange Sector(long offset, byte value)
    {
        var bytes = new byte[4096];
        new Random(value).NextBytes(bytes);
        return new VhdxLogChange(offset, bytes);
    }

    private static byte[] Table(ulong first, ulong second) =>
        new BuiltImage(4096).Little64(0, first).Little64(8, second).ToArray();

    private static ImageMap Open(BuiltImage image) => GuestDisk.Open(s_format, SparseMemory.Of(image.ToArray()));
}
