using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>
/// Drops the blocks of dynamic and differencing disks that are all zero or, over a parent, equal to it, by writing a
/// new file that takes the name once it is complete. Ids, sizes, block size, parent and its names stay as they are.
/// </summary>
public static class VhdCompactor
{
    /// <summary>Compacts one disk, if that makes its file smaller.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, at most five times a second.</param>
    /// <param name="cancellationToken">Ends the work; the disk is then as it was.</param>
    /// <exception cref="UnsupportedImageException">It is fixed, or neither a VHD nor a VHDX.</exception>
    /// <exception cref="ImageFileException">It, or a parent, cannot be read.</exception>
    /// <exception cref="ImageUnsafeException">It, or a parent, failed a check.</exception>
    /// <exception cref="ImageFormatException">It is damaged.</exception>
    /// <exception cref="ImageWriteException">It is in use, or there is no room for the new file.</exception>
    /// <exception cref="VerificationFailedException">A guest would not see the same; the disk is as it was.</exception>
    public static async Task<VhdCompactResult> CompactAsync(
        VhdCompactRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var started = Stopwatch.GetTimestamp();
        var path = Destination.Resolve(request.Path);
        var options = Allow(request.Source, Path.GetDirectoryName(path)!);
        using var held = ImageLock.Acquire(path);
        using var image = await ImageOpener.OpenAsync(path, options, cancellationToken).ConfigureAwait(false);
        if (!held.IsSameFileAs(image.File))
        {
            throw new SourceChangedException(path);
        }

        ThrowIfWithoutBlocks(image);
        using var parent = await OpenParentAsync(image, options, cancellationToken).ConfigureAwait(false);
        var reader = ImageOpener.FindReader(image.Format)!;
        var paced = new PacedProgress(progress);
        var plan = await PlanAsync(image, reader, parent, Reporter(ConversionStage.Comparing), cancellationToken)
            .ConfigureAwait(false);
        var oldLength = image.File.Length;
        if (plan.Length >= oldLength)
        {
            return Result(oldLength, isCompacted: false);
        }

        new ConversionPlan(plan.Length, plan.Length).ThrowIfNoSpace(path);
        using var destination = Destination.Create(path, overwrite: true);
        var total = plan.Length;
        await plan.WriteAsync(
            destination.Sink, copied => Report(ConversionStage.Converting, copied, total), cancellationToken)
            .ConfigureAwait(false);
        Report(ConversionStage.Flushing, total, total);
        await Completion.FlushAsync(destination.Sink, cancellationToken).ConfigureAwait(false);
        await CheckAsync(request, image, reader, parent, options, destination, cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        if (!held.IsSameFileAs(image.File) || image.File.Length != oldLength)
        {
            throw new SourceChangedException(path);
        }

        destination.Commit();
        return Result(plan.Length, isCompacted: true);

        VhdCompactResult Result(long newLength, bool isCompacted) => new(
            path, image.Format, oldLength, newLength,
            isCompacted ? plan.BlockCount : plan.BlockCount + plan.DroppedBlocks,
            isCompacted ? plan.DroppedBlocks : 0, isCompacted, isCompacted && request.Verify,
            Stopwatch.GetElapsedTime(started));

        Action<long> Reporter(ConversionStage stage) => position => Report(stage, position, image.Map.VirtualSize);

        void Report(ConversionStage stage, long position, long whole) =>
            paced.Report(stage, Math.Min(position, whole), whole);
    }

    private static OpenOptions Allow(OpenOptions options, string directory)
    {
        var policy = options.Inspection.Policy;
        return options with
        {
            KnownRaw = false,
            Inspection = options.Inspection with
            {
                Policy = policy with { BackingFileDirectories = [.. policy.BackingFileDirectories, directory] },
            },
        };
    }

    private static void ThrowIfWithoutBlocks(OpenedImage image)
    {
        var reason = image.Inspection.Details switch
        {
            VhdDetails { DiskType: "fixed" } or VhdxDetails { LeaveBlockAllocated: true } =>
                "It is a fixed disk, which has its full length whatever it holds. Make it a dynamic one with "
                + "Convert-DiskImage.",
            VhdDetails { IsSavedState: true } => "It belongs to a saved machine. Start and stop that first.",
            VhdDetails or VhdxDetails => null,
            _ => $"It is {image.Format.ToName()}; VHDs and VHDXs are compacted. Convert-DiskImage writes other formats "
                + "anew, without their zeros.",
        };
        if (reason is not null)
        {
            throw new UnsupportedImageException($"'{Printable.Text(image.Path)}' was not compacted. {reason}");
        }
    }

    private static async ValueTask<OpenedImage?> OpenParentAsync(
        OpenedImage image, OpenOptions options, CancellationToken cancellationToken)
    {
        if (image.BasedOn.Count == 0)
        {
            return null;
        }

        // A VHD's parent without an id is raw, as its reader has it.
        var isRaw = image.Inspection.Details is VhdDetails { ParentId: { } id } && id == Guid.Empty;
        return await ImageOpener.OpenAsync(
            image.BasedOn[0],
            Allow(options, Path.GetDirectoryName(image.BasedOn[0])!) with
            {
                ClaimedFormat = isRaw ? ImageFormat.Unknown : image.Format,
                KnownRaw = isRaw,
            },
            cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask<Compaction> PlanAsync(
        OpenedImage image,
        IReadableFormat reader,
        OpenedImage? parent,
        Action<long> onPosition,
        CancellationToken cancellationToken)
    {
        var own = await OwnLayer.OpenAsync(reader, image.File, image.Inspection, parent, false, cancellationToken)
            .ConfigureAwait(false);
        using var layer = new OwnLayer(own, parent?.Map);
        return image.Format == ImageFormat.Vhd
            ? await VhdCompaction.PlanAsync(image.File, layer, onPosition, cancellationToken).ConfigureAwait(false)
            : await VhdxCompaction.PlanAsync(image.File, layer, onPosition, cancellationToken).ConfigureAwait(false);
    }

    // What was written must be safe and of the same size, and where that was asked for show a guest the same.
    private static async ValueTask CheckAsync(
        VhdCompactRequest request,
        OpenedImage image,
        IReadableFormat reader,
        OpenedImage? parent,
        OpenOptions options,
        Destination destination,
        CancellationToken cancellationToken)
    {
        var (inspection, _) = await ResultCheck.InspectAsync(
            destination,
            new ConversionRequest
            {
                SourcePath = image.Path,
                DestinationPath = image.Path,
                DestinationFormat = image.Format,
                Source = options,
            },
            image.Map.VirtualSize,
            cancellationToken).ConfigureAwait(false);
        if (!request.Verify)
        {
            return;
        }

        var before = await GuestDigest.OfAsync(image.Map, null, cancellationToken).ConfigureAwait(false);
        using var file = FileByteSource.Open(destination.ReadablePath);
        var map = await OwnLayer.OpenAsync(reader, file, inspection, parent, true, cancellationToken)
            .ConfigureAwait(false);
        var after = await GuestDigest.OfAsync(map, null, cancellationToken).ConfigureAwait(false);
        if (!after.AsSpan().SequenceEqual(before))
        {
            throw new VerificationFailedException(image.Path);
        }
    }
}
