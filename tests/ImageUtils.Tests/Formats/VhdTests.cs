using System.Text.Json;
using ImageUtils.Builders;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class VhdTests
{
    // One byte, below a cylinder, over one, odd sectors, where the geometry's algorithm changes, and its end.
    public static TheoryData<string, string> Creations
    {
        get
        {
            var data = new TheoryData<string, string>();
            string[] sizes =
            [
                "0", "512", "33792", "1234567", "10M", "503M", "1007M", "31G", "127G", "127500M", "128G", "2040G",
            ];
            foreach (var size in sizes)
            {
                foreach (var options in new[] { "subformat=dynamic", "subformat=fixed" })
                {
                    // qemu-img makes an empty fixed disk, but opens none.
                    if (size != "0" || options == "subformat=dynamic")
                    {
                        data.Add(size, options);
                        data.Add(size, options + ",force_size=on");
                    }
                }
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Creations))]
    public void What_qemu_img_creates_is_safe_and_of_the_size_that_it_reports(string size, string options)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = directory["disk.vhd"];
        Tool.Run("qemu-img", "create", "-q", "-f", "vpc", "-o", options, path, size);
        var inspection = AssertAgrees(path);
        Assert.Equal(options.Contains("fixed", StringComparison.Ordinal) ? "fixed" : "dynamic", inspection.Subformat);
    }

    [SkippableTheory]
    [InlineData("vpc ")]
    [InlineData("vs  ")]
    [InlineData("qemu")]
    [InlineData("qem2")]
    [InlineData("win ")]
    [InlineData("d2v ")]
    [InlineData("CTXS")]
    [InlineData("tap\0")]
    [InlineData("vbox")]
    public void The_creator_decides_on_the_size_as_it_does_for_qemu(string creator)
    {
        Tool.Require("qemu-img", "qemu-utils");
        foreach (var image in new[]
        {
            VhdCases.Seal(VhdCases.Dynamic().Text(28, creator)),
            VhdCases.SealFixed(VhdCases.Fixed(65536 * 9).Text(65536 * 9 + 28, creator)),
        })
        {
            using var file = new TemporaryFile(image.ToArray(), ".vhd");
            AssertAgrees(file.Path);
        }
    }

    [Fact]
    public void Azure_disks_have_their_current_size()
    {
        var image = VhdCases.SealFixed(VhdCases.Fixed(1 << 20).Text((1 << 20) + 28, "wa\0\0"));
        Assert.Equal(1 << 20, Inspected.Bytes(image.ToArray()).VirtualSize);
    }

    [Fact]
    public void The_greatest_geometry_means_the_current_size()
    {
        var footer = new VhdFooter
        {
            CurrentSize = 500UL << 30,
            Cylinders = 65535,
            Heads = 16,
            SectorsPerTrack = 255,
            CreatorApplication = 0x76706320,
        };
        Assert.Equal(500UL << 30, footer.GuestSize);
        Assert.Equal(65535UL * 15 * 255 * 512, (footer with { Heads = 15 }).GuestSize);
    }

    [SkippableTheory]
    [InlineData("dynamic", 64)]
    [InlineData("fixed", 512)]
    public void What_qemu_img_converts_is_safe_and_cut_short_it_is_not(string subformat, int cut)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var random = new byte[5 << 20];
        new Random(1).NextBytes(random);
        File.WriteAllBytes(directory["disk.raw"], random);
        var path = directory["disk.vhd"];
        Tool.Run(
            "qemu-img", "convert", "-f", "raw", "-O", "vpc", "-o", $"subformat={subformat}",
            directory["disk.raw"], path);
        AssertAgrees(path);
        var bytes = File.ReadAllBytes(path);
        var inspection = Inspected.Bytes(bytes[..^cut]);
        Assert.Equal(subformat == "fixed" ? ImageFormat.Raw : ImageFormat.Vhd, inspection.Format);
        Assert.Equal(subformat != "fixed", inspection.Failures.Any(check => check.Name == CheckNames.Truncated));

        // The end is there, the middle is not.
        var gap = Inspected.Bytes([.. bytes[..(1 << 20)], .. bytes[^512..]]);
        Assert.Equal([CheckNames.Truncated], gap.Failures.Select(check => check.Name));
    }

    [SkippableFact]
    public void An_independent_reader_sees_the_same_disk()
    {
        Tool.Require("vhdiinfo", "libvhdi-utils");
        foreach (var image in new[]
        {
            VhdCases.Seal(VhdCases.WithBlock()), VhdCases.SealFixed(VhdCases.Fixed(65536)),
        })
        {
            using var file = new TemporaryFile(image.ToArray(), ".vhd");
            var output = Tool.Run("vhdiinfo", file.Path);
            var details = (VhdDetails)Inspected.File(image.ToArray()).Details!;
            Assert.Contains($"({details.CurrentSize} bytes)", output, StringComparison.Ordinal);
            Assert.Contains(details.UniqueId.ToString(), output, StringComparison.Ordinal);
            Assert.Contains($"Disk type\t\t: {details.DiskType}", output, StringComparison.OrdinalIgnoreCase);
        }
    }

    [Fact]
    public void A_dynamic_disk_is_described()
    {
        var inspection = Inspected.Bytes(VhdCases.Seal(VhdCases.WithBlock().Big32(8, 3).Byte(84, 1)).ToArray());
        Assert.True(inspection.IsSafe);
        Assert.Equal(
            ("1.0", "dynamic", 262144L, 65536L),
            (inspection.FormatVersion, inspection.Subformat, inspection.VirtualSize, inspection.ClusterSize));
        Assert.Equal(["temporary"], inspection.Features);
        Assert.Null(inspection.BackingFile);
        var details = (VhdDetails)inspection.Details!;
        Assert.Equal(
            ("win", "10.0", "Wi2k"), (details.CreatorApplication, details.CreatorVersion, details.CreatorHostOs));
        Assert.Equal(new VhdGeometry(3, 4, 17), details.Geometry);
        Assert.Equal((262144L, 262144L), (details.CurrentSize, details.OriginalSize));
        Assert.Equal(((long?)65536, (long?)4), (details.BlockSize, details.BatEntries));
        Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(946_684_800 + 500_000_000), details.TimeStamp);
        Assert.Equal(Guid.Parse("5a5a5a5a-5a5a-5a5a-5a5a-5a5a5a5a5a5a"), details.UniqueId);
        Assert.True(details.IsSavedState);
        Assert.Null(details.ParentId);
    }

    [Fact]
    public void A_fixed_disk_is_described()
    {
        var inspection = Inspected.Bytes(VhdCases.SealFixed(VhdCases.Fixed(65536)).ToArray());
        Assert.True(inspection.IsSafe);
        Assert.Equal(("fixed", 65536L), (inspection.Subformat, inspection.VirtualSize));
        Assert.Null(inspection.ClusterSize);
        Assert.Null(((VhdDetails)inspection.Details!).BlockSize);
    }

    [Fact]
    public void A_parent_is_described_by_every_name()
    {
        var image = VhdCases.Seal(VhdCases.Differencing(@".\base.vhd", @"C:\vm\base.vhd"));
        var inspection = Inspected.Bytes(image.ToArray());
        Assert.Equal(("differencing", @".\base.vhd"), (inspection.Subformat, inspection.BackingFile));
        var details = (VhdDetails)inspection.Details!;
        Assert.Equal(@"C:\vm\base.vhd", details.ParentName);
        Assert.Equal([new VhdParentName("W2ru", @".\base.vhd")], details.ParentLocators);
        Assert.Equal(Guid.Parse("07070707-0707-0707-0707-070707070707"), details.ParentId);
        Assert.Equal(VhdFooter.Epoch.AddSeconds(1000), details.ParentTimeStamp);
    }

    [Theory]
    [InlineData(@".\base.vhd", "base.vhd", true)]
    [InlineData(@"sub\base.vhd", "base.vhd", true)]
    [InlineData(@"..\base.vhd", "base.vhd", false)]
    [InlineData("base.vhd", "/etc/passwd", false)]
    [InlineData("base.vhd", @"..\..\etc\passwd", false)]
    [InlineData(@"sub\..\..\..\etc\passwd", "base.vhd", false)]
    [InlineData(@"C:\base.vhd", "base.vhd", false)]
    [InlineData("ba\0se.vhd", "base.vhd", false)]
    [InlineData("", "base.vhd", false)]
    [InlineData(@".\base.vhd", @"C:\vm\base.vhd", true)]
    [InlineData(@".\base.vhd", "d:/vm/base.vhd", true)]
    [InlineData(@".\base.vhd", @"\\server\share\base.vhd", true)]
    [InlineData(@".\base.vhd", @"\\?\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\vm\base.vhd", true)]
    [InlineData(@".\base.vhd", @"C:\..\..\etc\passwd", true)]
    [InlineData(@".\base.vhd", @"C:\vm\..", false)]
    [InlineData(@".\base.vhd", @"\\server\share\..\..", false)]
    [InlineData(@".\base.vhd", @"C:\vm\", false)]
    [InlineData(@".\base.vhd", @"C:base.vhd", false)]
    [InlineData(@".\base.vhd", @"\etc\passwd", false)]
    [InlineData(@".\base.vhd", "//etc/passwd", false)]
    [InlineData(@"..\base.vhd", @"C:\vm\base.vhd", false)]
    [InlineData(@"\\server\share\base.vhd", "base.vhd", false)]
    public void A_parent_is_allowed_only_where_every_name_is(string relative, string unicode, bool isAllowed)
    {
        var inspection = Inspected.Stream(
            VhdCases.Seal(VhdCases.Differencing(relative, unicode)).ToArray(),
            _ => 4096,
            new InspectionOptions
            {
                Path = "/srv/images/child.vhd",
                Policy = SafetyPolicy.Default with { BackingFileDirectories = ["/srv/images"] },
            });
        Assert.Equal(
            isAllowed ? [] : [CheckNames.Parent], inspection.Failures.Select(check => check.Name));
    }

    [Theory]
    [InlineData("file:///srv/images/base%20one.vhd", true)]
    [InlineData("file://./base.vhd", true)]
    [InlineData("file:///srv/images/%2e%2e/%2e%2e/etc/passwd", false)]
    [InlineData("http://localhost/base.vhd", false)]
    public void A_parents_url_is_judged_as_the_path_that_it_stands_for(string url, bool isAllowed)
    {
        var inspection = Inspected.Stream(
            VhdCases.Seal(VhdCases.WithLocator("MacX", System.Text.Encoding.UTF8.GetBytes(url))).ToArray(),
            _ => 100,
            new InspectionOptions
            {
                Path = "/srv/images/child.vhd",
                Policy = SafetyPolicy.Default with { BackingFileDirectories = ["/srv/images"] },
            });
        Assert.Equal(isAllowed, inspection.IsSafe);
        Assert.Equal(url, inspection.BackingFile);
    }

    [Fact]
    public void A_non_fatal_check_lets_the_rest_be_judged()
    {
        var policy = SafetyPolicy.Default with
        {
            NonFatalChecks = [CheckNames.Tables, CheckNames.Truncated, CheckNames.Checksum, CheckNames.Version],
        };
        foreach (var image in Corpus.All.Where(image => image.Format is "vhd" && image.Name.Contains("parent-")))
        {
            var inspection = Inspected.File(image.Bytes(), new InspectionOptions { Policy = policy });
            Assert.Equal([CheckNames.Parent], inspection.Failures.Select(check => check.Name));
        }
    }

    [Fact]
    public void Mutilated_structures_with_good_checksums_get_a_verdict_and_the_same_one_both_ways()
    {
        (int Start, int Length)[] areas = [(8, 80), (512 + 16, 20), (512 + 576, 48), (1536, 16)];
        var random = new Random(7);
        for (var round = 0; round < 400; round++)
        {
            var image = VhdCases.Differencing("base.vhd");
            for (var change = 0; change < 3; change++)
            {
                var (start, length) = areas[random.Next(areas.Length)];
                image.Byte(start + random.Next(length), (byte)(random.Next(4) == 0 ? 0xFF : random.Next(256)));
            }

            var bytes = VhdCases.Seal(image).ToArray();
            Inspected.AssertSame(Inspected.File(bytes), Inspected.Stream(bytes, _ => 301), $"round {round}");
        }
    }

    [Fact]
    public void Another_format_before_a_fixed_footer_is_ambiguous()
    {
        var inspection = Inspected.Bytes(VhdCases.OnDisk(Qcow2Cases.Valid()).ToArray());
        Assert.Contains(inspection.Failures, check => check.Name == CheckNames.Ambiguous);
        Assert.Equal([ImageFormat.Qcow2, ImageFormat.Vhd], inspection.MatchedFormats);
    }

    [Fact]
    public void A_partitioned_fixed_disk_stays_a_vhd_while_it_is_downloaded()
    {
        var bytes = VhdCases.OnDisk(PartitionTableCases.Mbr().Byte(446, 0x41)).ToArray();
        var claimed = new StreamInspector(expected: ImageFormat.Vhd);
        var unclaimed = new StreamInspector();
        var raw = new StreamInspector(expected: ImageFormat.Raw);
        foreach (var inspector in new[] { claimed, unclaimed, raw })
        {
            inspector.Push(bytes.AsSpan(0, bytes.Length / 2));
        }

        Assert.False(claimed.IsRejected);
        Assert.False(unclaimed.IsRejected);
        Assert.True(raw.IsRejected);
        claimed.Push(bytes.AsSpan(bytes.Length / 2));
        var inspection = claimed.Complete();
        Assert.True(inspection.IsSafe, string.Join("\n", inspection.Failures));
        Assert.False(claimed.IsRejected);
        Assert.Equal([ImageFormat.Vhd, ImageFormat.Mbr], inspection.MatchedFormats);
    }

    [Fact]
    public void A_parent_rejects_a_download_before_its_end()
    {
        var image = VhdCases.Seal(VhdCases.Differencing("/etc/passwd")).ToArray();
        var inspector = new StreamInspector(expected: ImageFormat.Vhd);
        inspector.Push(image.AsSpan(0, image.Length - 512));
        Assert.True(inspector.IsRejected);
        Assert.Equal(CheckNames.Parent, Assert.Single(inspector.Failures).Name);
    }

    [Fact]
    public void Structures_survive_being_written_and_read()
    {
        var footer = new VhdFooter
        {
            Features = 3,
            DataOffset = 512,
            TimeStamp = 1,
            CreatorApplication = 2,
            CreatorVersion = 3,
            CreatorHostOs = 4,
            OriginalSize = 5,
            CurrentSize = 6,
            Cylinders = 7,
            Heads = 8,
            SectorsPerTrack = 9,
            DiskType = VhdDiskType.Differencing,
            UniqueId = Guid.NewGuid(),
            SavedState = 1,
        };
        var bytes = new byte[VhdDynamicHeader.Length];
        footer.Write(bytes);
        Assert.Equal(footer, VhdFooter.Parse(bytes));
        Assert.Null(VhdSafetyChecks.FindWrongChecksum("", bytes.AsSpan(0, 512), VhdFooter.ChecksumOffset));

        var header = new VhdDynamicHeader
        {
            TableOffset = 1536,
            MaxTableEntries = 10,
            BlockSize = 2 << 20,
            ParentUniqueId = Guid.NewGuid(),
            ParentTimeStamp = 11,
            ParentUnicodeName = "Eltern-Gerät.vhd",
            ParentLocators =
            [
                .. Enumerable.Range(1, 8).Select(n => new VhdParentLocator((uint)n, 512, 20, 4096 * (ulong)n)),
            ],
        };
        header.Write(bytes);
        var read = VhdDynamicHeader.Parse(bytes);
        Assert.Equal(header.ParentLocators, read.ParentLocators);
        Assert.Equal(header, read with { ParentLocators = header.ParentLocators });
        Assert.Null(VhdSafetyChecks.FindWrongChecksum("", bytes, VhdDynamicHeader.ChecksumOffset));
        Assert.Equal((512L, 40L), (read.BitmapSize, read.TableLength));
        Assert.Equal(8192, (header with { BlockSize = 32 << 20 }).BitmapSize);
    }

    [SkippableFact]
    public void What_qemu_img_writes_is_written_the_same()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = directory["disk.vhd"];
        Tool.Run("qemu-img", "create", "-q", "-f", "vpc", path, "100M");
        var bytes = File.ReadAllBytes(path);
        var written = new byte[1536];
        VhdFooter.Parse(bytes).Write(written);
        VhdDynamicHeader.Parse(bytes.AsSpan(512)).Write(written.AsSpan(512));
        Assert.Equal(bytes.AsSpan(0, 1536).ToArray(), written);
    }

    private static ImageInspection AssertAgrees(string path)
    {
        var inspection = ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult();
        Assert.True(inspection.IsSafe, string.Join("\n", inspection.Failures));
        Assert.Equal(ImageFormat.Vhd, inspection.Format);
        if (new FileInfo(path).Length < 8 << 20)
        {
            Inspected.Bytes(File.ReadAllBytes(path));
        }

        var info = JsonDocument.Parse(Tool.Run("qemu-img", "info", "--output=json", "-f", "vpc", path)).RootElement;
        Assert.Equal(info.GetProperty("virtual-size").GetInt64(), inspection.VirtualSize);
        Assert.Equal(
            info.TryGetProperty("cluster-size", out var size) ? size.GetInt64() : null, inspection.ClusterSize);
        return inspection;
    }
}
