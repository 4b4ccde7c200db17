using System.Text.Json;
using ImageUtils.Builders;
using ImageUtils.Formats.Dmg;
using ImageUtils.Formats.Ova;
using ImageUtils.Formats.Parallels;
using ImageUtils.Formats.Qcow;
using ImageUtils.Formats.Qed;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

/// <summary>The formats that are recognised and described, and most of them refused.</summary>
public sealed class OlderFormatsTests
{
    public static TheoryData<string, string, string[]> Creations => new()
    {
        { "qcow", "10M", [] },
        { "qcow", "1234567", [] },
        { "qcow", "300G", [] },
        { "qcow", "10M", ["encrypt.format=aes", "encrypt.key-secret=secret"] },
        { "qcow", "10M", ["backing_file=base", "backing_fmt=raw"] },
        { "qed", "10M", [] },
        { "qed", "10M", ["cluster_size=4096", "table_size=16"] },
        { "qed", "300G", [] },
        { "qed", "10M", ["backing_file=base", "backing_fmt=raw"] },
        { "parallels", "10M", [] },
        { "parallels", "1234944", ["cluster_size=65536"] },
        { "parallels", "4T", [] },
    };

    [SkippableTheory]
    [MemberData(nameof(Creations))]
    public void What_qemu_img_creates_is_refused_for_its_format_alone(string format, string size, string[] more)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        File.WriteAllBytes(directory["base"], new byte[10 << 20]);
        var path = directory["disk"];
        var arguments = new List<object> { "create", "-q", "-f", format };
        if (more.Length > 0)
        {
            arguments.AddRange(["--object", "secret,id=secret,data=abc", "-o", string.Join(',', more)]);
        }

        Tool.Run("qemu-img", [.. arguments, path, size]);
        var options = new InspectionOptions
        {
            Policy = SafetyPolicy.Default with { BackingFileDirectories = [directory.Path] },
        };
        var inspection = ImageInspector.InspectFileAsync(path, options).AsTask().GetAwaiter().GetResult();
        string[] refusal = format switch { "qcow" => ["unknown_features"], "qed" => ["banned"], _ => [] };
        Assert.Equal(refusal, inspection.Failures.Select(check => check.Name));
        if (inspection.FileSize < 2 << 20)
        {
            Inspected.Bytes(File.ReadAllBytes(path));
        }
    }

    [SkippableTheory]
    [InlineData("qcow")]
    [InlineData("qed")]
    [InlineData("parallels")]
    public void What_qemu_img_converts_has_sound_tables_and_cut_short_it_has_not(string format)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var random = new byte[3 << 20];
        new Random(1).NextBytes(random);
        File.WriteAllBytes(directory["raw"], random);
        var path = directory["disk"];
        Tool.Run("qemu-img", "convert", "-f", "raw", "-O", format, directory["raw"], path);
        var bytes = File.ReadAllBytes(path);
        var whole = Inspected.Bytes(bytes);
        Assert.DoesNotContain(whole.Failures, check => check.Name is "tables" or "truncated");
        var cut = Inspected.Bytes(bytes[..(format == "parallels" ? 2 << 20 : 64)]);
        Assert.Contains(cut.Failures, check => check.Name is "tables" or "truncated");
    }

    [Fact]
    public void Qcow_has_its_encryption_described()
    {
        var inspection = Inspected.Bytes(QcowCases.Valid().Big32(36, 1).ToArray());
        Assert.Equal(new QcowDetails("aes"), inspection.Details);
        Assert.True(inspection.IsEncrypted);
        Assert.Equal("1", inspection.FormatVersion);
    }

    [Fact]
    public void Qed_has_its_features_described()
    {
        var inspection = Inspected.Bytes(QedCases.WithBacking("base.raw").Little64(16, 7).ToArray());
        Assert.Equal("base.raw", inspection.BackingFile);
        Assert.Equal("raw", inspection.BackingFormat);
        Assert.Equal(["backing file", "need check", "backing format no probe"], inspection.Features);
        Assert.True(inspection.IsDirty);
        Assert.Equal(new QedDetails(4096, 4096), inspection.Details);
    }

    [Fact]
    public void Parallels_has_its_magic_and_flags_described()
    {
        var extended = Inspected.Bytes(ParallelsCases.Valid().Little32(44, 0x746F6E59).Little32(52, 1).ToArray());
        Assert.Equal("WithouFreSpacExt", extended.Subformat);
        Assert.Equal(8192, extended.VirtualSize);
        Assert.Equal(4096, extended.ClusterSize);
        Assert.True(extended.IsDirty);
        Assert.Equal(["empty image"], extended.Features);
        Assert.Equal(new ParallelsDetails(16, 1, 4096, false), extended.Details);

        var old = Inspected.Bytes(ParallelsCases.ValidOld().Little32(40, 7).ToArray());
        Assert.Equal("WithoutFreeSpace", old.Subformat);
        Assert.Equal(8192, old.VirtualSize);
        Assert.False(old.IsDirty);
    }

    [SkippableTheory]
    [InlineData("dmg")]
    [InlineData("bochs")]
    [InlineData("cloop")]
    public void The_virtual_size_is_the_one_that_qemu_img_finds(string format)
    {
        Tool.Require("qemu-img", "qemu-utils");
        var image = format switch { "dmg" => DmgCases.Valid(), "bochs" => BochsCases.Valid(), _ => CloopCases.Valid() };
        using var file = new TemporaryFile(image.ToArray());
        var info = JsonDocument.Parse(Tool.Run("qemu-img", "info", "--output=json", "-f", format, file.Path))
            .RootElement;
        var inspection = Inspected.Bytes(image.ToArray());
        Assert.Equal(format, inspection.Format.ToQemuName());
        Assert.Equal(info.GetProperty("virtual-size").GetInt64(), inspection.VirtualSize);
    }

    [Fact]
    public void Bochs_versions_have_the_size_in_different_places()
    {
        var first = Inspected.Bytes(BochsCases.Valid().Little32(64, 0x10000).Little64(84, 4 << 20).ToArray());
        Assert.Equal(("1.0", 4L << 20), (first.FormatVersion, first.VirtualSize!.Value));
        var second = Inspected.Bytes(BochsCases.Valid().ToArray());
        Assert.Equal(("2.0", 1L << 20, "growing"), (second.FormatVersion, second.VirtualSize!.Value, second.Subformat));
    }

    [Fact]
    public void A_dmg_in_segments_says_which_it_is()
    {
        var inspection = Inspected.Bytes(DmgCases.Valid().Big32(8192 + 56, 2).Big32(8192 + 60, 3).ToArray());
        Assert.Equal(new DmgDetails(2, 3, 1), inspection.Details);
    }

    [Fact]
    public void An_appliance_lists_its_first_members()
    {
        var details = (OvaDetails)Inspected.Bytes(OvaCases.Archive("a.mf", "b.ovf", "c.vmdk").ToArray()).Details!;
        Assert.Equal("b.ovf", details.Descriptor);
        Assert.Equal(["a.mf", "b.ovf"], details.Entries);
    }

    [SkippableFact]
    public void What_tar_writes_is_an_appliance()
    {
        Tool.Require("tar", "tar");
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["box.ovf"], "<Envelope/>");
        File.WriteAllBytes(directory["box-disk1.vmdk"], VmdkCases.ValidStream().ToArray());
        foreach (var style in new[] { "ustar", "gnu", "pax" })
        {
            var path = directory[$"{style}.ova"];
            Tool.Run("tar", $"--format={style}", "-C", directory.Path, "-cf", path, "box.ovf", "box-disk1.vmdk");
            var inspection = Inspected.Bytes(File.ReadAllBytes(path));
            Assert.Equal(ImageFormat.Ova, inspection.Format);
            Assert.True(inspection.IsSafe, string.Join("\n", inspection.Failures));
        }
    }
}
