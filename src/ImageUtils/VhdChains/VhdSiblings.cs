using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <summary>Other disks that are based on one of a chain's.</summary>
internal static class VhdSiblings
{
    private static readonly string[] s_extensions = [".vhd", ".vhdx", ".avhd", ".avhdx"];

    /// <summary>
    /// Looks through the directories of a chain's disks for others that would be lost if those down to one were changed
    /// or went. Files that cannot be read, or are damaged, are passed over: they are lost already.
    /// </summary>
    /// <param name="chain">The chain, whose own disks do not count.</param>
    /// <param name="into">The index of the last link that would change.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="VhdChainException">There is one.</exception>
    internal static async ValueTask ThrowIfSharedAsync(VhdChain chain, int into, CancellationToken cancellationToken)
    {
        var own = chain.Links.Select(link => DirectoryGate.Resolve(link.Path)).ToHashSet(StringComparer.Ordinal);
        var changing = chain.Links.Take(into + 1).ToArray();
        foreach (var directory in chain.Links.Select(link => Path.GetDirectoryName(link.Path)!).Distinct())
        {
            foreach (var path in FilesIn(directory))
            {
                if (Resolve(path) is not { } resolved || own.Contains(resolved)
                    || await TryReadAsync(path, cancellationToken).ConfigureAwait(false)
                        is not { HasParent: true } other)
                {
                    continue;
                }

                if (Array.Find(changing, link => IsBasedOn(other, link)) is { } link)
                {
                    throw new VhdChainException(
                        VhdChainProblem.ParentShared, link.Path,
                        $"'{Printable.Text(path)}' is based on it too, and would be lost if it were changed. Merge "
                        + "that disk first, move it away if it is not needed, or use -Force.");
                }
            }
        }
    }

    private static bool IsBasedOn(ChainDisk other, VhdChainLink link) => link.UniqueId is { } id
        ? other.Inspection.Format == link.Format && other.ParentIds.Contains(id)
        : other.HasRawParent && Names(other, link.Path);

    // A raw image has no id: what leads to its file is based on it.
    private static bool Names(ChainDisk other, string path)
    {
        var resolved = DirectoryGate.Resolve(path);
        var gate = DirectoryGate.For([Path.GetDirectoryName(resolved)!]);
        return VhdParentReference.Of(other.Inspection)
            .Any(reference => !reference.IsByFileName && gate.Decide(reference.Path, other.Path).Path == resolved);
    }

    private static string? Resolve(string path)
    {
        try
        {
            return DirectoryGate.Resolve(path);
        }
        catch (IOException)
        {
            return null;
        }
    }

    private static async ValueTask<ChainDisk?> TryReadAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await ChainDisk.ReadAsync(path, InspectionOptions.Default, false, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (ImageUtilsException)
        {
            return null;
        }
    }

    private static string[] FilesIn(string directory)
    {
        try
        {
            return
            [
                .. Directory.EnumerateFiles(directory)
                    .Where(path => s_extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
                    .Order(StringComparer.Ordinal),
            ];
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            return [];
        }
    }
}
