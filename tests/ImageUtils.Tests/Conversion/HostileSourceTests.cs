using ImageUtils.Builders;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Safety;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Conversion;

/// <summary>Sources that lead elsewhere, or are hardly there.</summary>
public sealed class HostileSourceTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public async Task A_raw_backing_file_in_which_a_guest_wrote_a_header_does_not_open_its_neighbours()
    {
        Tool.Require("qemu-img", "qemu-utils");
        await File.WriteAllBytesAsync(_directory["secret.raw"], SampleDisk.Make());

        // The disk of a guest, whose first bytes are now an image over somebody else's disk; and the image above it,
        // which does not say that it is raw.
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "secret.raw", _directory["guest.raw"]);
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", "guest.raw", "-F", "raw", _directory["top.qcow2"], "1M");
        var bytes = await File.ReadAllBytesAsync(_directory["top.qcow2"]);
        var extension = bytes.AsSpan().IndexOf(new byte[] { 0xE2, 0x79, 0x2A, 0xCA });
        bytes[extension + 3] ^= 0xFF;
        await File.WriteAllBytesAsync(_directory["top.qcow2"], bytes);
        var options = Allowing(_directory.Path);
        var error = await Assert.ThrowsAsync<ImageUnsafeException>(
            async () => await ImageOpener.OpenAsync(_directory["top.qcow2"], options));
        Assert.Contains("secret.raw", error.Message, StringComparison.Ordinal);

        // Without such a name in it, what is below is still guessed, as qemu does.
        Tool.Run("qemu-img", "rebase", "-u", "-b", "", _directory["guest.raw"]);
        using var image = await ImageOpener.OpenAsync(_directory["top.qcow2"], options);
        Assert.Equal(1, image.Depth);
    }

    [SkippableFact]
    public async Task A_backing_file_is_no_destination_for_qemu_either()
    {
        Tool.Require("qemu-img", "qemu-utils");
        await File.WriteAllBytesAsync(_directory["a.raw"], SampleDisk.Make());
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", _directory["a.raw"], _directory["top.qcow2"]);
        var request = SampleDisk.Request(_directory["top.qcow2"], _directory["a.raw"], "raw") with
        {
            Overwrite = true,
            Engine = ConversionEngine.Qemu,
            Source = Allowing(_directory.Path),
        };
        var error = await Assert.ThrowsAsync<ImageWriteException>(() => ImageConverter.ConvertAsync(request));
        Assert.Equal("DestinationExists", error.ErrorId);
        Assert.Equal(SampleDisk.Make(), await File.ReadAllBytesAsync(_directory["a.raw"]));
    }

    [SkippableFact]
    public async Task A_device_by_another_name_is_still_the_source()
    {
        Tool.Require("mknod", "coreutils");
        await File.WriteAllBytesAsync(_directory["a.raw"], SampleDisk.Make(length: 9 << 20));
        using var device = LoopDevice.Attach(_directory["a.raw"]);
        var number = device.Path["/dev/loop".Length..];
        Tool.Run("mknod", _directory["node"], "b", "7", number);
        var error = await Assert.ThrowsAsync<ImageWriteException>(
            () => SampleDisk.ConvertAsync(device.Path, _directory["node"], "raw"));
        Assert.Equal("DestinationExists", error.ErrorId);
    }

    [SkippableFact]
    public async Task An_empty_disk_is_verified_too()
    {
        Tool.Require("qemu-img", "qemu-utils");
        Tool.Run("qemu-img", "create", "-q", "-f", "qcow2", _directory["empty.qcow2"], "0");
        var result = await ImageConverter.ConvertAsync(
            SampleDisk.Request(_directory["empty.qcow2"], _directory["b.raw"], "raw") with { Verify = true });
        Assert.True(result.Verified);
        Assert.Equal(0, new FileInfo(_directory["b.raw"]).Length);
    }

    [Fact]
    public async Task A_log_does_not_make_a_disk_larger_than_the_policy_allows()
    {
        // The log changes the sector that has the disk's size.
        const int items = (2 << 20) + 0x10000;
        var plain = VhdxCases.Seal(VhdxCases.WithBlock()).ToArray();
        await File.WriteAllBytesAsync(_directory["plain.vhdx"], plain);
        using var image = await ImageOpener.OpenAsync(_directory["plain.vhdx"]);
        var size = image.Map.VirtualSize;
        var changed = plain.AsSpan(items, VhdxLogs.Sector).ToArray();
        BitConverter.TryWriteBytes(changed.AsSpan(8), size + 512);
        var grown = VhdxLogs.Pending(VhdxCases.WithBlock());
        VhdxLogs.Put(grown, 0, 1, 0, grown.Length, grown.Length, new VhdxLogChange(items, changed));
        await File.WriteAllBytesAsync(_directory["grown.vhdx"], VhdxCases.Seal(grown).ToArray());

        var policy = SafetyPolicy.Default with { MaximumVirtualSize = size };
        var options = new OpenOptions { Inspection = new() { Policy = policy } };
        using var fits = await ImageOpener.OpenAsync(_directory["plain.vhdx"], options);
        using var any = await ImageOpener.OpenAsync(_directory["grown.vhdx"]);
        Assert.Equal(size + 512, any.Map.VirtualSize);
        var error = await Assert.ThrowsAsync<ImageUnsafeException>(
            async () => await ImageOpener.OpenAsync(_directory["grown.vhdx"], options));
        Assert.Contains(CheckNames.Expansion, error.Message, StringComparison.Ordinal);
    }

    private static OpenOptions Allowing(string directory) => new()
    {
        Inspection = new() { Policy = SafetyPolicy.Default with { BackingFileDirectories = [directory] } },
    };
}
