using ImageUtils.Conversion;
using ImageUtils.Creation;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Creation;

/// <summary>Empty images, on their own and based on others.</summary>
public sealed class ImageCreatorTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData(ImageFormat.Raw, null)]
    [InlineData(ImageFormat.Qcow2, null)]
    [InlineData(ImageFormat.Vhd, "dynamic")]
    [InlineData(ImageFormat.Vhd, "fixed")]
    [InlineData(ImageFormat.Vhdx, "dynamic")]
    [InlineData(ImageFormat.Vmdk, "monolithicSparse")]
    [InlineData(ImageFormat.Vmdk, "streamOptimized")]
    [InlineData(ImageFormat.Vdi, "static")]
    public async Task An_empty_image_is_one_to_qemu_as_well(ImageFormat format, string? subformat)
    {
        Tool.Require("qemu-img", "qemu-utils");
        var made = await MakeAsync("a", format, 8 << 20, subformat: subformat);
        Assert.Equal((format, 8L << 20), (made.Format, made.VirtualSize));
        File.WriteAllBytes(_directory["zeros"], new byte[8 << 20]);
        Tool.Run(
            "qemu-img", "compare", "-f", format.ToQemuName()!, "-F", "raw", _directory["a"], _directory["zeros"]);
        Assert.Equal(["a", "zeros"], NamesIn());
    }

    [SkippableFact]
    public async Task An_overlay_shows_what_is_below_and_takes_what_is_written()
    {
        Tool.Require("qemu-io", "qemu-utils");
        await MakeAsync("base", ImageFormat.Qcow2, 4 << 20);
        Tool.Run("qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 64k", _directory["base"]);
        var made = await MakeAsync("over", ImageFormat.Qcow2, null, "base");
        Assert.Equal((4L << 20, "base", "qcow2", true), (made.VirtualSize, made.BackingFile, made.BackingFormat, made.IsSafe));
        var output = Tool.Run(
            "qemu-io", "-f", "qcow2", "-c", "read -P 7 1M 64k", "-c", "write -P 9 2M 64k", "-c", "read -P 9 2M 64k",
            "-c", "read -P 0 3M 64k", _directory["over"]);
        Assert.DoesNotContain("Pattern verification failed", output, StringComparison.Ordinal);
        Tool.Run("qemu-img", "check", "-f", "qcow2", _directory["over"]);
        var chain = Tool.Run("qemu-img", "info", "--backing-chain", _directory["over"]);
        Assert.Contains($"image: {_directory["base"]}", chain, StringComparison.Ordinal);
        Assert.Contains("backing file format: qcow2", chain, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backing_file_is_relative_to_the_new_image_and_may_be_partitioned()
    {
        Directory.CreateDirectory(_directory["sub"]);
        var disk = new byte[1 << 20];
        disk[510] = 0x55;
        disk[511] = 0xAA;
        disk[450] = 0x83;
        disk[454] = 1;
        disk[458] = 9;
        File.WriteAllBytes(_directory["base.img"], disk);
        var made = await MakeAsync("sub/over", ImageFormat.Qcow2, null, "../base.img");
        Assert.Equal(("../base.img", "raw", 1L << 20), (made.BackingFile, made.BackingFormat, made.VirtualSize));
        made = await MakeAsync("sub/larger", ImageFormat.Qcow2, 3 << 20, _directory["base.img"], ImageFormat.Raw);
        Assert.Equal((_directory["base.img"], 3L << 20), (made.BackingFile, made.VirtualSize));
    }

    [Theory]
    [InlineData(ImageFormat.Vhd)]
    [InlineData(ImageFormat.Vhdx)]
    public async Task A_child_knows_its_parent_by_identity(ImageFormat format)
    {
        await MakeAsync("parent", format, 6 << 20);
        var child = await MakeAsync("child", format, null, "parent");
        Assert.Equal((format, 6L << 20, true), (child.Format, child.VirtualSize, child.IsSafe));
        if (child.Details is VhdDetails details)
        {
            var changed = new DateTimeOffset(File.GetLastWriteTimeUtc(_directory["parent"]));
            Assert.Equal(changed.ToUnixTimeSeconds(), details.ParentTimeStamp!.Value.ToUnixTimeSeconds());
        }

        var allowed = new OpenOptions { Inspection = Allowing() };
        using (var opened = await ImageOpener.OpenAsync(_directory["child"], allowed))
        {
            Assert.Equal([_directory["parent"]], opened.BasedOn);
        }

        await MakeAsync("parent", format, 6 << 20, overwrite: true);
        await Assert.ThrowsAsync<ImageFormatException>(
            async () => await ImageOpener.OpenAsync(_directory["child"], allowed));
    }

    [Fact]
    public async Task What_is_below_a_backing_file_needs_the_policy_s_leave()
    {
        await MakeAsync("base", ImageFormat.Qcow2, 1 << 20);
        await MakeAsync("middle", ImageFormat.Qcow2, null, "base");
        var refused = await Assert.ThrowsAsync<ImageUnsafeException>(
            () => MakeAsync("top", ImageFormat.Qcow2, null, "middle"));
        Assert.Equal(CheckNames.BackingFile, Assert.Single(refused.Failures).Name);
        await MakeAsync("top", ImageFormat.Qcow2, null, "middle", inspection: Allowing());
        Assert.Equal(["base", "middle", "top"], NamesIn());
    }

    [Theory]
    [InlineData("nbd://host/x", ImageFormat.Unknown, "InvalidImageOption")]
    [InlineData("json:{}", ImageFormat.Unknown, "InvalidImageOption")]
    [InlineData("missing", ImageFormat.Unknown, "FileNotFound")]
    [InlineData("base", ImageFormat.Qcow2, "ImageFormatMismatch")]
    [InlineData("truncated", ImageFormat.Unknown, "ImageIsUnsafe")]
    [InlineData("over", ImageFormat.Raw, "DestinationExists")]
    public async Task A_bad_backing_file_leaves_nothing_behind(string backing, ImageFormat format, string errorId)
    {
        File.WriteAllBytes(_directory["base"], new byte[4096]);
        File.WriteAllBytes(_directory["over"], new byte[4096]);
        File.WriteAllBytes(_directory["truncated"], [.. "QFI"u8, 0xFB, 0, 0, 0, 3]);
        var before = File.ReadAllBytes(_directory["over"]);
        var error = await Assert.ThrowsAnyAsync<ImageUtilsException>(
            () => MakeAsync("over", ImageFormat.Qcow2, 1 << 20, backing, format, overwrite: true));
        Assert.Equal(errorId, error.ErrorId);
        Assert.Equal(before, File.ReadAllBytes(_directory["over"]));
        Assert.Equal(["base", "over", "truncated"], NamesIn());
    }

    [Fact]
    public async Task Without_leave_nothing_is_replaced_and_without_a_size_nothing_is_made()
    {
        File.WriteAllText(_directory["a"], "kept");
        var exists = await Assert.ThrowsAsync<ImageWriteException>(() => MakeAsync("a", ImageFormat.Qcow2, 1 << 20));
        Assert.Equal(ImageWriteProblem.Exists, exists.Problem);
        Assert.Equal("kept", File.ReadAllText(_directory["a"]));
        await Assert.ThrowsAsync<ImageOptionException>(() => MakeAsync("b", ImageFormat.Qcow2, null));
        await Assert.ThrowsAsync<ImageOptionException>(() => MakeAsync("b", ImageFormat.Vdi, 1 << 20, "a"));
        await Assert.ThrowsAsync<ImageOptionException>(
            () => MakeAsync("b", ImageFormat.Raw, 1 << 20, backingFormat: ImageFormat.Raw));
        Assert.Equal(["a"], NamesIn());
    }

    [SkippableFact]
    public async Task What_is_not_written_natively_is_made_by_qemu_img()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var made = await ImageCreator.CreateAsync(new ImageCreationRequest
        {
            Path = _directory["a"],
            Format = ImageFormat.Ploop,
            VirtualSize = 4 << 20,
        });
        Assert.Equal((ImageFormat.Ploop, 4L << 20), (made.Format, made.VirtualSize));
        Assert.Equal(["a"], NamesIn());
        var native = new ImageCreationRequest
        {
            Path = _directory["b"],
            Format = ImageFormat.Ploop,
            VirtualSize = 4 << 20,
            Engine = ConversionEngine.Native,
        };
        await Assert.ThrowsAsync<UnsupportedImageException>(() => ImageCreator.CreateAsync(native));
    }

    [SkippableFact]
    public async Task A_device_is_emptied_only_where_that_is_asked_for()
    {
        var old = new byte[2 << 20];
        old.AsSpan().Fill(0xEE);
        File.WriteAllBytes(_directory["disk"], old);
        using var device = LoopDevice.Attach(_directory["disk"]);
        var request = new ImageCreationRequest { Path = device.Path, Format = ImageFormat.Raw, VirtualSize = 1 << 20 };
        var refused = await Assert.ThrowsAsync<ImageWriteException>(() => ImageCreator.CreateAsync(request));
        Assert.Equal(ImageWriteProblem.Exists, refused.Problem);
        await ImageCreator.CreateAsync(request with { Overwrite = true });
        Assert.DoesNotContain((byte)0xEE, File.ReadAllBytes(device.Path));
    }

    private static InspectionOptions Allowing(params string[] directories) => new()
    {
        Policy = SafetyPolicy.Default with { BackingFileDirectories = directories is [] ? ["/"] : directories },
    };

    private string[] NamesIn() => [.. Directory.GetFiles(_directory.Path).Select(Path.GetFileName).Order()!];

    private Task<ImageInspection> MakeAsync(
        string name,
        ImageFormat format,
        long? size,
        string? backing = null,
        ImageFormat backingFormat = ImageFormat.Unknown,
        InspectionOptions? inspection = null,
        bool overwrite = false,
        string? subformat = null) => ImageCreator.CreateAsync(new ImageCreationRequest
        {
            Path = _directory[name],
            Format = format,
            VirtualSize = size,
            BackingFile = backing,
            BackingFormat = backingFormat,
            Inspection = inspection ?? InspectionOptions.Default,
            Overwrite = overwrite,
            Target = new WriterOptions { VirtualSize = 0, Subformat = subformat },
        });
}
