using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>
/// Sets a chain of VHDs right: footers from their copies, copies from their footers, and each disk's parent. What
/// tables and bitmaps lost cannot be known, and is said only.
/// </summary>
public static class VhdRepair
{
    /// <summary>Repairs a chain, and checks every disk of it.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="cancellationToken">Ends the work between two disks.</param>
    /// <returns>A result for each disk, child first.</returns>
    /// <exception cref="VhdChainException">
    /// There are too many disks, one is there twice, one is no VHD, or one's footers are both damaged.
    /// </exception>
    /// <exception cref="ImageFileException">A disk cannot be read.</exception>
    /// <exception cref="ImageWriteException">A disk is in use, or cannot be written.</exception>
    public static async Task<IReadOnlyList<VhdRepairResult>> RunAsync(
        VhdRepairRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var paths = request.Paths.Select(Destination.Resolve).ToList();
        ThrowIfNoChain(paths);
        var actions = paths.Select(_ => new List<string>()).ToList();
        var left = paths.Select(_ => new List<string>()).ToList();
        for (var index = 0; index < paths.Count; index++)
        {
            var isRaw = index == paths.Count - 1 && index > 0
                && await HasRawParentAsync(request, paths[index - 1], cancellationToken).ConfigureAwait(false);
            if (!isRaw)
            {
                await RepairEndsAsync(request, paths[index], actions[index], left[index], cancellationToken)
                    .ConfigureAwait(false);
            }
        }

        // From the base up, so that every parent is whole when its child is looked at.
        for (var index = paths.Count - 2; index >= 0; index--)
        {
            await RepairParentAsync(
                request, paths[index], paths[index + 1], actions[index], left[index], cancellationToken)
                .ConfigureAwait(false);
        }

        var results = new List<VhdRepairResult>();
        for (var index = 0; index < paths.Count; index++)
        {
            results.Add(await CheckAsync(request, paths[index], actions[index], left[index], cancellationToken)
                .ConfigureAwait(false));
        }

        return results;
    }

    private static void ThrowIfNoChain(List<string> paths)
    {
        if (paths.Count > VhdChain.MaximumDepth)
        {
            throw new VhdChainException(
                VhdChainProblem.TooDeep, paths[0],
                $"{paths.Count} disks are named, but a chain has {VhdChain.MaximumDepth} at most.");
        }

        if (paths.GroupBy(Safety.DirectoryGate.Resolve).FirstOrDefault(same => same.Count() > 1) is { } twice)
        {
            throw new VhdChainException(
                VhdChainProblem.Cycle, twice.First(),
                "It is named twice, and would be its own parent. Name each disk once.");
        }
    }

    private static async ValueTask<bool> HasRawParentAsync(
        VhdRepairRequest request, string path, CancellationToken cancellationToken)
    {
        try
        {
            return (await ChainDisk.ReadAsync(path, request.Source.Inspection, false, cancellationToken)
                .ConfigureAwait(false)).HasRawParent;
        }
        catch (ImageFormatException)
        {
            return false;
        }
    }

    private static async ValueTask RepairEndsAsync(
        VhdRepairRequest request,
        string path,
        List<string> actions,
        List<string> left,
        CancellationToken cancellationToken)
    {
        var damage = await VhdFooterDamage.FindAsync(path, cancellationToken).ConfigureAwait(false);
        if (damage is null)
        {
            return;
        }

        if (request.MayRepair?.Invoke(path, damage.Repair) == false)
        {
            left.Add(damage.Description);
            return;
        }

        try
        {
            await damage.MendAsync(cancellationToken).ConfigureAwait(false);
            actions.Add(damage.Repair);
        }
        catch (ImageFormatException exception)
        {
            left.Add($"{damage.Description} Something else is damaged as well: {exception.Message}");
        }
    }

    private static async ValueTask RepairParentAsync(
        VhdRepairRequest request,
        string path,
        string parentPath,
        List<string> actions,
        List<string> left,
        CancellationToken cancellationToken)
    {
        var search = new ParentSearch(request.Source.Inspection, Path.GetDirectoryName(path));
        var disk = await search.ReadAsync(path, false, null, cancellationToken).ConfigureAwait(false);
        if (disk.Failures.Count > 0)
        {
            // It is said by the check that follows.
            return;
        }

        var parent = await search.ReadAsync(parentPath, disk.HasRawParent, null, cancellationToken)
            .ConfigureAwait(false);
        if (!disk.HasParent || parent.Failures.Count > 0)
        {
            left.Add(
                disk.HasParent
                    ? $"Its parent '{parentPath}' failed its checks, and was not made its parent. "
                        + parent.Failures[0].Message
                    : $"It is {disk.Inspection.Subformat}, and needs no '{parentPath}'.");
            return;
        }

        // A parent that is found already is left as it is named.
        var found = await search.FindAsync(disk, cancellationToken).ConfigureAwait(false);
        if (found.Parent is { } old && disk.IsChildOf(parent)
            && Safety.DirectoryGate.Resolve(old.Path) == Safety.DirectoryGate.Resolve(parentPath))
        {
            return;
        }

        // Which disk it was made over the id alone says: a list in the wrong order must not make garbage of a chain.
        if (!disk.IsChildOf(parent))
        {
            left.Add(
                $"'{parentPath}' is not its parent: it has another id. Put the disks in order, child first; if it is a "
                + "copy of the parent, use Set-VhdParent -IgnoreIdMismatch.");
            return;
        }

        var repair = $"Name '{Path.GetFileName(parentPath)}' as its parent";
        if (request.MayRepair?.Invoke(path, repair) == false)
        {
            left.Add($"It does not name '{parentPath}' as its parent, though that has the parent's id.");
            return;
        }

        await VhdParentChanger.SetAsync(
            new VhdParentRequest
            {
                Path = path,
                ParentPath = parentPath,
                IsParentRaw = disk.HasRawParent,
                Source = request.Source,
            },
            cancellationToken).ConfigureAwait(false);
        actions.Add(repair);
    }

    private static async ValueTask<VhdRepairResult> CheckAsync(
        VhdRepairRequest request,
        string path,
        List<string> actions,
        List<string> left,
        CancellationToken cancellationToken)
    {
        try
        {
            var report = await VhdImageCheck.RunAsync(path, request.Source, cancellationToken).ConfigureAwait(false);
            return new VhdRepairResult(path, actions, [.. left, .. report.Problems], report.Warnings);
        }
        catch (VhdChainException exception) when (exception.Problem == VhdChainProblem.NotUsable)
        {
            // A raw base has nothing to check.
            return new VhdRepairResult(path, actions, left, []);
        }
    }
}
