using ImageUtils.Builders;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>The native inspector and the real qemu-img say the same of an image, in the same shape.</summary>
public sealed class QemuImageInfoTests
{
    [SkippableTheory]
    [InlineData("base.qcow2", "qcow2")]
    [InlineData("./base.qcow2", "qcow2")]
    [InlineData("sub/../base.qcow2", "qcow2")]
    [InlineData("DIRECTORY/base.qcow2", "qcow2")]
    [InlineData("file:DIRECTORY/base.qcow2", "raw")]
    [InlineData("nbd://localhost/x", "raw")]
    [InlineData("json:{\"driver\":\"qcow2\",\"file.filename\":\"DIRECTORY/base.qcow2\"}", "qcow2")]
    public void A_backing_file_is_named_as_qemu_img_does(string backing, string format)
    {
        using var image = new Qcow2OfQemu("IMAGE", "1M");
        Directory.CreateDirectory(image.In("sub"));
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", image.In("base.qcow2"), "1M");
        backing = backing.Replace("DIRECTORY", image.In(""), StringComparison.Ordinal);
        Tool.Run("qemu-img", "rebase", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", format, image.Path);
        Assert.Equal(backing, AssertSame(image.Path).BackingFile);
    }

    [SkippableTheory]
    [InlineData("/")]
    [InlineData("base")]
    [InlineData("./a:b")]
    [InlineData("")]
    public void A_backing_file_without_its_format_is_named_as_qemu_img_does(string backing)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var image = new TemporaryFile(Qcow2Cases.WithBacking(backing).ToArray());
        AssertSame(image.Path);
    }

    [SkippableTheory]
    [InlineData("off")]
    [InlineData("on")]
    public void A_data_file_is_named_as_qemu_img_does(string raw)
    {
        using var image = new Qcow2OfQemu("-o", $"data_file=data.raw,data_file_raw={raw}", "IMAGE", "1M");
        var details = Assert.IsType<Qcow2Details>(AssertSame(image.Path).FormatSpecific);
        Assert.Equal(("data.raw", raw == "on"), (details.DataFile, details.DataFileRaw));
    }

    [SkippableTheory]
    [InlineData("1.1")]
    [InlineData("0.10")]
    public void Snapshots_are_listed_as_qemu_img_does(string compat)
    {
        using var image = new Qcow2OfQemu("-o", $"compat={compat},cluster_size=4k", "IMAGE", "1M");
        string[] names = ["one", "two words", "ünïcode ☃", new('x', 200), "5 MiB"];
        foreach (var name in names)
        {
            Tool.Run("qemu-img", "snapshot", "-c", name, image.Path);
        }

        var info = AssertSame(image.Path);
        Assert.Equal(names, info.Snapshots.Select(snapshot => snapshot.Name));
        Assert.All(info.Snapshots, snapshot => Assert.Equal(1L << 20, snapshot.DiskSize));
    }

    [SkippableTheory]
    [InlineData(24, 0x1234_5678_9ABCul, 77ul)]
    [InlineData(24, 0x1234_5678_9ABCul, ulong.MaxValue)]
    [InlineData(16, 1ul, 0ul)]
    [InlineData(8, 0x1_0000_0000ul, 0ul)]
    [InlineData(0, 0ul, 0ul)]
    public void A_snapshot_of_a_running_guest_is_listed_as_qemu_img_does(
        uint extraLength, ulong stateSize, ulong icount)
    {
        const int Table = 4 * 65536;
        var built = Qcow2Cases.Valid().Resize(Table + 4096).Big32(60, 1).Big64(64, Table)
            .Big64(Table, 3 * 65536).Big32(Table + 8, 1).Big16(Table + 12, 1).Big16(Table + 14, 4)
            .Big32(Table + 16, 1_700_000_000).Big32(Table + 20, 123_456_789)
            .Big64(Table + 24, 987_654_321_987_654_321).Big32(Table + 32, 4711).Big32(Table + 36, extraLength);
        if (extraLength >= 8)
        {
            built.Big64(Table + 40, stateSize);
        }

        if (extraLength >= 16)
        {
            built.Big64(Table + 48, 64 << 20);
        }

        if (extraLength >= 24)
        {
            built.Big64(Table + 56, icount);
        }

        built.Text(Table + 40 + (int)extraLength, "7tag!");
        using var image = new TemporaryFile(built.ToArray());
        Tool.Require("qemu-img", "qemu-utils");
        Assert.Equal("tag!", Assert.Single(AssertSame(image.Path).Snapshots).Name);
    }

    [SkippableFact]
    public void Bitmaps_are_listed_as_qemu_img_does()
    {
        using var image = new Qcow2OfQemu("IMAGE", "64M");
        Tool.Run("qemu-img", "bitmap", "--add", image.Path, "auto");
        Tool.Run("qemu-img", "bitmap", "--add", "--disable", "-g", "512", image.Path, "disabled and fine");
        Tool.Run("qemu-img", "bitmap", "--add", "-g", "64M", image.Path, "coarse");
        var details = Assert.IsType<Qcow2Details>(AssertSame(image.Path).FormatSpecific);
        Assert.Equal(3, details.Bitmaps.Count);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_dirty_or_corrupt_qcow2_is_described_as_qemu_img_does(byte features)
    {
        using var image = new TemporaryFile(Qcow2Cases.Valid().Byte(79, features).ToArray());
        Tool.Require("qemu-img", "qemu-utils");
        Assert.Equal(features == 1, AssertSame(image.Path).IsDirty);
    }

    [SkippableFact]
    public void A_raw_file_that_ends_within_a_sector_is_shown_whole()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var image = new TemporaryFile(new byte[513]);
        Assert.Equal(1024, AssertSame(image.Path, "raw").VirtualSize);
    }

    [Theory]
    [InlineData(ImageFormat.Iso, "raw")]
    [InlineData(ImageFormat.Gpt, "raw")]
    [InlineData(ImageFormat.Vhd, "vpc")]
    [InlineData(ImageFormat.Gzip, "gzip")]
    [InlineData(ImageFormat.Luks, "luks")]
    public void What_was_found_stays_beside_what_qemu_calls_it(ImageFormat format, string name)
    {
        var info = QemuImageInfo.FromInspection("a", new ImageInspection { Format = format });
        Assert.Equal((format, name, InfoEngine.Native), (info.Format, info.FormatName, info.Engine));
        Assert.Equal(format == ImageFormat.Luks ? ImageFormat.Raw : null, info.TreatAs);
    }

    private static QemuImageInfo AssertSame(string path, string driver = "qcow2") =>
        QemuAgreement.AssertSame(path, driver);

    private sealed class Qcow2OfQemu : IDisposable
    {
        private readonly TemporaryDirectory _directory = new();

        public Qcow2OfQemu(params string[] arguments)
        {
            Tool.Require("qemu-img", "qemu-utils");
            Tool.Run("qemu-img", [
                "create", "-q", "-f", "qcow2",
                .. arguments.Select(argument => argument == "IMAGE" ? Path : argument)]);
        }

        public string Path => _directory["image.qcow2"];

        public string In(string name) => _directory[name];

        public void Dispose() => _directory.Dispose();
    }
}
