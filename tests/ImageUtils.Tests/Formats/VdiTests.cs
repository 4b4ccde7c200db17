using System.Text.Json;
using ImageUtils.Builders;
using ImageUtils.Formats.Vdi;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class VdiTests
{
    [SkippableTheory]
    [InlineData("0", "off", 0)]
    [InlineData("512", "off", 512)]
    [InlineData("1000", "off", 1024)]
    [InlineData("10M", "off", 10 << 20)]
    [InlineData("10M", "on", 10 << 20)]
    [InlineData("3500000", "on", 3500032)]
    [InlineData("1T", "off", 1L << 40)]
    public void What_qemu_img_creates_is_safe_and_of_the_size_that_it_reports(
        string size, string isStatic, long virtualSize)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = directory["disk.vdi"];
        Tool.Run("qemu-img", "create", "-q", "-f", "vdi", "-o", $"static={isStatic}", path, size);
        var inspection = AssertAgrees(path);
        Assert.Equal(
            (virtualSize, isStatic == "on" ? "static" : "dynamic"), (inspection.VirtualSize, inspection.Subformat));
    }

    [SkippableTheory]
    [InlineData("off")]
    [InlineData("on")]
    public void What_qemu_img_converts_is_safe_and_cut_short_it_is_not(string isStatic)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var random = new byte[3_500_032];
        new Random(1).NextBytes(random);
        File.WriteAllBytes(directory["disk.raw"], random);
        var path = directory["disk.vdi"];
        Tool.Run(
            "qemu-img", "convert", "-f", "raw", "-O", "vdi", "-o", $"static={isStatic}", directory["disk.raw"], path);
        AssertAgrees(path);
        var cut = Inspected.Bytes(File.ReadAllBytes(path)[..3_000_000]);
        Assert.Equal([CheckNames.Truncated], cut.Failures.Select(check => check.Name));
    }

    [Fact]
    public void An_image_is_described()
    {
        var parent = Guid.Parse("00112233-4455-6677-8899-aabbccddeeff");
        var image = VdiCases.WithSmallBlock().Put(424, parent.ToByteArray());
        var inspection = Inspected.Bytes(image.ToArray());
        Assert.Equal(
            ("1.1", "dynamic", 16384L, 4096L),
            (inspection.FormatVersion, inspection.Subformat, inspection.VirtualSize, inspection.ClusterSize));
        var details = (VdiDetails)inspection.Details!;
        Assert.Equal("<<< Oracle VM VirtualBox Disk Image >>>", details.Text);
        Assert.Equal("made for a test", details.Description);
        Assert.Equal((512L, 1024L), (details.BlockMapOffset, details.DataOffset));
        Assert.Equal((4L, 1L), (details.BlocksInImage, details.BlocksAllocated));
        Assert.Equal(Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10"), details.ImageId);
        Assert.Equal(parent, details.ParentId);
        Assert.Null(details.ParentModificationId);
        Assert.Contains("00112233", inspection.Failures.Single().Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_parent_cannot_be_allowed_by_a_directory()
    {
        var policy = SafetyPolicy.Default with { BackingFileDirectories = ["/"] };
        var image = VdiCases.Valid().Little32(76, 4).ToArray();
        Assert.False(Inspected.Bytes(image, new InspectionOptions { Policy = policy }).IsSafe);
    }

    [Fact]
    public void A_signature_that_is_not_whole_is_no_VDI()
    {
        Assert.Equal(ImageFormat.Raw, Inspected.Bytes(VdiCases.Valid().Resize(67).ToArray()).Format);
        Assert.Equal(ImageFormat.Raw, Inspected.Bytes(VdiCases.Valid().Byte(64, 0).ToArray()).Format);
    }

    [Fact]
    public void A_header_survives_being_written_and_read()
    {
        var header = new VdiHeader
        {
            Text = "<<< ImageUtils >>>\n",
            ImageType = VdiImageType.Static,
            ImageFlags = 1,
            Description = "Beschreibung",
            BlockMapOffset = 512,
            DataOffset = 1024,
            Cylinders = 2,
            Heads = 3,
            Sectors = 4,
            DiskSize = 5,
            BlockSize = 6,
            BlockExtra = 7,
            BlocksInImage = 8,
            BlocksAllocated = 9,
            ImageId = Guid.NewGuid(),
            ModificationId = Guid.NewGuid(),
            ParentId = Guid.NewGuid(),
            ParentModificationId = Guid.NewGuid(),
        };
        var bytes = new byte[VdiHeader.Length];
        header.Write(bytes);
        Assert.Equal(header, VdiHeader.Parse(bytes));
    }

    [SkippableFact]
    public void What_qemu_img_writes_is_written_the_same()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = directory["disk.vdi"];
        Tool.Run("qemu-img", "create", "-q", "-f", "vdi", path, "100M");
        var bytes = File.ReadAllBytes(path)[..VdiHeader.Length];
        var written = new byte[VdiHeader.Length];
        VdiHeader.Parse(bytes).Write(written);
        Assert.Equal(bytes, written);
    }

    private static ImageInspection AssertAgrees(string path)
    {
        var inspection = ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult();
        Assert.True(inspection.IsSafe, string.Join("\n", inspection.Failures));
        Assert.Equal(ImageFormat.Vdi, inspection.Format);
        Inspected.Bytes(File.ReadAllBytes(path));
        var info = JsonDocument.Parse(Tool.Run("qemu-img", "info", "--output=json", "-f", "vdi", path)).RootElement;
        Assert.Equal(info.GetProperty("virtual-size").GetInt64(), inspection.VirtualSize);
        Assert.Equal(info.GetProperty("cluster-size").GetInt64(), inspection.ClusterSize);
        return inspection;
    }
}
