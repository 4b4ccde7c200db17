using System.Text;
using System.Text.Json;
using ImageUtils.Builders;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Formats;

public sealed class VmdkTests
{
    private static readonly InspectionOptions s_anyType = new()
    {
        Policy = SafetyPolicy.Default with
        {
            AllowedVmdkTypes =
            [
                "monolithicSparse", "streamOptimized", "monolithicFlat", "twoGbMaxExtentSparse", "twoGbMaxExtentFlat",
            ],
        },
    };

    public static TheoryData<string, string[]> Creations => new()
    {
        { "monolithicSparse", [] },
        { "monolithicSparse", ["zeroed_grain=on"] },
        { "monolithicSparse", ["compat6=on", "adapter_type=lsilogic"] },
        { "monolithicSparse", ["hwversion=8", "adapter_type=buslogic", "toolsversion=12345"] },
        { "monolithicFlat", [] },
        { "twoGbMaxExtentSparse", [] },
        { "twoGbMaxExtentFlat", [] },
        { "streamOptimized", [] },
    };

    [SkippableTheory]
    [MemberData(nameof(Creations))]
    public void What_qemu_img_creates_is_described_as_it_does(string subformat, string[] more)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var path = directory["disk.vmdk"];
        Tool.Run(
            "qemu-img", "create", "-q", "-f", "vmdk", "-o", string.Join(',', more.Prepend($"subformat={subformat}")),
            path, "2200M");
        AssertAgrees(path, s_anyType with
        {
            Policy = s_anyType.Policy with { DataFileDirectories = [directory.Path] },
        });
    }

    [SkippableTheory]
    [InlineData("monolithicSparse")]
    [InlineData("streamOptimized")]
    public void What_qemu_img_converts_is_safe_and_cut_short_it_is_not(string subformat)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var random = new byte[1954 * 512];
        new Random(1).NextBytes(random);
        File.WriteAllBytes(directory["disk.raw"], random);
        var path = directory["disk.vmdk"];
        Tool.Run(
            "qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o", $"subformat={subformat}",
            directory["disk.raw"], path);
        AssertAgrees(path);

        var bytes = File.ReadAllBytes(path);
        var cut = Inspected.Bytes(bytes[..(bytes.Length - 128 * 1024)]);
        Assert.Equal(["truncated"], cut.Failures.Select(check => check.Name));
    }

    [SkippableFact]
    public void A_backing_file_made_by_qemu_img_is_a_parent()
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var directory = new TemporaryDirectory();
        var (parent, child) = (directory["base.vmdk"], directory["child.vmdk"]);
        Tool.Run("qemu-img", "create", "-q", "-f", "vmdk", parent, "10M");
        Tool.Run("qemu-img", "create", "-q", "-f", "vmdk", "-b", parent, "-F", "vmdk", child);
        var inspection = Inspected.Bytes(File.ReadAllBytes(child));
        Assert.Equal(["parent"], inspection.Failures.Select(check => check.Name));
        AssertAgrees(child, new InspectionOptions
        {
            Policy = SafetyPolicy.Default with { BackingFileDirectories = [directory.Path] },
        });
    }

    [Theory]
    [InlineData("FLAT", "disk-flat.vmdk", 63L)]
    [InlineData("SPARSE", "disk s001.vmdk", null)]
    [InlineData("ZERO", null, null)]
    [InlineData("VMFSRDM", "disk-rdm.vmdk", null)]
    public void Extents_are_described_as_written(string type, string? name, long? offset)
    {
        var line = new VmdkExtentLine("RDONLY", 4096, type, name, offset);
        Assert.Equal(line, VmdkExtentLine.Parse(line.ToString()));
        var inspection = Inspected.Bytes(VmdkCases.TextFile(VmdkCases.Text("custom", line.ToString())).ToArray());
        var extent = Assert.Single(((VmdkDetails)inspection.Details!).Extents);
        Assert.Equal(new VmdkExtent("RDONLY", type, name, 4096 * 512, offset * 512, null, false), extent);
        Assert.Equal("custom", inspection.Subformat);
        Assert.Equal(4096 * 512, inspection.VirtualSize);
        Assert.Equal(name is null ? [] : [name], inspection.ExtentFiles);
    }

    [Fact]
    public void An_embedded_disk_is_its_own_extent()
    {
        var inspection = Inspected.Bytes(VmdkCases.ValidStream().ToArray());
        Assert.Equal("streamOptimized", inspection.Subformat);
        Assert.Equal("3", inspection.FormatVersion);
        Assert.Equal(1 << 20, inspection.VirtualSize);
        Assert.Equal(65536, inspection.ClusterSize);
        Assert.Equal("deflate", inspection.CompressionType);
        Assert.Equal(["newline detection", "compressed grains", "markers"], inspection.Features);
        Assert.Empty(inspection.ExtentFiles);
        var details = (VmdkDetails)inspection.Details!;
        Assert.True(details.IsEmbedded);
        Assert.Equal(0xFFFF_FFFE, details.ContentId);
        Assert.Equal("ide", details.AdapterType);
        Assert.Equal("4", details.HardwareVersion);
        var extent = Assert.Single(details.Extents);
        Assert.Equal(65536, extent.ClusterSize);
        Assert.True(extent.IsCompressed);
    }

    [Fact]
    public void An_empty_list_of_create_types_allows_no_vmdk()
    {
        var options = new InspectionOptions { Policy = SafetyPolicy.Default with { AllowedVmdkTypes = [] } };
        var inspection = Inspected.Bytes(VmdkCases.Valid().ToArray(), options);
        Assert.Equal(["descriptor"], inspection.Failures.Select(check => check.Name));
    }

    [Fact]
    public void Extents_in_an_allowed_directory_pass_and_those_beside_it_do_not()
    {
        using var directory = new TemporaryDirectory();
        var options = s_anyType with
        {
            Policy = s_anyType.Policy with { DataFileDirectories = [directory.Path] },
        };
        foreach (var (name, expected) in new[]
                 {
                     ($"{directory.Path}/a.vmdk", (string[])[]),
                     ("/etc/passwd", ["descriptor", "extents"]),
                     ($"{directory.Path}/../passwd", ["descriptor", "extents"]),
                     ("nbd:unix:socket", ["extents"]),
                 })
        {
            var image = VmdkCases.TextFile(VmdkCases.Text("monolithicFlat", $"RW 2048 FLAT \"{name}\" 0"));
            var failures = Inspected.Bytes(image.ToArray(), options).Failures.Select(check => check.Name);
            Assert.Equal(expected, failures);
        }
    }

    [Fact]
    public void A_forbidden_descriptor_cuts_a_download_off_within_its_first_sectors()
    {
        var inspector = new StreamInspector();
        inspector.Push(VmdkCases.WithDescriptor(VmdkCases.Text("monolithicFlat")).ToArray().AsSpan(0, 4096));
        Assert.True(inspector.IsRejected);
        Assert.Contains(inspector.Failures, check => check.Name == "descriptor");

        var sound = new StreamInspector();
        sound.Push(VmdkCases.Valid().ToArray().AsSpan(0, 4096));
        Assert.False(sound.IsRejected);
    }

    [Fact]
    public void An_unclean_shutdown_makes_it_dirty() =>
        Assert.True(Inspected.Bytes(VmdkCases.Valid().Byte(72, 1).ToArray()).IsDirty);

    [Theory]
    [InlineData("hello, world\n")]
    [InlineData("#!/bin/sh\necho version=1\n")]
    [InlineData("version=4\n")]
    [InlineData("\nversion=1\n")]
    [InlineData("version=1")]
    [InlineData("KDM")]
    public void Other_text_is_not_a_vmdk(string text) =>
        Assert.Equal(ImageFormat.Raw, Inspected.Bytes(Encoding.ASCII.GetBytes(text)).Format);

    [SkippableTheory]
    [InlineData("# a\n  \n#b\r\nversion=2\r\n")]
    [InlineData("version=3\n")]
    [InlineData("  \r\nversion=1\nrest")]
    [InlineData("   version=1\n")]
    [InlineData("# only a comment")]
    [InlineData("\tversion=1\n")]
    [InlineData("version=1 \n")]
    [InlineData("version=0\n")]
    public void What_qemu_takes_for_a_descriptor_we_do(string text)
    {
        Tool.Require("qemu-img", "qemu-utils");
        using var file = new TemporaryFile(Encoding.ASCII.GetBytes(text));
        string? found = null;
        try
        {
            found = JsonDocument.Parse(Tool.Run("qemu-img", "info", "--output=json", file.Path))
                .RootElement.GetProperty("format").GetString();
        }
        catch (InvalidOperationException)
        {
            // It was taken for a format whose driver then refused it.
        }

        Assert.Equal(
            found == "raw" ? ImageFormat.Raw : ImageFormat.Vmdk, Inspected.Bytes(File.ReadAllBytes(file.Path)).Format);
    }

    [Fact]
    public void Headers_survive_being_written_and_read()
    {
        var header = new VmdkSparseHeader
        {
            Version = 3,
            Flags = VmdkSparseFlags.Markers | VmdkSparseFlags.ZeroedGrains,
            CapacitySectors = 0x0102_0304_0506_0708,
            GrainSectors = 128,
            DescriptorSector = 1,
            DescriptorSectors = 20,
            EntriesPerGrainTable = 511,
            RedundantGrainDirectorySector = 21,
            GrainDirectorySector = 0x1122_3344_5566_7788,
            OverheadSectors = 0x99,
            IsUncleanShutdown = true,
            CompressAlgorithm = 1,
        };
        var bytes = new byte[512];
        header.Write(bytes);
        Assert.Equal(header, VmdkSparseHeader.Parse(bytes));

        var valid = VmdkCases.Valid().ToArray().AsSpan(0, 512);
        VmdkSparseHeader.Parse(valid).Write(bytes);
        Assert.True(valid.SequenceEqual(bytes));

        var cowd = new VmdkCowdHeader
        {
            Version = 1,
            CapacitySectors = 1,
            GrainSectors = 2,
            GrainDirectorySector = 3,
            GrainDirectoryEntries = 4,
            FreeSector = 5,
        };
        cowd.Write(bytes);
        Assert.Equal(cowd, VmdkCowdHeader.Parse(bytes));

        var marker = new VmdkMarker(7, 0, VmdkMarkerType.GrainDirectory);
        marker.Write(bytes);
        Assert.Equal(marker, VmdkMarker.Parse(bytes));
    }

    [Fact]
    public void A_descriptor_survives_being_written_and_read()
    {
        var descriptor = new VmdkDescriptor
        {
            Version = 1,
            ContentId = 0xABCDEF,
            ParentContentId = 0x1234,
            CreateType = "twoGbMaxExtentFlat",
            ParentFileNameHints = ["base.vmdk"],
            OtherFields = [new("encoding", "UTF-8")],
            Extents = [new("RW", 63, "FLAT", "a b.vmdk", 0), new("NOACCESS", 5, "ZERO")],
            DiskDatabase = [new("ddb.adapterType", "ide")],
        };
        var read = VmdkDescriptor.Parse(descriptor.Write());
        Assert.Null(read.Problem);
        Assert.Equal(descriptor.Write(), read.Write());
        Assert.Equal(descriptor.Extents, read.Extents);
        Assert.Equal(descriptor.ParentFileNameHints, read.ParentFileNameHints);
        Assert.Equal((0xABCDEFu, 0x1234u), (read.ContentId!.Value, read.ParentContentId!.Value));
        Assert.Equal(1, read.CreateTypeMentions);
    }

    private static void AssertAgrees(string path, InspectionOptions? options = null)
    {
        var inspection = ImageInspector.InspectFileAsync(path, options).AsTask().GetAwaiter().GetResult();
        Assert.True(inspection.IsSafe, string.Join("\n", inspection.Failures));
        Inspected.Bytes(File.ReadAllBytes(path));

        var info = JsonDocument.Parse(Tool.Run("qemu-img", "info", "--output=json", "-f", "vmdk", path)).RootElement;
        var specific = info.GetProperty("format-specific").GetProperty("data");
        var details = (VmdkDetails)inspection.Details!;
        var createType = specific.GetProperty("create-type").GetString();
        Assert.Equal(info.GetProperty("virtual-size").GetInt64(), inspection.VirtualSize);
        Assert.Equal(createType, inspection.Subformat);
        Assert.Equal(specific.GetProperty("cid").GetUInt32(), details.ContentId);
        Assert.Equal(specific.GetProperty("parent-cid").GetUInt32(), details.ParentContentId);
        Assert.Equal(
            info.TryGetProperty("backing-filename", out var backing) ? backing.GetString() : null,
            inspection.BackingFile);

        // The grain of an extent in another file is in that file's header.
        if (createType != "twoGbMaxExtentSparse")
        {
            Assert.Equal(
                info.TryGetProperty("cluster-size", out var size) ? size.GetInt64() : null, inspection.ClusterSize);
        }

        var extents = specific.GetProperty("extents").EnumerateArray().ToArray();
        Assert.Equal(
            extents.Select(extent => extent.GetProperty("virtual-size").GetInt64()),
            details.Extents.Select(extent => extent.VirtualSize!.Value));
        Assert.Equal(
            extents.Select(extent => Path.GetFileName(extent.GetProperty("filename").GetString())),
            details.Extents.Select(extent => extent.FileName));
        Assert.Equal(
            extents.Select(extent => extent.TryGetProperty("compressed", out var value) && value.GetBoolean()),
            details.Extents.Select(extent => extent.IsCompressed));
    }
}
