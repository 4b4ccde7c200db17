using ImageUtils.Errors;
using ImageUtils.Formats.Luks;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Qemu;

namespace ImageUtils.Tests.Qemu;

public sealed class QemuInfoJsonParserTests
{
    private const string SnapshotStart = "{\"filename\": \"a\", \"snapshots\": [{\"id\": \"1\", \"name\": \"n\", ";

    [Fact]
    public void An_object_is_read_field_by_field()
    {
        var info = Assert.Single(QemuInfoOutput.Parse("""
            {
                "backing-filename-format": "raw",
                "snapshots": [
                    {"icount": 42, "vm-clock-nsec": 250000000, "name": "before upgrade", "date-sec": 1700000000,
                     "date-nsec": 500000000, "vm-clock-sec": 3723, "id": "1", "vm-state-size": 1048576}
                ],
                "virtual-size": 41126400, "filename": "vm.img", "cluster-size": 65536, "format": "qcow2",
                "actual-size": 13168640, "full-backing-filename": "/srv/base.img", "backing-filename": "base.img",
                "format-specific": {"type": "qcow2", "data": {
                    "compat": "1.1", "compression-type": "zstd", "lazy-refcounts": true, "refcount-bits": 8,
                    "corrupt": true, "extended-l2": true, "data-file": "d.raw", "data-file-raw": true,
                    "encrypt": {"format": "aes"},
                    "bitmaps": [{"flags": ["in-use", "auto"], "name": "b", "granularity": 4096}]}},
                "encrypted": true, "dirty-flag": true
            }
            """));
        Assert.Equal("vm.img", info.FileName);
        Assert.Equal(ImageFormat.Qcow2, info.Format);
        Assert.Equal("qcow2", info.FormatName);
        Assert.Equal((41126400, 13168640, 65536), (info.VirtualSize, info.ActualSize, info.ClusterSize));
        Assert.True(info.IsEncrypted && info.IsDirty);
        Assert.Equal(
            ("base.img", "/srv/base.img", "raw"), (info.BackingFile, info.FullBackingFile, info.BackingFormat));
        Assert.Equal(InfoEngine.Parsed, info.Engine);
        Assert.Null(info.TreatAs);
        Assert.Empty(info.Notes);

        var snapshot = Assert.Single(info.Snapshots);
        Assert.Equal(
            ("1", "before upgrade", 1048576, 42L),
            (snapshot.Id, snapshot.Name, snapshot.VmStateSize, snapshot.Icount));
        Assert.Equal(DateTimeOffset.FromUnixTimeMilliseconds(1700000000500), snapshot.Date);
        Assert.Equal(new TimeSpan(0, 1, 2, 3, 250), snapshot.VmClock);

        var details = Assert.IsType<Qcow2Details>(info.FormatSpecific);
        Assert.Equal(("1.1", "zstd", 8), (details.Compat, details.CompressionType, details.RefcountBits));
        Assert.True(details is { LazyRefcounts: true, Corrupt: true, ExtendedL2: true, DataFileRaw: true });
        Assert.Equal(("d.raw", "aes"), (details.DataFile, details.EncryptionFormat));
        Assert.Null(details.Encryption);
        Assert.Equal([new Qcow2Bitmap("b", 4096, InUse: true, Auto: true)], details.Bitmaps);
    }

    [Fact]
    public void What_there_is_no_property_for_is_noted()
    {
        var info = Assert.Single(QemuInfoOutput.Parse("""
            qemu-img: warning: something
            {"filename": "a", "format": "qcow2", "virtual-size": 1, "children": [{"name": "file"}],
             "format-specific": {"type": "qcow2", "data": {"compat": "1.1", "refcount-bits": 16, "newer": [1, true]}}}
            """));
        Assert.Equal(
            ["qemu-img: warning: something", "children: [{name: file}]", "format-specific newer: [1, true]"],
            info.Notes);
    }

    [Fact]
    public void Another_formats_details_are_kept_as_plain_values()
    {
        var info = Assert.Single(QemuInfoJsonParser.Parse("""
            {"filename": "a", "format": "vmdk", "virtual-size": 1, "format-specific": {"type": "vmdk", "data":
             {"cid": 4294967295, "compressed": false, "ratio": 0.5, "none": null,
              "extents": [{"filename": "a.vmdk", "format": ""}]}}}
            """));
        var details = Assert.IsType<QemuFormatDetails>(info.FormatSpecific);
        Assert.Equal("vmdk", details.Type);
        Assert.Equal(4294967295L, details.Data["cid"]);
        Assert.Equal(false, details.Data["compressed"]);
        Assert.Equal(0.5, details.Data["ratio"]);
        Assert.Null(details.Data["none"]);
        var extent = Assert.IsType<Dictionary<string, object?>>(Assert.Single((List<object?>)details.Data["extents"]!));
        Assert.Equal("a.vmdk", extent["filename"]);
    }

    [Fact]
    public void Vmdk_details_are_those_of_the_format()
    {
        var info = Assert.Single(QemuInfoJsonParser.Parse("""
            {"filename": "a", "format": "vmdk", "virtual-size": 1, "format-specific": {"type": "vmdk", "data":
             {"cid": 4294967295, "parent-cid": 7, "create-type": "streamOptimized", "newer": 1, "extents":
              [{"filename": "/a.vmdk", "format": "", "compressed": true, "virtual-size": 5, "cluster-size": 65536}]}}}
            """));
        var details = Assert.IsType<VmdkDetails>(info.FormatSpecific);
        Assert.Equal(
            ("streamOptimized", uint.MaxValue, 7u),
            (details.CreateType, details.ContentId!.Value, details.ParentContentId!.Value));
        Assert.Equal([new VmdkExtent(null, null, "/a.vmdk", 5, null, 65536, true)], details.Extents);
        Assert.Null(details.IsEmbedded);
        Assert.Equal(["format-specific newer: 1"], info.Notes);
    }

    [Theory]
    [InlineData("", 64, "xts")]
    [InlineData("\"detached-header\": false,", 32, "cbc", "format-specific detached-header: false")]
    public void Luks_details_are_those_of_the_format(string more, long keyBytes, string mode, params string[] notes)
    {
        var info = Assert.Single(QemuInfoJsonParser.Parse(Luks($"{more}\"cipher-alg\": \"aes-256\"", mode)));
        var details = Assert.IsType<LuksDetails>(info.FormatSpecific);
        Assert.Equal(
            (1, "aes-256", mode, keyBytes, 7L, 4096L),
            (details.Version, details.CipherAlgorithm, details.CipherMode, details.MasterKeyBytes,
                details.MasterKeyIterations, details.PayloadOffset));
        Assert.Equal(
            [new(0, true, 1, 4000, "pbkdf2", 9), new LuksSlotDetails(1, false, 2, null, "pbkdf2", null)],
            details.Slots);
        Assert.Equal(notes, info.Notes);
    }

    [Theory]
    [InlineData("\"x\": 1")]
    [InlineData("\"cipher-alg\": \"aes\"")]
    [InlineData("\"cipher-alg\": \"aes-255\"")]
    public void Luks_details_of_an_unknown_shape_are_kept_whole(string cipher)
    {
        var info = Assert.Single(QemuInfoJsonParser.Parse(Luks(cipher, "xts")));
        Assert.Equal("u", Assert.IsType<QemuFormatDetails>(info.FormatSpecific).Data["uuid"]);
        Assert.Empty(info.Notes);
    }

    [Fact]
    public void Qcow2_details_of_an_unknown_shape_are_kept_whole()
    {
        var info = Assert.Single(QemuInfoJsonParser.Parse("""
            {"filename": "a", "format": "qcow2", "format-specific": {"type": "qcow2", "data": {"foo": "bar"}}}
            """));
        Assert.Equal("bar", Assert.IsType<QemuFormatDetails>(info.FormatSpecific).Data["foo"]);
    }

    [Fact]
    public void A_luks_volume_is_treated_as_raw()
    {
        var info = Assert.Single(QemuInfoJsonParser.Parse("""{"filename": "a", "format": "luks"}"""));
        Assert.Equal((ImageFormat.Luks, "luks", ImageFormat.Raw), (info.Format, info.FormatName, info.TreatAs));
    }

    [Fact]
    public void A_driver_that_is_no_format_of_ours_keeps_its_name()
    {
        var info = Assert.Single(QemuInfoJsonParser.Parse("""{"filename": "rbd:pool/a", "format": "host_device"}"""));
        Assert.Equal((ImageFormat.Unknown, "host_device"), (info.Format, info.FormatName));
    }

    [Fact]
    public void An_array_and_objects_in_a_row_are_several_images()
    {
        var infos = QemuInfoOutput.Parse(
            "\uFEFF[{\"filename\":\"top\"},{\"filename\":\"base\"}]\r\n{\"filename\":\"other\"}\r\n");
        Assert.Equal(["top", "base", "other"], infos.Select(info => info.FileName));
    }

    [Theory]
    [InlineData("{}", "nothing in it")]
    [InlineData("[]", "no image")]
    [InlineData("[1]", "1")]
    [InlineData("{\"image-end-offset\": 1, \"total-clusters\": 2}", "'image-end-offset', 'total-clusters'")]
    [InlineData("{\"filename\": \"a\", \"virtual-size\": \"64M\"}", "virtual-size")]
    [InlineData("{\"filename\": \"a\", \"virtual-size\": -1}", "virtual-size")]
    [InlineData("{\"filename\": \"a\", \"virtual-size\": 9223372036854775808}", "virtual-size")]
    [InlineData("{\"filename\": 5}", "filename")]
    [InlineData("{\"filename\": \"a\", \"encrypted\": 1}", "encrypted")]
    [InlineData("{\"filename\": \"a\", \"snapshots\": [1]}", "snapshots")]
    [InlineData("{\"filename\": \"a\", \"snapshots\": [{\"id\": \"1\"}]}", "'name'")]
    [InlineData(SnapshotStart + "\"date-sec\": 1e18}]}", "date-sec")]
    [InlineData(SnapshotStart + "\"vm-clock-sec\": 922337203685477580}]}", "vm-clock-sec")]
    [InlineData("{\"filename\": \"a\", ", "saved whole")]
    [InlineData("{\"filename\": \"\\ud800\"}", "sound JSON")]
    public void What_is_not_its_json_is_refused_with_a_reason(string json, string reason)
    {
        var error = Assert.Throws<QemuOutputException>(() => QemuInfoOutput.Parse(json));
        Assert.Equal("QemuOutputNotUnderstood", error.ErrorId);
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Depth_and_length_are_bounded()
    {
        var deep = $"{{\"filename\": \"a\", \"x\": {new string('[', 5000)}{new string(']', 5000)}}}";
        Assert.Throws<QemuOutputException>(() => QemuInfoJsonParser.Parse(deep));
        var tooLong = new string(' ', QemuInfoOutput.MaximumLength + 1);
        Assert.Throws<QemuOutputException>(() => QemuInfoJsonParser.Parse(tooLong));
        Assert.Throws<QemuOutputException>(() => QemuInfoTextParser.Parse(tooLong));
        Assert.Throws<QemuOutputException>(() => QemuInfoOutput.Parse(tooLong));
    }

    private static string Luks(string cipher, string mode) => $$"""
        {"filename": "a", "format": "luks", "format-specific": {"type": "luks", "data": { {{cipher}},
         "cipher-mode": "{{mode}}", "ivgen-alg": "plain64", "hash-alg": "sha256", "uuid": "u", "payload-offset": 4096,
         "master-key-iters": 7, "slots": [{"active": true, "key-offset": 1, "stripes": 4000, "iters": 9},
          {"active": false, "key-offset": 2}]
        } } }
        """;
}
