using System.Globalization;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <summary>Finds the disks of a chain of VHDs or VHDXs, and says how they hang together. Nothing is written.</summary>
public static class VhdChainFinder
{
    /// <summary>Follows a disk's parents to the base, or to where the chain breaks.</summary>
    /// <remarks>
    /// A parent is looked for by the names that the disk has for it: relative ones first (VHD's W2ru and MacX, VHDX's
    /// relative_path), then absolute ones (W2ku, volume_path, absolute_win32_path) and the one in the header; last by
    /// an absolute name's file name beside the disk, where the id must then match. Only files below the leaf's own
    /// directory, and below those that the policy allows for backing files, are looked at. A parent that is missing or
    /// has another id is no error here: the last link says so.
    /// </remarks>
    /// <param name="leafPath">The disk to begin with, which may have a parent or not.</param>
    /// <param name="options">What is allowed and claimed.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFileException">A disk cannot be read.</exception>
    /// <exception cref="ImageFormatMismatchException">The leaf is not what it is claimed to be.</exception>
    /// <exception cref="VhdChainException">
    /// The chain has no end, or more than <see cref="VhdChain.MaximumDepth"/> disks; a disk failed its checks or is
    /// neither VHD nor VHDX.
    /// </exception>
    public static async Task<VhdChain> FindAsync(
        string leafPath, OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= OpenOptions.Default;
        var full = ParentSearch.Locate(leafPath);
        var search = new ParentSearch(options.Inspection, Path.GetDirectoryName(full));
        var disk = await search.ReadAsync(full, options.KnownRaw, options.Inspection.Passphrase, cancellationToken)
            .ConfigureAwait(false);
        if (options.ClaimedFormat != ImageFormat.Unknown && !options.ClaimedFormat.Accepts(disk.Inspection.Format))
        {
            throw new ImageFormatMismatchException(full, options.ClaimedFormat, disk.Inspection.Format);
        }

        ThrowIfNeither(disk, mayBeRaw: false);
        var seen = new HashSet<string>(StringComparer.Ordinal) { DirectoryGate.Resolve(full) };
        var links = new List<VhdChainLink>();
        while (true)
        {
            var link = disk.ToLink(links.Count);
            var found = disk.HasParent
                ? await search.FindAsync(disk, cancellationToken).ConfigureAwait(false)
                : null;
            links.Add(found is null ? link : Describe(link, disk, found));
            if (found?.Parent is not { } parent)
            {
                return new VhdChain(links);
            }

            if (!seen.Add(parent.Path))
            {
                throw new VhdChainException(
                    VhdChainProblem.Cycle, disk.Path,
                    $"It has '{Printable.Text(parent.Path)}' as its parent, which is itself based on it: the chain has "
                    + "no end. Give it its right parent with Set-VhdParent.");
            }

            if (!disk.IsChildOf(parent))
            {
                return new VhdChain(links);
            }

            if (links.Count == VhdChain.MaximumDepth)
            {
                throw TooDeep(full);
            }

            disk = parent;
        }
    }

    /// <summary>
    /// Takes <c>0.vhd</c>, <c>1.vhd</c> and so on, up to the first number that is not there, for a chain, as XenServer
    /// exports one: child first, whatever the disks have as their parents' names.
    /// </summary>
    /// <param name="directory">Where they are.</param>
    /// <param name="options">What is allowed.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The chain. What its links say of their parents is held against the next in number.</returns>
    /// <exception cref="ImageFileException">A disk cannot be read.</exception>
    /// <exception cref="VhdChainException">
    /// There is no <c>0.vhd</c>, there are more than <see cref="VhdChain.MaximumDepth"/>, or a disk failed its checks.
    /// </exception>
    public static async Task<VhdChain> FindInDirectoryAsync(
        string directory, OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= OpenOptions.Default;
        var full = ParentSearch.Locate(directory);
        var search = new ParentSearch(options.Inspection, full);
        var disks = new List<ChainDisk>();
        for (var number = 0; ; number++)
        {
            var path = Path.Join(full, string.Create(CultureInfo.InvariantCulture, $"{number}.vhd"));
            if (!File.Exists(path))
            {
                break;
            }

            if (number == VhdChain.MaximumDepth)
            {
                throw TooDeep(full);
            }

            var isRaw = number > 0 && disks[^1].HasRawParent;
            var disk = await search.ReadListedAsync(path, isRaw, cancellationToken).ConfigureAwait(false);
            ThrowIfNeither(disk, isRaw);
            disks.Add(disk);
        }

        if (disks.Count == 0)
        {
            throw new VhdChainException(
                VhdChainProblem.NotInChain, full,
                "There is no 0.vhd in it, with which a chain would begin. Name the chain's leaf instead.");
        }

        var links = new List<VhdChainLink>(disks.Count);
        for (var index = 0; index < disks.Count; index++)
        {
            var link = disks[index].ToLink(index);
            if (index + 1 < disks.Count)
            {
                links.Add(DescribeNext(link, disks[index], disks[index + 1]));
            }
            else if (disks[index].HasParent)
            {
                var found = await search.FindAsync(disks[index], cancellationToken).ConfigureAwait(false);
                link = Describe(link, disks[index], found);
                links.Add(link with
                {
                    Problems = [.. link.Problems, "It is the last in number, but has a parent beyond."],
                });
            }
            else
            {
                links.Add(link);
            }
        }

        return new VhdChain(links);
    }

    private static void ThrowIfNeither(ChainDisk disk, bool mayBeRaw)
    {
        if (!disk.IsVhdOrVhdx && !mayBeRaw)
        {
            throw disk.NotUsable(
                $"It is {disk.Inspection.Format.ToName()}, neither a VHD nor a VHDX, and is in no chain of them.");
        }
    }

    private static VhdChainException TooDeep(string path) => new(
        VhdChainProblem.TooDeep, path,
        $"Its chain has more than {VhdChain.MaximumDepth} disks. Merge some of them with Merge-VhdChain.");

    private static VhdChainLink Describe(VhdChainLink link, ChainDisk disk, ParentFinding found) =>
        found.Parent is { } parent
            ? link with
            {
                ParentPath = parent.Path,
                ParentFound = true,
                IdMatches = disk.IsChildOf(parent),
                Problems = [.. link.Problems, .. ParentProblems.Find(disk, parent)],
            }
            : link with
            {
                ParentPath = found.FirstName,
                ParentFound = false,
                Problems = [.. link.Problems, found.Problem],
            };

    private static VhdChainLink DescribeNext(VhdChainLink link, ChainDisk disk, ChainDisk next) =>
        disk.HasParent
            ? link with
            {
                ParentPath = next.Path,
                ParentFound = true,
                IdMatches = disk.IsChildOf(next),
                Problems = [.. link.Problems, .. ParentProblems.Find(disk, next)],
            }
            : link with
            {
                Problems =
                [
                    .. link.Problems,
                    $"It has no parent, but '{Path.GetFileName(next.Path)}' follows it in number.",
                ],
            };
}
