using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.Mapping;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class VhdxWriterTests
{
    private static readonly VhdxFormat s_format = new();

    public static TheoryData<string> Kinds => ["dynamic", "fixed", "differencing"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_written_reads_back_from_any_layout(string kind) =>
        ContractOf(kind).What_is_written_reads_back(layouts: 15);

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_interrupted_run_goes_on_to_the_same_file(string kind) =>
        ContractOf(kind).An_interrupted_run_goes_on_to_the_same_file();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_run_that_fails_leaves_no_image(string kind) => ContractOf(kind).A_run_that_fails_leaves_no_image();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Old_data_on_a_device_does_not_show_through(string kind) =>
        ContractOf(kind).Old_data_does_not_show_through(capacity: 64 << 20);

    [SkippableTheory]
    [InlineData("dynamic", 20_000_001, null)]
    [InlineData("dynamic", 8 << 20, 1 << 20)]
    [InlineData("dynamic", 3_000_000, 256 << 20)]
    [InlineData("fixed", 20_000_001, null)]
    [InlineData("fixed", 8 << 20, 4 << 20)]
    public void Qemu_img_finds_the_same_content_and_nothing_to_repair(string kind, long size, int? blockSize)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var contract = new WriterContract<VhdxFormat>(
            s_format, new WriterOptions { VirtualSize = size, Subformat = kind, ClusterSize = blockSize });
        var pieces = contract.Layout(new Random(1));
        var sink = new SparseMemory();
        contract.Write(sink, pieces);
        sink.Save(directory["disk.vhdx"]);

        var rounded = (size + 511) / 512 * 512;
        AssertSafe(directory["disk.vhdx"], rounded, kind);
        using (var raw = File.Create(directory["disk.raw"]))
        {
            raw.SetLength(rounded);
            foreach (var (offset, data) in pieces)
            {
                raw.Position = offset;
                raw.Write(data);
            }
        }

        Tool.Run("qemu-img", "check", "-q", "-f", "vhdx", directory["disk.vhdx"]);
        Tool.Run("qemu-img", "compare", "-f", "vhdx", "-F", "raw", directory["disk.vhdx"], directory["disk.raw"]);
    }

    [SkippableFact]
    public void Libvhdi_reads_every_kind_and_its_size()
    {
        Tool.Require("vhdiinfo", "libvhdi-utils");
        using var directory = new TemporaryDirectory();
        foreach (var kind in new[] { "fixed", "dynamic", "differencing" })
        {
            var contract = ContractOf(kind);
            var sink = new SparseMemory();
            contract.Write(sink, contract.Layout(new Random(2)));
            sink.Save(directory["child.vhdx"]);
            var text = Tool.Run("vhdiinfo", directory["child.vhdx"]);
            Assert.Contains($"({OptionsOf(kind).VirtualSize} bytes)", text);
            Assert.Contains(kind == "fixed" ? "Fixed" : kind == "dynamic" ? "Dynamic" : "Differential", text);
        }
    }

    [SkippableTheory]
    [InlineData(1L << 20)]
    [InlineData(1L << 30)]
    [InlineData((1L << 30) + 512)]
    [InlineData((100L << 30) + 512)]
    [InlineData((32L << 40) + 512)]
    public void Blocks_are_as_large_as_qemu_img_makes_them(long size)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vhdx", directory["disk.vhdx"], size);
        var inspection = ImageInspector.InspectFileAsync(directory["disk.vhdx"]).AsTask().GetAwaiter().GetResult();
        Assert.Equal(
            inspection.ClusterSize, s_format.CreateWriter(new WriterOptions { VirtualSize = size }).UnitSize);
    }

    [SkippableTheory]
    [InlineData("dynamic", 64 << 20)]
    [InlineData("dynamic", 1 << 20)]
    [InlineData("fixed", 64 << 20)]
    public void The_greatest_disk_has_64_tebibytes_and_takes_up_next_to_nothing(string kind, int blockSize)
    {
        Tool.Require("qemu-img", "qemu-utils");
        const long size = 64L << 40;
        using var directory = new TemporaryDirectory();
        var sink = new SparseMemory();
        new WriterContract<VhdxFormat>(
            s_format, new WriterOptions { VirtualSize = size, Subformat = kind, ClusterSize = blockSize })
            .Write(sink, kind == "fixed" ? [] : [(size - 512, new byte[512])]);
        var extents = GuestDisk.Extents(GuestDisk.Open(s_format, sink));
        Assert.Equal(size, extents[^1].GuestEnd);
        Assert.Equal(kind == "fixed" ? 1 : 2, extents.Count);
        if (kind == "dynamic")
        {
            sink.Save(directory["disk.vhdx"]);
            AssertSafe(directory["disk.vhdx"], size, kind);
            Assert.Contains("65536", Tool.Run("qemu-img", "info", "-f", "vhdx", directory["disk.vhdx"]).Replace(
                "64 TiB", "65536", StringComparison.Ordinal));
        }

        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(new WriterOptions { VirtualSize = size + 1 }));
    }

    [Theory]
    [InlineData("dynamic")]
    [InlineData("fixed")]
    public void An_empty_disk_is_one(string kind)
    {
        var sink = new SparseMemory();
        var contract = new WriterContract<VhdxFormat>(
            s_format, new WriterOptions { VirtualSize = 0, Subformat = kind });
        Assert.Equal(0, contract.Write(sink, []).VirtualSize);
        Assert.Empty(GuestDisk.Extents(GuestDisk.Open(s_format, sink)));
    }

    [Theory]
    [InlineData("base.vhdx", "relative_path", @".\base.vhdx")]
    [InlineData("../base.vhdx", "relative_path", @"..\base.vhdx")]
    [InlineData("/srv/images/base.vhdx", "absolute_win32_path", @"\srv\images\base.vhdx")]
    public void A_differencing_disk_names_its_parent_and_its_identity(string path, string key, string value)
    {
        var parent = new Guid("11223344-5566-7788-99aa-bbccddeeff00");
        var sink = new SparseMemory();
        new WriterContract<VhdxFormat>(
            s_format, new WriterOptions { VirtualSize = 8 << 20, BackingFile = path, ParentId = parent })
            .Write(sink, []);
        var details = (VhdxDetails)Inspect(sink).Details!;
        Assert.True(details.HasParent);
        Assert.Equal(
            [new("parent_linkage", parent.ToString("B")), new KeyValuePair<string, string>(key, value)],
            details.ParentLocator);
    }

    [Fact]
    public void The_same_identity_makes_the_same_file_and_another_one_another()
    {
        var (one, same, other) = (new SparseMemory(), new SparseMemory(), new SparseMemory());
        ContractOf("dynamic").Write(one, []);
        ContractOf("dynamic").Write(same, []);
        new WriterContract<VhdxFormat>(s_format, OptionsOf("dynamic") with { UniqueId = null }).Write(other, []);
        one.AssertSame(same);
        var (first, second) = ((VhdxDetails)Inspect(one).Details!, (VhdxDetails)Inspect(other).Details!);
        Assert.Equal(OptionsOf("dynamic").UniqueId, first.VirtualDiskId);
        Assert.NotEqual(first.DataWriteGuid, first.FileWriteGuid);
        Assert.NotEqual(first.DataWriteGuid, second.DataWriteGuid);
    }

    [Theory]
    [InlineData("subformat")]
    [InlineData("clustersize")]
    [InlineData("clustersize-odd")]
    [InlineData("compress")]
    [InlineData("geometry")]
    [InlineData("parent-without-id")]
    [InlineData("parent-raw")]
    [InlineData("no-parent")]
    public void What_the_format_does_not_have_is_refused(string what)
    {
        var options = new WriterOptions { VirtualSize = 1 << 20 };
        options = what switch
        {
            "subformat" => options with { Subformat = "sparse" },
            "clustersize" => options with { ClusterSize = 512 << 10 },
            "clustersize-odd" => options with { ClusterSize = 3 << 20 },
            "compress" => options with { Compress = true },
            "geometry" => options with { RoundToGeometry = true },
            "parent-without-id" => options with { BackingFile = "base.vhdx" },
            "parent-raw" => options with
            {
                BackingFile = "base.raw",
                BackingFormat = ImageFormat.Raw,
                ParentId = Guid.NewGuid(),
            },
            _ => options with { Subformat = "differencing", ParentId = Guid.NewGuid() },
        };
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options));
    }

    [Fact]
    public void A_differencing_disk_of_two_chunks_has_a_bitmap_for_each()
    {
        const long size = (4L << 30) + (8 << 20);
        var parent = new SparseMemory();
        new WriterContract<VhdxFormat>(s_format, new WriterOptions { VirtualSize = size }).Write(parent, []);
        var sink = new SparseMemory();
        new WriterContract<VhdxFormat>(
            s_format,
            new WriterOptions
            {
                VirtualSize = size,
                BackingFile = "base.vhdx",
                ParentId = ((VhdxDetails)Inspect(parent).Details!).DataWriteGuid,
            })
        {
            Parent = ("./base.vhdx", parent),
        }.Write(sink, [(1024, new byte[512]), (size - 1536, new byte[1024])]);
        var map = GuestDisk.Open(s_format, sink, ("./base.vhdx", parent));
        Assert.Equal(
            [(1024L, 512L), (size - 1536, 1024L)],
            GuestDisk.Extents(map).Where(extent => extent.Kind == ExtentKind.Stored)
                .Select(extent => (extent.GuestOffset, extent.Length)));
    }

    [Fact]
    public void Zeros_that_are_written_hide_the_parent() =>
        ContractOf("differencing").Zeros_that_are_written_hide_the_parent();

    private static WriterContract<VhdxFormat> ContractOf(string kind)
    {
        if (kind != "differencing")
        {
            return new WriterContract<VhdxFormat>(s_format, OptionsOf(kind)) { Granularity = 100 };
        }

        var parent = new SparseMemory();
        var parents = new WriterContract<VhdxFormat>(s_format, OptionsOf("dynamic") with { UniqueId = Guid.NewGuid() });
        parents.Write(parent, parents.Layout(new Random(17)));
        return new WriterContract<VhdxFormat>(
            s_format, OptionsOf(kind) with { ParentId = ((VhdxDetails)Inspect(parent).Details!).DataWriteGuid })
        {
            Parent = ("./base.vhdx", parent),
        };
    }

    private static WriterOptions OptionsOf(string kind) => new()
    {
        VirtualSize = (5 << 20) + 51200,
        Subformat = kind,
        ClusterSize = 1 << 20,
        UniqueId = new Guid("00000000-0000-0000-0000-000000000001"),
        BackingFile = kind == "differencing" ? "base.vhdx" : null,
        ParentId = kind == "differencing" ? Guid.NewGuid() : null,
    };

    private static ImageInspection Inspect(SparseMemory file) =>
        ImageInspector.InspectAsync(file).AsTask().GetAwaiter().GetResult();

    private static void AssertSafe(string path, long size, string kind)
    {
        var inspection = ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult();
        Assert.Empty(inspection.Failures);
        Assert.Equal((ImageFormat.Vhdx, (long?)size, kind), (
            inspection.Format, inspection.VirtualSize, inspection.Subformat));
    }
}
