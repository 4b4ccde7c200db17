using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Inspection;
using ImageUtils.Resizing;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Resizing;

/// <summary>Images that get larger or smaller, and those that must not.</summary>
public sealed class ImageResizerTests : IDisposable
{
    private const int OldSize = 6 << 20;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData(ImageFormat.Raw, "raw", ResizeMethod.InPlace)]
    [InlineData(ImageFormat.Qcow2, "qcow2", ResizeMethod.InPlace)]
    [InlineData(ImageFormat.Qcow2, "qcow2,cluster_size=512,refcount_bits=32", ResizeMethod.Rewritten)]
    [InlineData(ImageFormat.Qcow2, "qcow2,compat=0.10", ResizeMethod.InPlace)]
    [InlineData(ImageFormat.Qcow2, "qcow2,extended_l2=on", ResizeMethod.InPlace)]
    [InlineData(ImageFormat.Vhd, "vpc,force_size=on", ResizeMethod.InPlace)]
    [InlineData(ImageFormat.Vhd, "vpc,subformat=fixed,force_size=on", ResizeMethod.InPlace)]
    [InlineData(ImageFormat.Vhdx, "vhdx,block_size=2097152", ResizeMethod.InPlace)]
    [InlineData(ImageFormat.Vdi, "vdi", ResizeMethod.Rewritten)]
    [InlineData(ImageFormat.Vmdk, "vmdk,adapter_type=lsilogic", ResizeMethod.Rewritten)]
    public async Task An_image_keeps_its_data_and_its_kind(ImageFormat format, string made, ResizeMethod method)
    {
        var disk = Disk();
        var path = Convert(disk, made);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);
        var options = new InspectionOptions { Policy = SafetyPolicy.Default with { AllowExtendedL2 = true } };
        var before = await ImageInspector.InspectFileAsync(path, options);
        var result = await ResizeAsync(path, "9M", inspection: options);
        Assert.Equal(new ImageResizeResult(path, format, OldSize, 9 << 20, method), result);
        AssertDisk([.. disk, .. new byte[3 << 20]], path, format);
        var after = await ImageInspector.InspectFileAsync(path, options);
        Assert.Equal(
            (before.Subformat, before.ClusterSize, before.FormatVersion, before.Details is Qcow2Details),
            (after.Subformat, after.ClusterSize, after.FormatVersion, after.Details is Qcow2Details));
        Assert.Equal((before.Details as VhdDetails)?.UniqueId, (after.Details as VhdDetails)?.UniqueId);
        Assert.Equal((before.Details as VmdkDetails)?.AdapterType, (after.Details as VmdkDetails)?.AdapterType);
        Assert.Equal((before.Details as Qcow2Details)?.RefcountBits, (after.Details as Qcow2Details)?.RefcountBits);
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead, File.GetUnixFileMode(path));

        if (format is ImageFormat.Qcow2 or ImageFormat.Vdi or ImageFormat.Vhdx or ImageFormat.Vmdk)
        {
            Tool.Run("qemu-img", "check", "-f", format.ToQemuName()!, path);
        }

        if (made.Contains("extended_l2", StringComparison.Ordinal))
        {
            await FailAsync(path, "-3M", "ImageNotResizable", allowShrink: true, inspection: options);
            return;
        }

        await FailAsync(path, "-3M", "ShrinkNotAllowed");
        await FailAsync(path, "-4M", "DataBeyondNewEnd", allowShrink: true);
        AssertDisk([.. disk, .. new byte[3 << 20]], path, format);
        Assert.Equal(OldSize, (await ResizeAsync(path, "-3M", allowShrink: true)).NewSize);
        AssertDisk(disk, path, format);
        Assert.Equal(["a", "expected", "source"], Names());
    }

    [SkippableFact]
    public async Task The_last_data_is_named_where_it_would_be_cut_off()
    {
        var disk = Disk();
        var path = Convert(disk, "qcow2");
        var last = disk.AsSpan().LastIndexOfAnyExcept((byte)0);
        var error = await FailAsync(path, "2M", "DataBeyondNewEnd", allowShrink: true);
        Assert.Contains($"byte {last}:", error.Message, StringComparison.Ordinal);
        Assert.Contains($"{last + 1} bytes at least", error.Message, StringComparison.Ordinal);
        Assert.Equal(ResizeMethod.Unchanged, (await ResizeAsync(path, "+0")).Method);
    }

    [SkippableFact]
    public async Task A_compressed_image_stays_compressed()
    {
        Convert(Disk(), "raw");
        Tool.Run("qemu-img", "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", _directory["source"], _directory["a"]);
        Assert.Equal(ResizeMethod.Rewritten, (await ResizeAsync(_directory["a"], "100M", growFirst: true)).Method);
        var details = (Qcow2Details)(await ImageInspector.InspectFileAsync(_directory["a"])).Details!;
        Assert.Equal("zstd", details.CompressionType);
        Assert.Contains(
            "compressed clusters", Tool.Run("qemu-img", "check", _directory["a"]), StringComparison.Ordinal);
        Assert.DoesNotContain(
            "0.00% compressed", Tool.Run("qemu-img", "check", _directory["a"]), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("qcow2", null)]
    [InlineData("qcow2,compat=0.10", "ImageHasSnapshots")]
    public async Task Snapshots_must_state_their_own_size(string made, string? errorId)
    {
        var path = Convert(Disk(), made);
        Tool.Run("qemu-img", "snapshot", "-c", "one", path);
        await FailAsync(path, "1M", "ImageHasSnapshots", allowShrink: true);
        if (errorId is not null)
        {
            await FailAsync(path, "9M", errorId);
            return;
        }

        Assert.Equal(ResizeMethod.InPlace, (await ResizeAsync(path, "9M")).Method);
        Tool.Run("qemu-img", "check", path);
        using var snapshot = await ImageOpener.OpenAsync(path, new OpenOptions { Snapshot = "one" });
        Assert.Equal(Disk(), GuestDisk.Read(snapshot.Map));
        Tool.Run("qemu-img", "snapshot", "-a", "one", path);
        AssertDisk(Disk(), path, ImageFormat.Qcow2);
    }

    [SkippableFact]
    public async Task Bitmaps_and_images_that_are_not_clean_are_left_alone()
    {
        var path = Convert(Disk(), "qcow2");
        Tool.Run("qemu-img", "bitmap", "--add", path, "changes");
        await FailAsync(path, "9M", "ImageHasSnapshots");
        Assert.Equal(ResizeMethod.Qemu, (await ResizeAsync(path, "9M", engine: ConversionEngine.Qemu)).Method);
        Convert(Disk(), "qcow2");
        var bytes = File.ReadAllBytes(path);
        bytes[79] |= 1;
        File.WriteAllBytes(path, bytes);
        await FailAsync(path, "9M", "ImageNotClean");
        Assert.Equal(bytes, File.ReadAllBytes(path));
    }

    [SkippableFact]
    public async Task An_overlay_grows_where_nothing_of_its_backing_file_would_show_through()
    {
        var path = Convert(Disk(), "qcow2");
        Tool.Run("qemu-img", "create", "-f", "qcow2", "-b", path, "-F", "qcow2", _directory["over"]);
        Tool.Run("qemu-img", "create", "-f", "qcow2", "-b", path, "-F", "qcow2", _directory["shorter"], "4M");
        var options = new InspectionOptions
        {
            Policy = SafetyPolicy.Default with { BackingFileDirectories = [_directory.Path] },
        };
        Assert.Equal(ResizeMethod.InPlace, (await ResizeAsync(_directory["over"], "9M", inspection: options)).Method);
        AssertDisk([.. Disk(), .. new byte[3 << 20]], _directory["over"], ImageFormat.Qcow2);
        await FailAsync(_directory["shorter"], "9M", "ImageHasParent", inspection: options);
        await FailAsync(_directory["over"], "8M", "ImageHasParent", allowShrink: true, inspection: options);
        var grown = await ResizeAsync(
            _directory["shorter"], "9M", engine: ConversionEngine.Qemu, inspection: options);
        Assert.Equal((4L << 20, 9L << 20, ResizeMethod.Qemu), (grown.OldSize, grown.NewSize, grown.Method));
    }

    [SkippableFact]
    public async Task An_image_that_qemu_has_open_is_left_alone()
    {
        var path = Convert(Disk(), "qcow2");
        var before = File.ReadAllBytes(path);
        using var holder = Process.Start(new ProcessStartInfo(Tool.Require("qemu-io", "qemu-utils"), ["-f", "qcow2", path])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        try
        {
            await holder.StandardInput.WriteLineAsync("length");
            await holder.StandardInput.FlushAsync();
            await holder.StandardOutput.ReadLineAsync();
            await FailAsync(path, "9M", "DestinationInUse");
            Assert.Equal(before, File.ReadAllBytes(path));
        }
        finally
        {
            holder.StandardInput.Close();
            await holder.WaitForExitAsync();
        }

        Assert.Equal(ResizeMethod.InPlace, (await ResizeAsync(path, "9M")).Method);
    }

    [SkippableFact]
    public void What_is_locked_here_cannot_be_opened_by_qemu()
    {
        var path = Convert(Disk(), "qcow2");
        using (ImageUtils.IO.ImageLock.Acquire(path))
        {
            Assert.Throws<InvalidOperationException>(() => Tool.Run("qemu-io", "-f", "qcow2", "-c", "read 0 512", path));
        }

        Tool.Run("qemu-io", "-f", "qcow2", "-c", "read 0 512", path);
    }

    [SkippableFact]
    public async Task A_device_and_what_is_too_large_are_refused()
    {
        var path = Convert(Disk(), "qcow2,cluster_size=512");
        var error = await FailAsync(path, "1P", "SizeNotPossible");
        Assert.Contains("larger clusters", error.Message, StringComparison.Ordinal);
        using var device = LoopDevice.Attach(_directory["source"]);
        await FailAsync(device.Path, "9M", "BlockDeviceNotResizable");
    }

    // Data at both ends of the first 6 MiB, and zeros between.
    private static byte[] Disk()
    {
        var disk = new byte[OldSize];
        new Random(5).NextBytes(disk.AsSpan(0, 300_000));
        new Random(6).NextBytes(disk.AsSpan(OldSize - 100_000, 70_000));
        return disk;
    }

    private string[] Names() => [.. Directory.GetFiles(_directory.Path).Select(Path.GetFileName).Order()!];

    private string Convert(byte[] disk, string made)
    {
        Tool.Require("qemu-img", "qemu-utils");
        File.WriteAllBytes(_directory["source"], disk);
        var parts = made.Split(',', 2);
        object[] options = parts.Length > 1 ? ["-o", parts[1]] : [];
        Tool.Run(
            "qemu-img", ["convert", "-f", "raw", "-O", parts[0], .. options, _directory["source"], _directory["a"]]);
        return _directory["a"];
    }

    private void AssertDisk(byte[] expected, string path, ImageFormat format)
    {
        File.WriteAllBytes(_directory["expected"], expected);
        var output = Tool.Run(
            "qemu-img", "compare", "-f", format.ToQemuName()!, "-F", "raw", path, _directory["expected"]);
        Assert.Equal("Images are identical.", output.Trim());
    }

    private static async Task<ImageUtilsException> FailAsync(
        string path, string size, string errorId, bool allowShrink = false, InspectionOptions? inspection = null)
    {
        var error = await Assert.ThrowsAnyAsync<ImageUtilsException>(
            () => ResizeAsync(path, size, allowShrink, inspection: inspection));
        Assert.Equal(errorId, error.ErrorId);
        return error;
    }

    private static async Task<ImageResizeResult> ResizeAsync(
        string path,
        string size,
        bool allowShrink = false,
        ConversionEngine engine = ConversionEngine.Auto,
        InspectionOptions? inspection = null,
        bool growFirst = false)
    {
        if (growFirst)
        {
            // In place, so that what comes next is a shrink of an image with free room.
            await ResizeAsync(path, "200M");
            allowShrink = true;
        }

        return await ImageResizer.ResizeAsync(new ImageResizeRequest
        {
            Path = path,
            Size = SizeChange.Parse(size),
            AllowShrink = allowShrink,
            Engine = engine,
            Source = new OpenOptions { Inspection = inspection ?? InspectionOptions.Default },
        });
    }
}
