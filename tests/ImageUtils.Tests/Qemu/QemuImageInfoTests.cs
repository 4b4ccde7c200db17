using ImageUtils.Builders;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>The native inspector and the real qemu-img say the same of an image, in the same shape.</summary>
public sealed class QemuImageInfoTests
{
    private static readonly string[] s_secret = ["--object", "secret,id=s,data=abc"];

    public static TheoryData<string, string> Qcow2Options => new()
    {
        { "compat=0.10", "64M" },
        { "compat=1.1", "64M" },
        { "cluster_size=512", "10M" },
        { "cluster_size=1k", "10M" },
        { "cluster_size=2k", "10M" },
        { "cluster_size=4k", "10M" },
        { "cluster_size=8k", "10M" },
        { "cluster_size=16k", "10M" },
        { "cluster_size=32k", "10M" },
        { "cluster_size=64k", "10M" },
        { "cluster_size=128k", "10M" },
        { "cluster_size=256k", "10M" },
        { "cluster_size=512k", "10M" },
        { "cluster_size=1M", "10M" },
        { "cluster_size=2M", "10M" },
        { "compat=0.10,cluster_size=512", "10M" },
        { "compat=0.10,cluster_size=2M", "10M" },
        { "refcount_bits=1", "64M" },
        { "refcount_bits=2", "64M" },
        { "refcount_bits=4", "64M" },
        { "refcount_bits=8", "64M" },
        { "refcount_bits=16", "64M" },
        { "refcount_bits=32", "64M" },
        { "refcount_bits=64", "64M" },
        { "compression_type=zlib", "64M" },
        { "compression_type=zstd", "64M" },
        { "lazy_refcounts=on", "64M" },
        { "extended_l2=on", "64M" },
        { "extended_l2=on,cluster_size=16k", "64M" },
        { "extended_l2=on,cluster_size=2M,compression_type=zstd", "64M" },
        { "preallocation=off", "1M" },
        { "preallocation=metadata", "64M" },
        { "preallocation=falloc", "1M" },
        { "preallocation=full", "1M" },
        { "cluster_size=64k", "0" },
        { "cluster_size=64k", "1" },
        { "cluster_size=64k", "513" },
        { "cluster_size=64k", "1000000007" },
        { "cluster_size=64k", "20T" },
        { "cluster_size=2M,refcount_bits=64,lazy_refcounts=on,compression_type=zstd", "1P" },
    };

    [SkippableTheory]
    [MemberData(nameof(Qcow2Options))]
    public void A_qcow2_with_any_option_is_described_as_qemu_img_does(string options, string size)
    {
        using var image = new Qcow2OfQemu("-o", options, "IMAGE", size);
        AssertSame(image.Path);
    }

    [SkippableTheory]
    [InlineData("encrypt.format=aes,encrypt.key-secret=s", "aes")]
    [InlineData("encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10", "luks")]
    [InlineData("compat=0.10,encryption=on,encrypt.key-secret=s", "aes")]
    public void An_encrypted_qcow2_is_described_as_qemu_img_does(string options, string format)
    {
        using var image = new Qcow2OfQemu([.. s_secret, "-o", options, "IMAGE", "1M"]);
        var details = Assert.IsType<Qcow2Details>(AssertSame(image.Path).FormatSpecific);
        Assert.Equal(format, details.EncryptionFormat);
    }

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
        var details = Assert.IsType<Qcow2Details>(AssertSame(image.Path, hasDataFile: true).FormatSpecific);
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

    private static QemuImageInfo AssertSame(string path, string driver = "qcow2", bool hasDataFile = false)
    {
        var inspection = ImageInspector.InspectFileAsync(path).AsTask().GetAwaiter().GetResult();
        var native = QemuImageInfo.FromInspection(path, inspection);
        var qemu = Assert.Single(QemuInfoOutput.Parse(
            Tool.Run("qemu-img", "info", "-U", "-f", driver, "--output=json", path)));
        Assert.Empty(qemu.Notes);
        Assert.Equal(ToComparable(qemu, hasDataFile), ToComparable(native, hasDataFile));

        // And so does its human text, as far as it goes: three digits of sizes, seconds of dates.
        var text = Assert.Single(QemuInfoOutput.Parse(Tool.Run("qemu-img", "info", "-U", "-f", driver, path)));
        Assert.Empty(text.Notes);
        Assert.Equal(ToCoarse(qemu), ToCoarse(text));
        return native;
    }

    private static string ToComparable(QemuImageInfo info, bool hasDataFile) => string.Join('\n',
        info.FileName, info.Format, info.FormatName, info.TreatAs, info.VirtualSize, info.ClusterSize,
        hasDataFile ? "of both files" : info.ActualSize, info.IsEncrypted, info.IsDirty,
        info.BackingFile, info.FullBackingFile, info.BackingFormat, ToText(info.FormatSpecific),
        string.Join('\n', info.Snapshots.Select(snapshot => snapshot with { DiskSize = null })));

    private static string ToCoarse(QemuImageInfo info) => string.Join('\n',
        info.FileName, info.Format, info.FormatName, info.VirtualSize, info.ClusterSize, info.IsEncrypted, info.IsDirty,
        info.BackingFile, info.FullBackingFile, info.BackingFormat, ToText(info.FormatSpecific),
        string.Join('\n', info.Snapshots.Select(snapshot => snapshot with
        {
            VmStateSize = 0,
            Date = DateTimeOffset.FromUnixTimeSeconds(snapshot.Date.ToUnixTimeSeconds()),
            VmClock = TimeSpan.FromMilliseconds((long)snapshot.VmClock.TotalMilliseconds),
        })));

    // The header of the encryption inside is described by qemu-img alone.
    private static string ToText(FormatDetails? details) => details is Qcow2Details qcow2
        ? $"{qcow2 with { Bitmaps = [], Encryption = null }}\n{string.Join('\n', qcow2.Bitmaps)}"
        : $"{details}";

    private sealed class Qcow2OfQemu : IDisposable
    {
        private readonly TemporaryDirectory _directory = new();

        public Qcow2OfQemu(params string[] arguments)
        {
            Tool.Require("qemu-img", "qemu-utils");
            for (var attempt = 1; ; attempt++)
            {
                try
                {
                    Tool.Run("qemu-img", [
                        "create", "-q", "-f", "qcow2",
                        .. arguments.Select(argument => argument == "IMAGE" ? Path : argument)]);
                    return;
                }
                catch (InvalidOperationException exception)
                    when (attempt < 10 && exception.Message.Contains("accurate CPU usage", StringComparison.Ordinal))
                {
                    // qemu measures its key derivation, in vain where it was too quick to be measured.
                }
            }
        }

        public string Path => _directory["image.qcow2"];

        public string In(string name) => _directory[name];

        public void Dispose() => _directory.Dispose();
    }
}
