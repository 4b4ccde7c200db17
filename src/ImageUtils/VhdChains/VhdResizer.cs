using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;
using ImageUtils.Resizing;

namespace ImageUtils.VhdChains;

/// <summary>
/// Changes the size of VHDs and VHDXs in place, differencing ones too; of fixed ones that shrink by a new file that takes
/// the name. Whenever it is interrupted, the disk has the old size or the new one, and its data.
/// </summary>
public static class VhdResizer
{
    /// <summary>Changes one disk's size. What is added reads as zeros.</summary>
    /// <param name="request">What is asked for. The engine is not; parents beside the disk may be read.</param>
    /// <param name="progress">Is told how far a rewrite is.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageResizeException">It cannot or must not have the size.</exception>
    /// <exception cref="ImageOptionException">The size is impossible.</exception>
    /// <exception cref="ImageFileException">The disk, or a parent, cannot be read.</exception>
    /// <exception cref="ImageFormatException">It is damaged, or cannot be changed in place.</exception>
    /// <exception cref="ImageUnsafeException">It, or a parent, failed a check.</exception>
    /// <exception cref="ImageWriteException">It is in use, or cannot be written.</exception>
    /// <exception cref="VhdChainException">It is neither a VHD nor a VHDX.</exception>
    public static async Task<ImageResizeResult> ResizeAsync(
        ImageResizeRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var path = Destination.Resolve(request.Path);
        await VhdEditor.MendAsync(path, cancellationToken).ConfigureAwait(false);
        var search = new ParentSearch(request.Source.Inspection, Path.GetDirectoryName(path));
        var disk = await search.ReadAsync(path, request.Source.KnownRaw, null, cancellationToken).ConfigureAwait(false);
        return disk.IsVhdOrVhdx
            ? await ImageResizer.ResizeAsync(
                request with
                {
                    Path = path,
                    Engine = ConversionEngine.Native,
                    Source = request.Source with { Inspection = search.Options },
                },
                progress,
                cancellationToken).ConfigureAwait(false)
            : throw disk.NotUsable(
                $"It is {disk.Inspection.Format.ToName()}, neither a VHD nor a VHDX. Use Resize-DiskImage.");
    }

    /// <summary>The size that a disk gets which is to have at least so many bytes.</summary>
    internal static long ToSectors(long size) =>
        (size + VhdFooter.SectorSize - 1) / VhdFooter.SectorSize * VhdFooter.SectorSize;

    /// <summary>Changes the size of a VHD or VHDX in place.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="image">The disk.</param>
    /// <param name="held">The same, held for writing.</param>
    /// <param name="newSize">Its new size, of whole sectors; another than it has.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>Its size then; null: nothing was changed, it is to be written anew.</returns>
    internal static async ValueTask<long?> TryInPlaceAsync(
        ImageResizeRequest request,
        OpenedImage image,
        ImageLock held,
        long newSize,
        CancellationToken cancellationToken)
    {
        var oldSize = image.Map.VirtualSize;
        if (image.File.IsBlockDevice)
        {
            throw new ImageResizeException(
                ImageResizeProblem.BlockDevice, image.Path, "It is on a block device. Convert it to a file.");
        }

        // A fixed disk that shrinks gives its space back; a log cannot be replayed but into another file.
        if ((image.Inspection.Subformat == "fixed" && newSize < oldSize)
            || (image.Inspection.IsLogPending && image.BasedOn.Count == 0))
        {
            return null;
        }

        await ImageResizer.ThrowIfDataBeyondAsync(image, newSize, cancellationToken).ConfigureAwait(false);
        if (image.Format == ImageFormat.Vhdx)
        {
            return await ResizeVhdxAsync(request, image, held, newSize, cancellationToken).ConfigureAwait(false);
        }

        if (image.BasedOn.Count > 0 && newSize > oldSize)
        {
            await ThrowIfParentShowsAsync(request, image, oldSize, cancellationToken).ConfigureAwait(false);
        }

        using var editor = await VhdEditor.OpenAsync(held, held.Sink, cancellationToken).ConfigureAwait(false);
        if (newSize < oldSize)
        {
            await ThrowIfHiddenDataAsync(editor, image, cancellationToken).ConfigureAwait(false);
            await editor.ShrinkAsync(newSize, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await editor.GrowAsync(newSize, cancellationToken).ConfigureAwait(false);
        }

        await editor.FinishAsync(cancellationToken).ConfigureAwait(false);
        return editor.VirtualSize;
    }

    private static async ValueTask<long> ResizeVhdxAsync(
        ImageResizeRequest request,
        OpenedImage image,
        ImageLock held,
        long newSize,
        CancellationToken cancellationToken)
    {
        var oldSize = image.Map.VirtualSize;
        using var editor = await VhdxEditor.OpenAsync(held, held.Sink, cancellationToken).ConfigureAwait(false);
        if (newSize < oldSize)
        {
            await editor.SetSizeAsync(newSize, cancellationToken).ConfigureAwait(false);
            return editor.VirtualSize;
        }

        // What is behind the end of the last block, or of the disk in a larger parent, would appear.
        var hiddenEnd = (oldSize + editor.BlockSize - 1) / editor.BlockSize * editor.BlockSize;
        if (image.BasedOn.Count > 0)
        {
            using var parent = await OpenParentAsync(request, image, cancellationToken).ConfigureAwait(false);
            hiddenEnd = Math.Max(hiddenEnd, parent.Map.VirtualSize);
        }

        using var grown = new VhdxMergeTarget(editor);
        await grown.PrepareGrowthAsync(newSize, cancellationToken).ConfigureAwait(false);
        await grown.WriteZeroesAsync(oldSize, Math.Min(hiddenEnd, newSize) - oldSize, cancellationToken)
            .ConfigureAwait(false);
        for (var at = hiddenEnd; editor.IsFixed && at < newSize; at += editor.BlockSize)
        {
            await editor.AddBlockAsync(at / editor.BlockSize, VhdxBlockState.FullyPresent, cancellationToken)
                .ConfigureAwait(false);
        }

        await grown.FinishAsync(cancellationToken).ConfigureAwait(false);
        return editor.VirtualSize;
    }

    // A parent that is larger than its child has data there that the child never showed.
    private static async ValueTask ThrowIfParentShowsAsync(
        ImageResizeRequest request, OpenedImage image, long oldSize, CancellationToken cancellationToken)
    {
        using var parent = await OpenParentAsync(request, image, cancellationToken).ConfigureAwait(false);
        if (parent.Map.VirtualSize > oldSize
            && await GuestTail.FindLastDataAsync(parent.Map, oldSize, cancellationToken).ConfigureAwait(false)
                is { } last)
        {
            throw new ImageResizeException(
                ImageResizeProblem.HasParent, image.Path,
                $"Its parent '{parent.Path}' is larger, and has data up to byte {last}, which would appear in the "
                + "space that is added. Merge the disk into its parent first.");
        }
    }

    private static ValueTask<OpenedImage> OpenParentAsync(
        ImageResizeRequest request, OpenedImage image, CancellationToken cancellationToken)
    {
        var isRaw = image.Inspection.Details is VhdDetails { ParentId: { } id } && id == Guid.Empty;
        return ImageOpener.OpenAsync(
            image.BasedOn[0],
            request.Source with { ClaimedFormat = ImageFormat.Unknown, KnownRaw = isRaw, Snapshot = null },
            cancellationToken);
    }

    // Where the geometry makes QEMU's disk smaller than Hyper-V's, something can be between both ends.
    private static async ValueTask ThrowIfHiddenDataAsync(
        VhdEditor editor, OpenedImage image, CancellationToken cancellationToken)
    {
        if (editor.OpenToCurrentSize() is { } map
            && await GuestTail.FindLastDataAsync(map, editor.VirtualSize, cancellationToken).ConfigureAwait(false)
                is { } last)
        {
            throw new ImageResizeException(
                ImageResizeProblem.DataBeyondEnd, image.Path,
                $"Hyper-V takes it for a disk of {editor.Footer.CurrentSize} bytes, and it has data up to byte {last}. "
                + "Shrink the partitions and file systems on it first.");
        }
    }
}
