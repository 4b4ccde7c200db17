using System.Text.Json;
using ImageUtils.Builders;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class VhdxTests
{
    [SkippableTheory]
    [InlineData("0", "")]
    [InlineData("512", "")]
    [InlineData("1000", "")]
    [InlineData("10M", "subformat=dynamic")]
    [InlineData("10M", "subformat=fixed")]
    [InlineData("10M", "subformat=fixed,block_state_zero=off")]
    [InlineData("10M", "subformat=fixed,block_size=1M")]
    [InlineData("10M", "block_size=1M")]
    [InlineData("10M", "block_size=256M")]
    [InlineData("10M", "log_size=4M")]
    [InlineData("100G", "")]
    [InlineData("300G", "block_size=1M")]
    [InlineData("64T", "")]
    public void What_qemu_img_creates_is_safe_and_of_the_size_that_it_reports(string size, string options)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = directory["disk.vhdx"];
        object[] arguments = options.Length == 0
            ? ["create", "-q", "-f", "vhdx", path, size]
            : ["create", "-q", "-f", "vhdx", "-o", options, path, size];
        Tool.Run("qemu-img", arguments);
        var inspection = AssertAgrees(path);
        Assert.Equal(options.Contains("fixed", StringComparison.Ordinal) ? "fixed" : "dynamic", inspection.Subformat);
    }

    [SkippableTheory]
    [InlineData("dynamic")]
    [InlineData("fixed")]
    public void What_qemu_img_converts_is_safe_and_cut_short_it_is_not(string subformat)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var random = new byte[3_500_032];
        new Random(1).NextBytes(random);
        File.WriteAllBytes(directory["disk.raw"], random);
        var path = directory["disk.vhdx"];
        Tool.Run(
            "qemu-img", "convert", "-f", "raw", "-O", "vhdx", "-o", $"subformat={subformat},block_size=1M",
            directory["disk.raw"], path);
        AssertAgrees(path);
        var bytes = File.ReadAllBytes(path);
        var cut = Inspected.Bytes(bytes[..^(1 << 20)]);
        Assert.Equal([CheckNames.Truncated], cut.Failures.Select(check => check.Name));
    }

    [Fact]
    public void An_image_is_described()
    {
        var inspection = Inspected.Bytes(VhdxCases.Seal(VhdxCases.WithBlock()).ToArray());
        Assert.True(inspection.IsSafe);
        Assert.Equal(
            ("1", "dynamic", 2L << 20, 1L << 20),
            (inspection.FormatVersion, inspection.Subformat, inspection.VirtualSize, inspection.ClusterSize));
        var details = (VhdxDetails)inspection.Details!;
        Assert.Equal(("Builder", 8UL), (details.Creator, details.SequenceNumber));
        Assert.Equal(Guid.Parse("01010101-0101-0101-0101-010101010101"), details.FileWriteGuid);
        Assert.Equal(Guid.Parse("02020202-0202-0202-0202-020202020202"), details.DataWriteGuid);
        Assert.Equal(Guid.Parse("03030303-0303-0303-0303-030303030303"), details.VirtualDiskId);
        Assert.Equal((512, 4096), (details.LogicalSectorSize, details.PhysicalSectorSize));
        Assert.Equal((1L << 20, (long?)(1 << 20)), (details.LogLength, details.BlockSize));
        Assert.Equal(((bool?)false, (bool?)false), (details.LeaveBlockAllocated, details.HasParent));
    }

    [Fact]
    public void A_pending_log_is_described()
    {
        var image = VhdxCases.Seal(VhdxCases.Valid().Byte(0x10000 + 48, 1)).ToArray();
        Assert.True(Inspected.Bytes(image).IsLogPending);
        Assert.False(Inspected.Bytes(VhdxCases.Seal(VhdxCases.Valid()).ToArray()).IsLogPending);
    }

    [SkippableTheory]
    [InlineData("vhdx/dynamic")]
    [InlineData("vhdx/with-block")]
    [InlineData("vhdx/bat-before-metadata")]
    [InlineData("vhdx/headers-alike")]
    [InlineData("vhdx/first-header-damaged")]
    [InlineData("vhdx/stale-header-has-log")]
    [InlineData("vhdx/unknown-optional-item")]
    public void What_the_builders_call_valid_is_valid_to_qemu_img(string name)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var file = new TemporaryFile(Corpus.All.Single(image => image.Name == name).Bytes(), ".vhdx");
        AssertAgrees(file.Path);
    }

    [Fact]
    public void A_parent_is_described_and_the_relative_path_preferred()
    {
        var image = VhdxCases.WithParent(
            ("parent_linkage", "{83ed3d1e-0f5a-4a3b-8f1b-0a1b2c3d4e5f}"),
            ("absolute_win32_path", @"C:\vm\base.vhdx"),
            ("relative_path", @".\base.vhdx"));
        var inspection = Inspected.Bytes(VhdxCases.Seal(image).ToArray());
        Assert.Equal(("differencing", @".\base.vhdx"), (inspection.Subformat, inspection.BackingFile));
        var details = (VhdxDetails)inspection.Details!;
        Assert.True(details.HasParent);
        Assert.Equal(
            ["parent_linkage", "absolute_win32_path", "relative_path"],
            details.ParentLocator.Select(entry => entry.Key));
    }

    [Theory]
    [InlineData("relative_path", @".\base.vhdx", true)]
    [InlineData("relative_path", @"..\base.vhdx", false)]
    [InlineData("RELATIVE_PATH", "/etc/passwd", false)]
    [InlineData("absolute_win32_path", "/srv/images/base.vhdx", true)]
    [InlineData("absolute_win32_path", @"C:\base.vhdx", false)]
    [InlineData("unknown_path", "base.vhdx", false)]
    public void A_parent_is_allowed_only_below_a_listed_directory(string key, string value, bool isAllowed)
    {
        var inspection = Inspected.Stream(
            VhdxCases.Seal(VhdxCases.WithParent((key, value))).ToArray(),
            _ => 65536,
            new InspectionOptions
            {
                Path = "/srv/images/child.vhdx",
                Policy = SafetyPolicy.Default with { BackingFileDirectories = ["/srv/images"] },
            });
        Assert.Equal(isAllowed ? [] : [CheckNames.Parent], inspection.Failures.Select(check => check.Name));
    }

    [Theory]
    [InlineData("absolute_win32_path", @"C:\vm\base.vhdx", true)]
    [InlineData("absolute_win32_path", @"\\server\share\base.vhdx", true)]
    [InlineData("volume_path", @"\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\vm\base.vhdx", true)]
    [InlineData("absolute_win32_path", @"C:\..\..\etc\passwd", true)]
    [InlineData("absolute_win32_path", @"C:\vm\..", false)]
    [InlineData("volume_path", @"\\?\Volume{1}\", false)]
    [InlineData("absolute_win32_path", @"\etc\passwd", false)]
    [InlineData("relative_path", @"C:\vm\base.vhdx", false)]
    public void A_path_of_windows_stands_for_the_file_beside_the_disk_that_has_the_id(
        string key, string value, bool isAllowed)
    {
        var image = VhdxCases.Seal(VhdxCases.WithParent(
            ("parent_linkage", "{83ed3d1e-0f5a-4a3b-8f1b-0a1b2c3d4e5f}"), (key, value))).ToArray();
        foreach (var (directory, isBelow) in new[] { ("/srv/images", true), ("/srv/other", false) })
        {
            var inspection = Inspected.Stream(
                image,
                _ => 65536,
                new InspectionOptions
                {
                    Path = "/srv/images/child.vhdx",
                    Policy = SafetyPolicy.Default with { BackingFileDirectories = [directory] },
                });
            Assert.Equal(
                isAllowed && isBelow ? [] : [CheckNames.Parent], inspection.Failures.Select(check => check.Name));
            Assert.Equal(value, inspection.BackingFile);
        }
    }

    [Fact]
    public void A_parent_rejects_a_download_before_its_end()
    {
        var image = VhdxCases.Seal(VhdxCases.WithParent(("relative_path", "/etc/passwd"))).ToArray();
        var inspector = new StreamInspector(expected: ImageFormat.Vhdx);
        inspector.Push(image.AsSpan(0, (2 << 20) + (128 << 10)));
        Assert.Equal(CheckNames.Parent, Assert.Single(inspector.Failures).Name);
    }

    [Fact]
    public void Mutilated_structures_with_good_checksums_get_a_verdict_and_the_same_one_both_ways()
    {
        (int Start, int Length)[] areas =
            [(0x10000 + 48, 40), (0x30000 + 8, 72), (2 << 20, 224), ((2 << 20) + 0x10000, 128), (3 << 20, 24)];
        var random = new Random(7);
        for (var round = 0; round < 80; round++)
        {
            var image = VhdxCases.WithParent(("relative_path", "a"), ("absolute_win32_path", "b"));
            for (var change = 0; change < 3; change++)
            {
                var (start, length) = areas[random.Next(areas.Length)];
                image.Byte(start + random.Next(length), (byte)(random.Next(4) == 0 ? 0xFF : random.Next(256)));
            }

            var bytes = VhdxCases.Seal(image).ToArray();
            Inspected.AssertSame(Inspected.File(bytes), Inspected.Stream(bytes, _ => 30_011), $"round {round}");
        }
    }

    [Fact]
    public void The_checksum_is_the_standard_one()
    {
        // RFC 3720, B.4: 32 bytes of zeros.
        Assert.Equal(0x8A9136AAu, VhdxChecksum.Compute(new byte[32]));
    }

    [Fact]
    public void Blocks_and_bitmaps_alternate_as_specified()
    {
        var plain = new VhdxBatLayout(100UL << 40, 32 << 20, 512, hasParent: false);
        Assert.Equal((128UL, 3276800UL), (plain.ChunkRatio, plain.PayloadBlocks));
        Assert.Equal(3276800UL + 3276799 / 128, plain.Entries);
        Assert.Equal((false, true, false), (plain.IsBitmap(127), plain.IsBitmap(128), plain.IsBitmap(129)));
        Assert.Equal((127UL, 128UL), (plain.PayloadIndex(127), plain.PayloadIndex(129)));

        var child = new VhdxBatLayout((32 << 20) * 129UL, 32 << 20, 512, hasParent: true);
        Assert.Equal(2 * 129UL, child.Entries);
        Assert.Equal(0UL, new VhdxBatLayout(0, 32 << 20, 512, hasParent: false).Entries);
    }

    [Fact]
    public void Structures_survive_being_written_and_read()
    {
        var bytes = new byte[65536];
        var identifier = new VhdxFileIdentifier("ImageUtils");
        identifier.Write(bytes);
        Assert.Equal(identifier, VhdxFileIdentifier.Parse(bytes));

        var header = new VhdxHeader
        {
            SequenceNumber = 1,
            FileWriteGuid = Guid.NewGuid(),
            DataWriteGuid = Guid.NewGuid(),
            LogGuid = Guid.NewGuid(),
            LogVersion = 2,
            Version = 3,
            LogLength = 4,
            LogOffset = 5,
        };
        header.Write(bytes);
        Assert.True(VhdxHeader.IsValid(bytes.AsSpan(0, VhdxHeader.Length)));
        Assert.Equal(header, VhdxHeader.Parse(bytes));

        VhdxRegion[] regions = [new(Guid.NewGuid(), 1, 2, true), new(Guid.NewGuid(), 3, 4, false)];
        VhdxRegionTable.Write(regions, bytes);
        Assert.True(VhdxRegionTable.IsValid(bytes));
        Assert.Equal(regions, VhdxRegionTable.Parse(bytes));

        VhdxMetadataEntry[] entries =
        [
            new(Guid.NewGuid(), 1, 2, VhdxMetadataFlags.IsRequired), new(Guid.NewGuid(), 3, 4, VhdxMetadataFlags.IsUser),
        ];
        VhdxMetadataTable.Write(entries, bytes);
        Assert.Equal(2, VhdxMetadataTable.ReadEntryCount(bytes));
        Assert.Equal(
            entries, VhdxMetadataTable.ParseEntries(bytes.AsSpan(VhdxMetadataTable.HeaderLength), entries.Length));

        VhdxFileParameters[] two = [new(1, true, false), new(2, false, true)];
        foreach (var parameters in two)
        {
            parameters.Write(bytes);
            Assert.Equal(parameters, VhdxFileParameters.Parse(bytes));
        }

        var locator = new VhdxParentLocator(
            VhdxIds.VhdxParentLocatorType, [new("relative_path", @".\Gerät.vhdx"), new("parent_linkage", "{1}")]);
        var length = locator.Write(bytes);
        var read = VhdxParentLocator.Parse(bytes.AsSpan(0, length))!;
        Assert.Equal((locator.LocatorType, length), (read.LocatorType, 20 + 24 + 2 * (13 + 12 + 14 + 3)));
        Assert.Equal(locator.Entries, read.Entries);

        var entry = new VhdxBatEntry(VhdxBlockState.FullyPresent, 5UL << 20);
        Assert.Equal((VhdxBlockState.FullyPresent, 5UL << 20, true), (entry.State, entry.FileOffset, entry.IsPresent));
    }

    [Fact]
    public void A_parent_locator_whose_strings_share_their_bytes_is_not_read()
    {
        // 2,000 entries of two strings of 32,000 bytes each would take 128 MB.
        var bytes = new byte[32 * 1024];
        bytes[18] = 2000 & 0xFF;
        bytes[19] = 2000 >> 8;
        for (var at = 20; at < 20 + 2000 * 12; at += 12)
        {
            new byte[] { 0x00, 0x7D, 0x00, 0x7D }.CopyTo(bytes, at + 8);
        }

        Assert.Null(VhdxParentLocator.Parse(bytes));
    }

    [SkippableFact]
    public void What_qemu_img_writes_is_written_the_same()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = directory["disk.vhdx"];
        Tool.Run("qemu-img", "create", "-q", "-f", "vhdx", path, "100M");
        var bytes = File.ReadAllBytes(path);
        var header = new byte[VhdxHeader.Length];
        VhdxHeader.Parse(bytes.AsSpan((int)VhdxHeader.FirstOffset)).Write(header);
        Assert.Equal(bytes.AsSpan((int)VhdxHeader.FirstOffset, header.Length).ToArray(), header);
        var table = new byte[VhdxRegionTable.Length];
        VhdxRegionTable.Write(VhdxRegionTable.Parse(bytes.AsSpan((int)VhdxRegionTable.FirstOffset)), table);
        Assert.Equal(bytes.AsSpan((int)VhdxRegionTable.FirstOffset, table.Length).ToArray(), table);
    }

    private static ImageInspection AssertAgrees(string path)
    {
        var inspection = ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult();
        Assert.True(inspection.IsSafe, string.Join("\n", inspection.Failures));
        Assert.Equal(ImageFormat.Vhdx, inspection.Format);
        if (new FileInfo(path).Length <= 32 << 20)
        {
            Inspected.Bytes(File.ReadAllBytes(path));
        }

        var info = JsonDocument.Parse(Tool.Run("qemu-img", "info", "--output=json", "-f", "vhdx", path)).RootElement;
        Assert.Equal(info.GetProperty("virtual-size").GetInt64(), inspection.VirtualSize);
        Assert.Equal(info.GetProperty("cluster-size").GetInt64(), inspection.ClusterSize);
        return inspection;
    }
}
