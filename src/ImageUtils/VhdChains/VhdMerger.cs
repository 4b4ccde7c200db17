using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.VhdChains;

/// <summary>
/// Merges the upper disks of a chain into a lower one, in place. At every moment until it is complete the leaf reads as
/// before; once it is, the lower disk reads as the leaf did. The same call finishes what was interrupted.
/// </summary>
public static class VhdMerger
{
    private const int BufferLength = 4 << 20;

    /// <summary>Merges.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, at most five times a second.</param>
    /// <param name="cancellationToken">Ends the work; the leaf then reads as before.</param>
    /// <exception cref="VhdChainException">The chain is broken, or a disk that would change has other children.</exception>
    /// <exception cref="ImageWriteException">A disk is in use, or cannot be written.</exception>
    /// <exception cref="ImageUnsafeException">A disk failed a check.</exception>
    /// <exception cref="VerificationFailedException">The result is not what the leaf was; no child was removed.</exception>
    public static Task<VhdMergeResult> MergeAsync(
        VhdMergeRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default) => MergeAsync(request, progress, null, cancellationToken);

    internal static async Task<VhdMergeResult> MergeAsync(
        VhdMergeRequest request,
        IProgress<ConversionProgress>? progress,
        Func<IByteSink, IByteSink>? through,
        CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        var started = Stopwatch.GetTimestamp();
        var links = request.Chain.Links;
        var into = request.Into ?? links.Count - 1;
        ThrowIfUnusable(request, into);
        var target = links[into].Path;
        var children = links.Take(into).Select(link => link.Path).ToList();
        var held = new List<ImageLock>();
        try
        {
            foreach (var child in children)
            {
                held.Add(ImageLock.Acquire(child));
            }

            if (!request.Force)
            {
                await VhdSiblings.ThrowIfSharedAsync(request.Chain, into, cancellationToken).ConfigureAwait(false);
            }

            var digest = request.Verify
                ? await HashAsync(
                    links[0].Path, links[0].VirtualSize, request.Source, progress, cancellationToken).ConfigureAwait(false)
                : null;
            var copied = await CopyAsync(
                children, target, links[into].Format, digest, request, progress, through, cancellationToken)
                .ConfigureAwait(false);

            cancellationToken.ThrowIfCancellationRequested();
            if (!request.KeepChildren)
            {
                var merged = links.Take(into).Select(link => (link.Path, link.UniqueId ?? Guid.Empty)).ToList();
                var journal = await MergeJournal.StoreAsync(children[0], target, merged).ConfigureAwait(false);
                await journal.FinishAsync(CancellationToken.None).ConfigureAwait(false);
                await RenewAsync(target, links[into].Format).ConfigureAwait(false);
            }

            return new VhdMergeResult(
                target, children, copied.VirtualSize, copied.Read, copied.Written, Stopwatch.GetElapsedTime(started),
                digest is not null, request.KeepChildren);
        }
        finally
        {
            held.ForEach(one => one.Dispose());
        }
    }

    /// <summary>Whether the merge of a leaf was interrupted when its result was complete and the leaf was gone.</summary>
    /// <param name="leafPath">The leaf.</param>
    public static bool IsUnfinished(string leafPath)
    {
        // A leaf that is still there may have been written to since, and is merged anew.
        var leaf = Destination.Resolve(leafPath);
        return !File.Exists(leaf) && MergeJournal.TryLoad(leaf) is { } journal && File.Exists(journal.Target);
    }

    /// <summary>Finishes a merge that was interrupted when its result was complete, if there is one of this leaf.</summary>
    /// <param name="leafPath">The leaf, which may be gone.</param>
    /// <param name="cancellationToken">Ends the work between two disks.</param>
    /// <returns>The disk that has all data; null where there is nothing to finish, or the leaf is still there.</returns>
    /// <exception cref="ImageWriteException">A disk that was merged cannot be removed.</exception>
    /// <exception cref="VhdChainException">One has another child by now.</exception>
    public static async Task<string?> TryFinishAsync(string leafPath, CancellationToken cancellationToken = default)
    {
        if (!IsUnfinished(leafPath) || MergeJournal.TryLoad(Destination.Resolve(leafPath)) is not { } journal)
        {
            return null;
        }

        await ThrowIfUsedAsync(journal, cancellationToken).ConfigureAwait(false);
        await journal.FinishAsync(cancellationToken).ConfigureAwait(false);
        return journal.Target;
    }

    // Somebody may have taken a disk that was to go for something else meanwhile.
    private static async ValueTask ThrowIfUsedAsync(MergeJournal journal, CancellationToken cancellationToken)
    {
        var links = new List<VhdChainLink>();
        foreach (var (path, id) in journal.Merged.Where(one => File.Exists(one.Path)))
        {
            var disk = await ChainDisk.ReadAsync(path, InspectionOptions.Default, false, cancellationToken)
                .ConfigureAwait(false);
            if (disk.Id == id)
            {
                links.Add(disk.ToLink(links.Count));
            }
        }

        if (links.Count > 0)
        {
            await VhdSiblings.ThrowIfSharedAsync(new VhdChain(links), links.Count - 1, cancellationToken)
                .ConfigureAwait(false);
        }
    }

    private static void ThrowIfUnusable(VhdMergeRequest request, int into)
    {
        var links = request.Chain.Links;
        if (into <= 0 || into >= links.Count)
        {
            throw new VhdChainException(
                VhdChainProblem.NotInChain, request.Chain.Leaf.Path,
                links.Count == 1
                    ? "It has no parent that it could be merged into."
                    : $"Disk {into} of its chain cannot be merged into; that can be 1 to {links.Count - 1}.");
        }

        foreach (var link in links.Take(into))
        {
            if (link.ParentFound == false)
            {
                throw new VhdChainException(
                    VhdChainProblem.ParentMissing, link.Path,
                    $"Its parent '{link.ParentPath}' is missing. Put it there, or name another with Set-VhdParent.");
            }

            if (link.IdMatches == false)
            {
                throw new VhdChainException(
                    VhdChainProblem.IdMismatch, link.Path,
                    $"'{link.ParentPath}' is not its parent, or was replaced: the id is another. Put the right file there.");
            }
        }
    }

    private static async Task<(long VirtualSize, long Read, long Written)> CopyAsync(
        IReadOnlyList<string> children,
        string target,
        ImageFormat format,
        byte[]? digest,
        VhdMergeRequest request,
        IProgress<ConversionProgress>? progress,
        Func<IByteSink, IByteSink>? through,
        CancellationToken cancellationToken)
    {
        var options = request.Source;
        using var file = ImageLock.Acquire(target);
        var inspection = await InspectAsync(target, format, options, cancellationToken).ConfigureAwait(false);
        var sink = through?.Invoke(file.Sink) ?? file.Sink;
        using var into = await OpenTargetAsync(file, sink, inspection, cancellationToken).ConfigureAwait(false);
        using var source = await ChildrenMap
            .OpenAsync(children, inspection, into.VirtualSize, options, cancellationToken).ConfigureAwait(false);
        if (source.Map.VirtualSize > into.VirtualSize)
        {
            await into.PrepareGrowthAsync(source.Map.VirtualSize, cancellationToken).ConfigureAwait(false);
        }

        await into.ReserveAsync(RangesOf(source.Map, into.NeedsZeros, cancellationToken), cancellationToken)
            .ConfigureAwait(false);
        using var reader = new ExtentReader();
        using var buffer = new AlignedBuffer(BufferLength);
        var paced = new PacedProgress(progress);
        await foreach (var extent in source.Map.GetExtentsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (extent.Kind == ExtentKind.Zero)
            {
                await into.WriteZeroesAsync(extent.GuestOffset, extent.Length, cancellationToken).ConfigureAwait(false);
            }

            for (var at = 0L; !extent.IsEmpty && at < extent.Length; at += BufferLength)
            {
                var piece = extent.Slice(at, Math.Min(BufferLength, extent.Length - at));
                var data = buffer.Memory[..(int)piece.Length];
                await reader.ReadAsync([piece], piece.GuestOffset, data, cancellationToken).ConfigureAwait(false);
                await into.WriteAsync(piece.GuestOffset, data, cancellationToken).ConfigureAwait(false);
                Report(ConversionStage.Converting, piece.GuestEnd);
            }
        }

        Report(ConversionStage.Flushing, source.Map.VirtualSize);
        await into.FinishAsync(cancellationToken).ConfigureAwait(false);
        if (digest is not null)
        {
            var result = await HashAsync(target, source.Map.VirtualSize, options, progress, cancellationToken)
                .ConfigureAwait(false);
            if (!result.AsSpan().SequenceEqual(digest))
            {
                throw new VerificationFailedException(target);
            }
        }

        // What is behind the new end is gone then.
        if (source.Map.VirtualSize < into.VirtualSize && !request.KeepChildren)
        {
            await into.ShrinkAsync(source.Map.VirtualSize, cancellationToken).ConfigureAwait(false);
        }

        return (into.VirtualSize, reader.BytesRead, file.Sink.BytesWritten);

        void Report(ConversionStage stage, long position) => paced.Report(stage, position, source.Map.VirtualSize);
    }

    // A disk that was made over the target, and left out, must not take it for what it was. VHDs have nothing for that.
    private static async ValueTask RenewAsync(string target, ImageFormat format)
    {
        if (format == ImageFormat.Vhdx)
        {
            using var file = ImageLock.Acquire(target);
            using var editor = await VhdxEditor.OpenAsync(file, file.Sink, CancellationToken.None).ConfigureAwait(false);
            await editor.RenewDataWriteGuidAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    private static async IAsyncEnumerable<(long Start, long End)> RangesOf(
        ImageMap map,
        bool withZeros,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var extent in map.GetExtentsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (!extent.IsEmpty || (withZeros && extent.Kind == ExtentKind.Zero))
            {
                yield return (extent.GuestOffset, extent.GuestEnd);
            }
        }
    }

    private static async ValueTask<ImageInspection> InspectAsync(
        string path, ImageFormat format, OpenOptions options, CancellationToken cancellationToken)
    {
        using var source = FileByteSource.Open(path);
        return await ImageOpener.VetAsync(
            source,
            options with { ClaimedFormat = format, KnownRaw = format == ImageFormat.Raw, Snapshot = null },
            cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask<IMergeTarget> OpenTargetAsync(
        ImageLock file, IByteSink sink, ImageInspection inspection, CancellationToken cancellationToken)
    {
        if (inspection.Format.ToQemuName() == "raw")
        {
            return new LinearMergeTarget(null, sink, inspection.VirtualSize!.Value);
        }

        if (inspection.Format == ImageFormat.Vhd)
        {
            var editor = await VhdEditor.OpenAsync(file, sink, cancellationToken).ConfigureAwait(false);
            return editor.Footer.DiskType == VhdDiskType.Fixed
                ? new LinearMergeTarget(editor, sink, editor.VirtualSize)
                : new VhdMergeTarget(editor);
        }

        return new VhdxMergeTarget(await VhdxEditor.OpenAsync(file, sink, cancellationToken).ConfigureAwait(false));
    }

    private static async Task<byte[]> HashAsync(
        string path,
        long length,
        OpenOptions options,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        using var image = await ImageOpener.OpenAsync(path, options, cancellationToken).ConfigureAwait(false);
        return await GuestDigest.OfAsync(
            new ResizedMap(image.Map, length),
            position => progress?.Report(new ConversionProgress(ConversionStage.Verifying, position, length)),
            cancellationToken).ConfigureAwait(false);
    }
}
