using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Qemu;

namespace ImageUtils.Resizing;

/// <summary>A resize by qemu-img, of an image that the native inspector has passed.</summary>
internal static class QemuResize
{
    internal static async Task<ImageResizeResult> RunAsync(
        ImageResizeRequest request, string path, CancellationToken cancellationToken)
    {
        var inspection = request.Source.Inspection with
        {
            Passphrase = request.Qemu.SourcePassphrase ?? request.Source.Inspection.Passphrase,
        };
        var image = await VettedImage.VetChainAsync(path, inspection, request.Source.KnownRaw, cancellationToken)
            .ConfigureAwait(false);
        var claimed = request.Source.ClaimedFormat;
        if (claimed != ImageFormat.Unknown && !claimed.Accepts(image.Format))
        {
            throw new ImageFormatMismatchException(path, claimed, image.Format);
        }

        if (image.DriverName == "raw" && Destination.IsBlockDevice(path))
        {
            throw new ImageResizeException(
                ImageResizeProblem.BlockDevice, path,
                "It is a block device. Resize what it is a part of: lvextend for a logical volume, rbd resize, or a "
                + "partitioning program.");
        }

        var oldSize = SizeOf(image.Inspection) ?? throw new VirtualSizeUnknownException(path, image.Format);
        var newSize = request.Size.ApplyTo(oldSize);
        ImageResizer.ThrowIfShrinkNotAllowed(request, path, oldSize, newSize);
        if (newSize == oldSize)
        {
            return new ImageResizeResult(path, image.Format, oldSize, newSize, ResizeMethod.Unchanged);
        }

        if (newSize < oldSize)
        {
            await ThrowIfLossyAsync(request, path, newSize, cancellationToken).ConfigureAwait(false);
        }

        await QemuImg.Find(request.Qemu.Path).ResizeAsync(
            image, newSize, newSize < oldSize,
            image.Inspection.IsEncrypted ? inspection.Passphrase : null,
            request.Qemu.RunOptions,
            cancellationToken).ConfigureAwait(false);
        var result = await ImageInspector
            .InspectFileAsync(path, inspection, request.Source.KnownRaw, cancellationToken).ConfigureAwait(false);
        return new ImageResizeResult(
            path, image.Format, oldSize, SizeOf(result) ?? newSize, ResizeMethod.Qemu);
    }

    private static long? SizeOf(ImageInspection inspection) =>
        inspection.VirtualSize ?? inspection.InnerImage?.VirtualSize;

    private static async ValueTask ThrowIfLossyAsync(
        ImageResizeRequest request, string path, long newSize, CancellationToken cancellationToken)
    {
        try
        {
            using var image = await ImageOpener.OpenAsync(path, request.Source, cancellationToken)
                .ConfigureAwait(false);
            await ImageResizer.ThrowIfDataBeyondAsync(image, newSize, cancellationToken).ConfigureAwait(false);
        }
        catch (UnsupportedImageException exception)
        {
            throw new ImageResizeException(
                ImageResizeProblem.DataBeyondEnd, path,
                "It would become smaller, and it cannot be seen whether data would be lost: "
                + $"{exception.Message} Convert it to raw or qcow2, and resize that.");
        }
    }
}
