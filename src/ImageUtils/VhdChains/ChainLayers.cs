using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <summary>Opens VHDs one over the other in a given order, whatever names they have for their parents.</summary>
internal static class ChainLayers
{
    /// <summary>Opens a chain; each disk must state the id of the next one as its parent's.</summary>
    /// <param name="paths">The disks, leaf first.</param>
    /// <param name="inspection">What is allowed of each; where a parent may lie is not looked at.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="VhdChainException">They are no chain.</exception>
    /// <exception cref="ImageUnsafeException">A disk failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">One is no VHD.</exception>
    internal static async ValueTask<OpenedImage> OpenAsync(
        IReadOnlyList<string> paths, InspectionOptions inspection, CancellationToken cancellationToken)
    {
        var policy = inspection.Policy;
        var options = new OpenOptions
        {
            ClaimedFormat = ImageFormat.Vhd,

            // The names are not followed: where they lead to does not matter.
            Inspection = inspection with
            {
                Policy = policy with { NonFatalChecks = [.. policy.NonFatalChecks, CheckNames.Parent] },
            },
        };
        var opened = new List<IDisposable>();
        var depths = new Dictionary<IByteSource, int>(ReferenceEqualityComparer.Instance);
        try
        {
            OpenedParent? below = null;
            FileByteSource? file = null;
            for (var index = paths.Count - 1; index >= 0; index--)
            {
                file = FileByteSource.Open(paths[index]);
                opened.Add(file);
                depths.Add(file, index);
                var found = await ImageOpener.VetAsync(file, options, cancellationToken).ConfigureAwait(false);
                ThrowIfNotOver(file.Path, (VhdDetails)found.Details!, below);
                var map = await VhdReader
                    .OpenAsync(file, new GivenParent(below, file.Path) { Inspection = found }, cancellationToken)
                    .ConfigureAwait(false);
                below = new OpenedParent(map, found, file.Path);
            }

            return new OpenedImage(
                paths[0], file!, below!.Inspection, below.Map, [.. paths.Skip(1)], depths, opened);
        }
        catch
        {
            opened.ForEach(one => one.Dispose());
            throw;
        }
    }

    private static void ThrowIfNotOver(string path, VhdDetails disk, OpenedParent? below)
    {
        if (disk.ParentId is null == below is null)
        {
            var parentId = (below?.Inspection.Details as VhdDetails)?.UniqueId;
            if (parentId != disk.ParentId)
            {
                throw new VhdChainException(
                    VhdChainProblem.IdMismatch, path,
                    $"Its parent has the id {disk.ParentId}, but the next disk of the chain, '{below!.Path}', has "
                    + $"the id {parentId}: the disks are not of one chain, or not in order.");
            }

            return;
        }

        throw below is null
            ? new VhdChainException(
                VhdChainProblem.ParentMissing, path,
                $"It is the chain's last disk, but is based on another "
                + $"({Printable.Text(disk.ParentName ?? "unnamed")}) which is not there. Get the whole chain.")
            : new VhdChainException(
                VhdChainProblem.NotInChain, path,
                $"It is {disk.DiskType} and based on no other disk, but is followed by '{below.Path}'.");
    }
}
