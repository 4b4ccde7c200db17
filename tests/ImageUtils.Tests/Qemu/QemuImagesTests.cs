using ImageUtils.Errors;
using ImageUtils.Qemu;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Qemu;

/// <summary>Creating, resizing, checking, comparing and measuring, with the real qemu-img.</summary>
public sealed class QemuImagesTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData(ImageFormat.Raw)]
    [InlineData(ImageFormat.Qcow2)]
    public async Task An_image_is_made_grown_and_shrunk_only_where_that_is_allowed(ImageFormat format)
    {
        var qemu = Real();
        await qemu.CreateAsync(_directory["a,b"], format, 4 << 20);
        Assert.Equal(4 << 20, (await VetAsync()).Inspection.VirtualSize);
        var exists = await Assert.ThrowsAsync<QemuRequestException>(
            () => qemu.CreateAsync(_directory["a,b"], format, 1 << 20));
        Assert.Equal("DestinationUnusable", exists.ErrorId);
        await qemu.ResizeAsync(await VetAsync(), 8 << 20);
        var image = await VetAsync();
        Assert.Equal(8 << 20, image.Inspection.VirtualSize);
        var error = await Assert.ThrowsAsync<QemuRequestException>(() => qemu.ResizeAsync(image, 5 << 20));
        Assert.Equal("ShrinkNotAllowed", error.ErrorId);
        await qemu.ResizeAsync(image, 5 << 20, shrink: true);
        Assert.Equal(5 << 20, (await VetAsync()).Inspection.VirtualSize);

        async Task<VettedImage> VetAsync() =>
            await VettedImage.VetAsync(_directory["a,b"], knownRaw: format == ImageFormat.Raw);
    }

    [SkippableFact]
    public async Task What_a_format_cannot_is_said()
    {
        await Real().CreateAsync(_directory["a"], ImageFormat.Vhd, 4 << 20);
        var image = await VettedImage.VetAsync(_directory["a"]);
        var error = await Assert.ThrowsAsync<QemuImgFailedException>(() => Real().ResizeAsync(image, 1 << 30));
        Assert.Contains("does not support resize", error.Message, StringComparison.Ordinal);
        Assert.Equal(QemuCheckOutcome.NotSupported, (await Real().CheckAsync(image)).Outcome);
        await Assert.ThrowsAsync<QemuImgFailedException>(() => Real().MeasureAsync(
            image, new() { DestinationPath = "/x", DestinationFormat = ImageFormat.Vhd }));
    }

    [SkippableFact]
    public async Task Leaks_and_corruption_are_told_apart()
    {
        var qemu = Real();
        var path = _directory["a"];
        await qemu.CreateAsync(path, ImageFormat.Qcow2, 4 << 20);
        var image = await VettedImage.VetAsync(path);
        var clean = await qemu.CheckAsync(image);
        Assert.Equal((QemuCheckOutcome.Clean, 0L, 0L), (clean.Outcome, clean.CorruptionCount, clean.LeakCount));
        Assert.True(clean.ImageEndOffset > 0);

        // The first refcount block (the third cluster, as qemu lays it out) says that a fifth cluster is in use.
        var bytes = File.ReadAllBytes(path);
        Array.Resize(ref bytes, 6 << 16);
        bytes[(2 << 16) + (5 * 2) + 1] = 1;
        File.WriteAllBytes(path, bytes);
        var leaks = await qemu.CheckAsync(image);
        Assert.Equal((QemuCheckOutcome.Leaks, 0L, 1L), (leaks.Outcome, leaks.CorruptionCount, leaks.LeakCount));

        // And that the header is not.
        bytes[(2 << 16) + 1] = 0;
        File.WriteAllBytes(path, bytes);
        var corrupt = await qemu.CheckAsync(image);
        Assert.Equal((QemuCheckOutcome.Corrupt, 1L), (corrupt.Outcome, corrupt.CorruptionCount));

        File.WriteAllText(path, "no qcow2 any more");
        await Assert.ThrowsAsync<QemuImgFailedException>(() => qemu.CheckAsync(image));
    }

    [SkippableFact]
    public async Task Images_are_compared_as_a_guest_reads_them()
    {
        var qemu = Real();
        var content = new byte[1 << 20];
        new Random(3).NextBytes(content);
        File.WriteAllBytes(_directory["a"], content);
        var first = await VettedImage.VetAsync(_directory["a"]);
        await qemu.ConvertAsync(
            first, new() { DestinationPath = _directory["b"], DestinationFormat = ImageFormat.Qcow2 });
        Assert.Equal(
            new QemuComparison(true, null, false),
            await qemu.CompareAsync(first, await VettedImage.VetAsync(_directory["b"])));

        await File.WriteAllBytesAsync(_directory["longer"], [.. content, .. new byte[4096]]);
        Assert.Equal(
            new QemuComparison(true, null, true),
            await qemu.CompareAsync(first, await VettedImage.VetAsync(_directory["longer"])));

        content[70_000] ^= 1;
        File.WriteAllBytes(_directory["other"], content);
        var other = await VettedImage.VetAsync(_directory["other"]);
        Assert.Equal(new QemuComparison(false, 70_000 / 512 * 512, false), await qemu.CompareAsync(first, other));
        File.Delete(_directory["other"]);
        await Assert.ThrowsAsync<QemuImgFailedException>(() => qemu.CompareAsync(first, other));
    }

    [SkippableFact]
    public async Task What_is_measured_is_what_it_takes()
    {
        var content = new byte[1 << 20];
        new Random(3).NextBytes(content.AsSpan(0, 300_000));
        File.WriteAllBytes(_directory["a"], content);
        var source = await VettedImage.VetAsync(_directory["a"]);
        var options = new QemuConvertOptions
        {
            DestinationPath = _directory["b"],
            DestinationFormat = ImageFormat.Qcow2,
        };
        var measured = await Real().MeasureAsync(source, options);
        await Real().ConvertAsync(source, options);
        Assert.InRange(new FileInfo(_directory["b"]).Length, 300_000, measured.RequiredLength);
        Assert.True(measured.FullyAllocatedLength > 1 << 20);
    }

    private static QemuImg Real()
    {
        Tool.Require("qemu-img", "qemu-utils");
        return QemuImg.Find();
    }
}
