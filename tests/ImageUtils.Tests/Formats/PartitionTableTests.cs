using System.Text;
using ImageUtils.Builders;
using ImageUtils.Formats.PartitionTable;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class PartitionTableTests
{
    [Theory]
    [InlineData("", 0u)]
    [InlineData("123456789", 0xCBF43926u)]
    public void Checksums_are_the_standard_s_check_values(string text, uint checksum) =>
        Assert.Equal(checksum, Crc32.Compute(Encoding.ASCII.GetBytes(text)));

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void A_GPT_is_described(int sectorSize)
    {
        var image = Inspected.Bytes(PartitionTableCases.Gpt(sectorSize).ToArray());
        Assert.Equal(128L * sectorSize, image.VirtualSize);
        Assert.Equal("1.0", image.FormatVersion);
        var details = Assert.IsType<PartitionTableDetails>(image.Details);
        Assert.Equal(sectorSize, details.SectorSize);
        Assert.Equal("12345678-9abc-def0-1234-56789abcdef0", details.DiskId);
        Assert.Equal(
            [new(1, "0fc63daf-8483-4772-8e79-3d69d8477de4", "root", 40L * sectorSize, 40L * sectorSize, false)],
            details.Partitions);
    }

    [Fact]
    public void An_MBR_is_described()
    {
        var details = Assert.IsType<PartitionTableDetails>(
            Inspected.Bytes(PartitionTableCases.Mbr().Byte(446, 0x80).ToArray()).Details);
        Assert.Equal("cafef00d", details.DiskId);
        Assert.Equal([new(1, "83", null, 4096, 12288, true)], details.Partitions);
    }

    [Fact]
    public void Entries_that_are_longer_than_what_is_read_are_not_taken_for_verified()
    {
        // 1,024 entries of 128 bytes: the first 512 are read, and the checksum, which is wrong, is of all.
        const int UsableLba = 2 + 256;
        var gpt = new BuiltImage(PartitionTableCases.Gpt().ToArray()).Resize(600 * 512);
        gpt[(1024 + 128)..].Clear();
        foreach (var (at, my, alternate) in new[] { (512, 1UL, 599UL), (599 * 512, 599UL, 1UL) })
        {
            gpt.Put(at, gpt[512..1024]).Little64(at + 24, my).Little64(at + 32, alternate).Little64(at + 40, UsableLba)
                .Little64(at + 48, 400).Little32(at + 80, 1024).Little32(at + 88, 0);
            gpt.Little64(1024 + 32, UsableLba).Little64(1024 + 40, UsableLba).Little32(at + 16, 0);
            gpt.Little32(at + 16, Crc32.Compute(gpt[at..(at + 92)]));
        }

        var image = Inspected.Bytes(gpt.ToArray());
        Assert.True(image.IsSafe, string.Join("\n", image.Checks));
        var checksum = image.Checks.Single(check => check.Name == CheckNames.Checksum);
        Assert.Equal(CheckVerdict.Passed, checksum.Verdict);
        Assert.Contains("not verified", checksum.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_download_with_a_bad_header_is_rejected_before_its_end()
    {
        var gpt = PartitionTableCases.Gpt().Little32(512 + 80, 0).ToArray();
        var unclaimed = new StreamInspector();
        unclaimed.Push(gpt);
        Assert.False(unclaimed.IsRejected, "it may still be a disc, or a fixed VHD");
        var inspector = new StreamInspector(expected: ImageFormat.Raw);
        inspector.Push(gpt.AsSpan(0, 8192));
        Assert.Equal(CheckNames.Tables, Assert.Single(inspector.Failures).Name);
    }

    [SkippableTheory]
    [InlineData("--new=1:0:0")]
    [InlineData("--new=1:2048:4095", "--new=2:4096:0", "--typecode=2:ef00", "--change-name=2:EFI System")]
    [InlineData("--resize-table=256", "--new=1:0:0")]
    [InlineData("--set-alignment=1", "--clear")]
    public void What_sgdisk_makes_is_safe(params string[] arguments)
    {
        Tool.Require("sgdisk", "gdisk");
        using var directory = new TemporaryDirectory();
        var path = directory["disk"];
        using (var file = File.Create(path))
        {
            file.SetLength(4 << 20);
        }

        Tool.Run("sgdisk", [.. arguments, path]);
        var image = Inspected.Bytes(File.ReadAllBytes(path));
        Assert.Equal(ImageFormat.Gpt, image.Format);
        Assert.True(image.IsSafe, string.Join("\n", image.Checks));
        var details = Assert.IsType<PartitionTableDetails>(image.Details);
        Assert.Equal(
            arguments.Count(argument => argument.StartsWith("--new", StringComparison.Ordinal)),
            details.Partitions.Count);
        if (details.Partitions.Count == 2)
        {
            Assert.Equal(
                new(2, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI System", 2 << 20, (2 << 20) - 33 * 512, false),
                details.Partitions[1]);
        }
    }

    [SkippableFact]
    public void What_sgdisk_makes_of_a_hybrid_is_not_safe()
    {
        Tool.Require("sgdisk", "gdisk");
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["disk"], new byte[4 << 20]);
        Tool.Run("sgdisk", "--new=1:0:0", "--hybrid=1", directory["disk"]);
        Assert.Equal(CheckNames.Mbr, Assert.Single(Inspected.File(File.ReadAllBytes(directory["disk"])).Failures).Name);
    }

    [SkippableTheory]
    [InlineData(1440, "-F", "12")]
    [InlineData(16384, "-F", "16")]
    [InlineData(40000, "-F", "32")]
    [InlineData(16384, "-F", "16", "-f", "1")]
    [InlineData(131072, "-F", "16", "-S", "4096")]
    [InlineData(16384, "-F", "16", "--mbr=y")]
    [InlineData(40000, "-F", "32", "--mbr=y")]
    [InlineData(16384, "-A", "-F", "16")]
    public void What_mkfs_makes_is_a_file_system_and_no_partition_table(int kibibytes, params string[] arguments)
    {
        Tool.Require("mkfs.vfat", "dosfstools");
        using var directory = new TemporaryDirectory();
        var path = directory["disk"];
        using (var file = File.Create(path))
        {
            file.SetLength(kibibytes * 1024L);
        }

        Tool.Run("mkfs.vfat", [.. arguments, path]);
        var image = ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult();
        Assert.Equal(ImageFormat.Raw, image.Format);
        Assert.True(image.IsSafe, string.Join("\n", image.Checks));
    }
}
