using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Qcow2;
using ImageUtils.IO;
using ImageUtils.VhdChains;

namespace ImageUtils.Resizing;

/// <summary>
/// Changes the size of images: raw, VHD, VHDX and growing qcow2 in place, the others by a new file of the same kind that takes the
/// name once it is complete. Whenever it is interrupted, the image has the old size or the new one, and its data.
/// </summary>
public static class ImageResizer
{
    /// <summary>Changes one image's size. What is added reads as zeros.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far a rewrite is.</param>
    /// <param name="cancellationToken">Ends the work; the image is then as it was.</param>
    /// <exception cref="ImageResizeException">It cannot or must not have the size.</exception>
    /// <exception cref="ImageOptionException">The size is impossible.</exception>
    /// <exception cref="ImageFileException">The image cannot be read.</exception>
    /// <exception cref="ImageUnsafeException">It, or something that it is based on, failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">It is not what it is claimed to be.</exception>
    /// <exception cref="ImageWriteException">It is in use, or cannot be written.</exception>
    /// <exception cref="UnsupportedImageException">Nothing at hand reads or writes the format.</exception>
    /// <exception cref="QemuImgFailedException">qemu-img was needed, and cannot do it.</exception>
    public static async Task<ImageResizeResult> ResizeAsync(
        ImageResizeRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var path = Destination.Resolve(request.Path);
        if (request.Engine == ConversionEngine.Qemu)
        {
            return await QemuResize.RunAsync(request, path, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            return await ResizeNativelyAsync(request, path, progress, cancellationToken).ConfigureAwait(false);
        }
        catch (UnsupportedImageException) when (request.Engine == ConversionEngine.Auto)
        {
            return await QemuResize.RunAsync(request, path, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Refuses to make a disk smaller where that is not allowed.</summary>
    internal static void ThrowIfShrinkNotAllowed(ImageResizeRequest request, string path, long oldSize, long newSize)
    {
        if (newSize < oldSize && !request.AllowShrink)
        {
            throw new ImageResizeException(
                ImageResizeProblem.ShrinkNotAllowed, path,
                $"It has {oldSize} bytes, and would have {newSize}. Shrink the partitions and file systems on it first, "
                + "and allow it then (-AllowShrink).");
        }
    }

    /// <summary>Refuses to cut data off.</summary>
    internal static async ValueTask ThrowIfDataBeyondAsync(
        OpenedImage image, long newSize, CancellationToken cancellationToken)
    {
        if (newSize < image.Map.VirtualSize
            && await GuestTail.FindLastDataAsync(image.Map, newSize, cancellationToken).ConfigureAwait(false)
                is { } last)
        {
            throw KeptOptions.No(
                image, ImageResizeProblem.DataBeyondEnd,
                $"It would end at byte {newSize}, but has data up to byte {last}: it needs {last + 1} bytes at least. "
                + "Shrink the partitions and file systems on it first; a GPT has a copy at the disk's very end.");
        }
    }

    private static async Task<ImageResizeResult> ResizeNativelyAsync(
        ImageResizeRequest request,
        string path,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        using var held = ImageLock.Acquire(path);
        using var image = await ImageOpener.OpenAsync(path, request.Source, cancellationToken).ConfigureAwait(false);
        if (!held.IsSameFileAs(image.File))
        {
            throw new SourceChangedException(path);
        }

        var oldSize = image.Map.VirtualSize;
        var newSize = request.Size.ApplyTo(oldSize);
        var isVhd = image.Format is ImageFormat.Vhd or ImageFormat.Vhdx;
        newSize = isVhd ? VhdResizer.ToSectors(newSize) : newSize;
        ThrowIfShrinkNotAllowed(request, path, oldSize, newSize);
        ThrowIfBad(image);
        if (newSize == oldSize)
        {
            return new ImageResizeResult(path, image.Format, oldSize, newSize, ResizeMethod.Unchanged);
        }

        if (image.Format.ToQemuName() == "raw")
        {
            await ThrowIfDataBeyondAsync(image, newSize, cancellationToken).ConfigureAwait(false);
            await held.Sink.SetLengthAsync(newSize, cancellationToken).ConfigureAwait(false);
            await held.Sink.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            return new ImageResizeResult(path, image.Format, oldSize, newSize, ResizeMethod.InPlace);
        }

        if (image.Format == ImageFormat.Qcow2 && newSize > oldSize
            && await GrowQcow2Async(request, image, held, newSize, cancellationToken).ConfigureAwait(false)
                is { } grown)
        {
            return new ImageResizeResult(path, image.Format, oldSize, grown, ResizeMethod.InPlace);
        }

        if (isVhd && await VhdResizer.TryInPlaceAsync(request, image, held, newSize, cancellationToken)
            .ConfigureAwait(false) is { } changed)
        {
            return new ImageResizeResult(path, image.Format, oldSize, changed, ResizeMethod.InPlace);
        }

        KeptOptions.ThrowIfLossy(image);
        await ThrowIfDataBeyondAsync(image, newSize, cancellationToken).ConfigureAwait(false);
        var result = await ImageConverter.ConvertAsync(
            new ConversionRequest
            {
                SourcePath = path,
                DestinationPath = path,
                DestinationFormat = image.Format,
                Source = request.Source,
                Target = await KeptOptions.OfAsync(image, cancellationToken).ConfigureAwait(false),
                VirtualSize = newSize,
                Engine = ConversionEngine.Native,
                Overwrite = true,
                InPlace = true,
            },
            progress,
            cancellationToken).ConfigureAwait(false);
        return new ImageResizeResult(path, image.Format, oldSize, result.VirtualSize, ResizeMethod.Rewritten);
    }

    private static void ThrowIfBad(OpenedImage image)
    {
        if (image.Format.ToQemuName() == "raw" && image.File.IsBlockDevice)
        {
            throw KeptOptions.No(
                image, ImageResizeProblem.BlockDevice,
                "It is a block device. Resize what it is a part of: lvextend for a logical volume, rbd resize, or a "
                + "partitioning program.");
        }

        if (image.Inspection.IsCorrupt || (image.Inspection.IsDirty && image.Format == ImageFormat.Qcow2))
        {
            throw KeptOptions.No(
                image, ImageResizeProblem.NotClean,
                "It is marked as dirty or corrupt: it was not closed properly, or damage was found in it. Have it "
                + "repaired first, with 'qemu-img check -r all'.");
        }
    }

    private static async ValueTask<long?> GrowQcow2Async(
        ImageResizeRequest request,
        OpenedImage image,
        ImageLock held,
        long newSize,
        CancellationToken cancellationToken)
    {
        long? parentSize = null;
        if (image.Inspection.BackingFile is { Length: > 0 })
        {
            // An external data file, which comes before it in the list, is refused anyway.
            var isRaw = image.Inspection.BackingFormat is "raw" or "file" or "host_device";
            using var parent = await ImageOpener.OpenAsync(
                image.BasedOn[0],
                request.Source with { ClaimedFormat = ImageFormat.Unknown, KnownRaw = isRaw, Snapshot = null },
                cancellationToken).ConfigureAwait(false);
            parentSize = parent.Map.VirtualSize;
        }

        return await new Qcow2Growth(image.Path, image.File, image.Inspection, held.Sink)
            .GrowAsync(newSize, parentSize, cancellationToken).ConfigureAwait(false);
    }
}
