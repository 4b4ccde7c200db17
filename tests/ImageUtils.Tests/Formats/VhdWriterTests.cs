using System.Buffers.Binary;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class VhdWriterTests
{
    private static readonly VhdFormat s_format = new();
    private static readonly Guid s_id = new("11223344-5566-7788-99aa-bbccddeeff00");

    public static TheoryData<string> Kinds => ["dynamic", "fixed", "differencing"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_written_reads_back_from_any_layout(string kind) =>
        ContractOf(kind).What_is_written_reads_back();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void An_interrupted_run_goes_on_to_the_same_file(string kind) =>
        ContractOf(kind).An_interrupted_run_goes_on_to_the_same_file();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_run_that_fails_leaves_no_image(string kind) => ContractOf(kind).A_run_that_fails_leaves_no_image();

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Old_data_in_the_target_does_not_show_through(string kind) =>
        ContractOf(kind).Old_data_does_not_show_through();

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_block_device_is_refused(string kind)
    {
        var writer = s_format.CreateWriter(OptionsOf(kind));
        var error = await Assert.ThrowsAsync<ImageOptionException>(async () =>
            await writer.BeginAsync(new SparseMemory(0xFF) { Capacity = 1 << 30 }, default));
        Assert.Equal("NotSupported", error.Option);
    }

    [SkippableTheory]
    [InlineData("dynamic", 5_000_000, null)]
    [InlineData("dynamic", 8 << 20, 512 << 10)]
    [InlineData("dynamic", 33_000_001, 32 << 20)]
    [InlineData("dynamic", 0, null)]
    [InlineData("fixed", 5_000_001, null)]
    public void Qemu_img_finds_the_same_content_and_the_exact_size(string kind, long size, int? blockSize)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var options = new WriterOptions { VirtualSize = size, Subformat = kind, ClusterSize = blockSize };
        var contract = new WriterContract<VhdFormat>(s_format, options);
        var pieces = contract.Layout(new Random(1));
        var sink = new SparseMemory();
        contract.Write(sink, pieces);
        sink.Save(directory["disk.vhd"]);

        var rounded = (size + 511) / 512 * 512;
        Assert.Equal(rounded, QemuSizeOf(directory["disk.vhd"]));
        AssertSafe(directory["disk.vhd"], rounded, kind);
        if (size > 0)
        {
            using var raw = File.Create(directory["disk.raw"]);
            raw.SetLength(rounded);
            foreach (var (offset, data) in pieces)
            {
                raw.Position = offset;
                raw.Write(data);
            }

            raw.Dispose();
            Tool.Run("qemu-img", "compare", "-f", "vpc", "-F", "raw", directory["disk.vhd"], directory["disk.raw"]);
        }
    }

    [SkippableTheory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(512)]
    [InlineData(10 << 20)]
    [InlineData(503L << 20)]
    [InlineData(504L << 20)]
    [InlineData(1007L << 20)]
    [InlineData((8L << 30) + 512)]
    [InlineData(32L << 30)]
    [InlineData(127L << 30)]
    [InlineData(65535L * 16 * 255 * 512)]
    [InlineData(65535L * 16 * 255 * 512 - 512)]
    [InlineData((128L << 30) + 512)]
    [InlineData(2040L << 30)]
    public void A_size_is_rounded_to_the_geometry_as_qemu_img_rounds_it(long size)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        Tool.Run("qemu-img", "create", "-q", "-f", "vpc", directory["theirs.vhd"], size);
        var sink = WriteEmpty(new WriterOptions { VirtualSize = size, RoundToGeometry = true });
        sink.Save(directory["ours.vhd"]);
        var (theirs, ours) = (FooterOf(directory["theirs.vhd"]), FooterOf(directory["ours.vhd"]));
        Assert.Equal(
            (theirs.CurrentSize, theirs.Cylinders, theirs.Heads, theirs.SectorsPerTrack),
            (ours.CurrentSize, ours.Cylinders, ours.Heads, ours.SectorsPerTrack));
        Assert.Equal(QemuSizeOf(directory["theirs.vhd"]), QemuSizeOf(directory["ours.vhd"]));
    }

    [Theory]
    [InlineData(1, 1 << 20)]
    [InlineData((30 << 20) + 1, 31 << 20)]
    [InlineData(30 << 20, 30 << 20)]
    public void What_azure_takes_is_fixed_and_has_whole_mebibytes(long size, long expected)
    {
        var writer = s_format.CreateWriter(new WriterOptions { VirtualSize = size, AzureAligned = true });
        Assert.Equal((expected, (long?)0), (writer.VirtualSize, writer.LinearOffset));
        var sink = WriteEmpty(new WriterOptions { VirtualSize = size, AzureAligned = true });
        Assert.Equal(expected + 512, sink.Length);
    }

    [SkippableTheory]
    [InlineData("dynamic")]
    [InlineData("fixed")]
    public void The_greatest_disk_has_2040_gibibytes_and_takes_up_next_to_nothing(string kind)
    {
        Tool.Require("qemu-img", "qemu-utils");
        const long size = 2040L << 30;
        using var directory = new TemporaryDirectory();
        var sink = WriteEmpty(new WriterOptions { VirtualSize = size, Subformat = kind });
        sink.Save(directory["disk.vhd"]);
        AssertSafe(directory["disk.vhd"], size, kind);
        Assert.Equal(size, QemuSizeOf(directory["disk.vhd"]));
        var map = GuestDisk.Open(s_format, sink);
        Assert.Equal(size, Assert.Single(GuestDisk.Extents(map)).Length);
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(new WriterOptions { VirtualSize = size + 1 }));
    }

    [Fact]
    public async Task The_last_block_of_the_greatest_disk_is_reached_by_its_32_bit_sector()
    {
        const long size = 2040L << 30;
        var writer = s_format.CreateWriter(new WriterOptions { VirtualSize = size, ClusterSize = 512 << 10 });
        var sink = new SparseMemory { ForgetsData = true };
        await writer.BeginAsync(sink, default);
        var host = 0L;
        for (var offset = 0L; offset < size; offset += 512 << 10)
        {
            host = await writer.PlaceAsync(offset, 512, default);
        }

        Assert.True(host / 512 < uint.MaxValue);
    }

    [Theory]
    [InlineData("subformat", "sparse")]
    [InlineData("clustersize", "3000000")]
    [InlineData("clustersize", "262144")]
    [InlineData("compress", "")]
    [InlineData("azure-dynamic", "")]
    [InlineData("azure-geometry", "")]
    [InlineData("fixed-empty", "")]
    [InlineData("fixed-block", "")]
    [InlineData("parent-without-id", "")]
    [InlineData("parent-of-dynamic", "")]
    [InlineData("no-parent", "")]
    public void What_the_format_does_not_have_is_refused(string what, string value)
    {
        var options = new WriterOptions { VirtualSize = 1 << 20 };
        options = what switch
        {
            "subformat" => options with { Subformat = value },
            "clustersize" => options with { ClusterSize = long.Parse(value) },
            "compress" => options with { Compress = true },
            "azure-dynamic" => options with { AzureAligned = true, Subformat = "dynamic" },
            "azure-geometry" => options with { AzureAligned = true, RoundToGeometry = true },
            "fixed-empty" => options with { Subformat = "fixed", VirtualSize = 0 },
            "fixed-block" => options with { Subformat = "fixed", ClusterSize = 2 << 20 },
            "parent-without-id" => options with { BackingFile = "base.vhd" },
            "parent-of-dynamic" => options with { BackingFile = "base.vhd", Subformat = "dynamic", ParentId = s_id },
            _ => options with { Subformat = "differencing", ParentId = s_id },
        };
        Assert.Throws<ImageOptionException>(() => s_format.CreateWriter(options));
    }

    [Theory]
    [InlineData("base.vhd", "W2ru", @".\base.vhd", "base.vhd")]
    [InlineData("../base.vhd", "W2ru", @"..\base.vhd", @"..\base.vhd")]
    [InlineData("/srv/images/base.vhd", "W2ku", @"\srv\images\base.vhd", @"\srv\images\base.vhd")]
    [InlineData(@"C:\vm\base.vhd", "W2ku", @"C:\vm\base.vhd", @"C:\vm\base.vhd")]
    public async Task A_differencing_disk_names_its_parent(string path, string code, string locator, string header)
    {
        var time = new DateTimeOffset(2020, 2, 3, 4, 5, 6, TimeSpan.Zero);
        var sink = WriteEmpty(new WriterOptions
        {
            VirtualSize = 8 << 20,
            BackingFile = path,
            ParentId = s_id,
            ParentTimeStamp = time,
        });
        var inspection = await ImageInspector.InspectAsync(sink);
        var details = (VhdDetails)inspection.Details!;
        Assert.Equal(("differencing", s_id, time, header), (
            details.DiskType, details.ParentId, details.ParentTimeStamp, details.ParentName));
        Assert.Equal(new VhdParentName(code, locator), Assert.Single(details.ParentLocators));
        Assert.Equal(["parent"], inspection.Failures.Select(check => check.Name));
    }

    [SkippableFact]
    public void Libvhdi_reads_every_kind_and_its_exact_size()
    {
        Tool.Require("vhdiinfo", "libvhdi-utils");
        using var directory = new TemporaryDirectory();
        foreach (var kind in new[] { "fixed", "dynamic", "differencing" })
        {
            var contract = ContractOf(kind);
            var sink = new SparseMemory();
            contract.Write(sink, contract.Layout(new Random(2)));
            sink.Save(directory["child.vhd"]);
            contract.Parent?.Source.Save(directory["base.vhd"]);
            var text = Tool.Run("vhdiinfo", directory["child.vhd"]);
            Assert.Contains($"({OptionsOf(kind).VirtualSize} bytes)", text);
            Assert.Contains(kind == "fixed" ? "Fixed" : kind == "dynamic" ? "Dynamic" : "Differential", text);
        }
    }

    [SkippableFact]
    public void Linux_attaches_a_fixed_disk_through_a_loop_device()
    {
        using var directory = new TemporaryDirectory();
        var contract = new WriterContract<VhdFormat>(
            s_format, new WriterOptions { VirtualSize = 4 << 20, Subformat = "fixed" });
        var pieces = contract.Layout(new Random(4));
        var sink = new SparseMemory();
        contract.Write(sink, pieces);
        sink.Save(directory["disk.vhd"]);
        using var device = LoopDevice.Attach(directory["disk.vhd"]);
        using var file = File.OpenRead(device.Path);
        var bytes = new byte[pieces[0].Data.Length];
        file.Position = pieces[0].Offset;
        file.ReadExactly(bytes);
        Assert.Equal(pieces[0].Data, bytes);
    }

    [Fact]
    public async Task The_table_is_written_out_as_the_walk_moves_on()
    {
        var writer = s_format.CreateWriter(new WriterOptions { VirtualSize = 2040L << 30 });
        var sink = new SparseMemory();
        await writer.BeginAsync(sink, default);
        await writer.WriteAsync(0, new byte[512], default);
        Assert.DoesNotContain(sink.Writes, write => write.Offset == 1536);
        await writer.WriteAsync(1L << 40, new byte[512], default);
        Assert.Contains((1536L, 65536), sink.Writes);
        Assert.Equal((1536u + 2040 * 512 * 4) / 512, BinaryPrimitives.ReadUInt32BigEndian(sink.Get(1536, 4)));
    }

    [Fact]
    public void Zeros_that_are_written_hide_the_parent() =>
        ContractOf("differencing").Zeros_that_are_written_hide_the_parent();

    private static WriterContract<VhdFormat> ContractOf(string kind)
    {
        if (kind != "differencing")
        {
            return new WriterContract<VhdFormat>(s_format, OptionsOf(kind)) { Granularity = 100 };
        }

        var parent = new SparseMemory();
        var parents = new WriterContract<VhdFormat>(s_format, OptionsOf("dynamic") with { UniqueId = s_id });
        parents.Write(parent, parents.Layout(new Random(17)));
        return new WriterContract<VhdFormat>(s_format, OptionsOf(kind)) { Parent = ("./base.vhd", parent) };
    }

    private static WriterOptions OptionsOf(string kind) => new()
    {
        VirtualSize = 5 << 20,
        Subformat = kind,
        ClusterSize = kind == "fixed" ? null : 512 << 10,
        UniqueId = new Guid("00000000-0000-0000-0000-000000000001"),
        TimeStamp = VhdFooter.Epoch.AddDays(1),
        BackingFile = kind == "differencing" ? "base.vhd" : null,
        ParentId = kind == "differencing" ? s_id : null,
    };

    private static SparseMemory WriteEmpty(WriterOptions options)
    {
        var sink = new SparseMemory();
        var writer = s_format.CreateWriter(options);
        writer.BeginAsync(sink, default).AsTask().GetAwaiter().GetResult();
        writer.FinishAsync(default).AsTask().GetAwaiter().GetResult();
        return sink;
    }

    private static void AssertSafe(string path, long size, string kind)
    {
        var inspection = ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult();
        Assert.Empty(inspection.Failures);
        Assert.Equal((ImageFormat.Vhd, (long?)size, kind), (
            inspection.Format, inspection.VirtualSize, inspection.Subformat));
    }

    private static VhdFooter FooterOf(string path)
    {
        using var file = File.OpenRead(path);
        var bytes = new byte[512];
        file.Position = file.Length - 512;
        file.ReadExactly(bytes);
        return VhdFooter.Parse(bytes);
    }

    private static long QemuSizeOf(string path)
    {
        using var json = System.Text.Json.JsonDocument.Parse(
            Tool.Run("qemu-img", "info", "-f", "vpc", "--output", "json", path));
        return json.RootElement.GetProperty("virtual-size").GetInt64();
    }
}
