using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <summary>Has a differencing VHD or VHDX name another parent. At every moment it names the old one or the new one.</summary>
public static class VhdParentChanger
{
    /// <summary>Names a parent by its id, its time, and relative paths for every platform.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="cancellationToken">Ends the work; the disk then names the old parent or the new.</param>
    /// <exception cref="VhdChainException">
    /// The disk is no differencing VHD or VHDX; the parent is based on it, has another id, heads a chain of 64 disks, or
    /// is not of the disk's format, nor raw below a VHD.
    /// </exception>
    /// <exception cref="ImageOptionException">The parent's path cannot be written.</exception>
    /// <exception cref="ImageFileException">A disk cannot be read.</exception>
    /// <exception cref="ImageFormatException">The disk is damaged.</exception>
    /// <exception cref="ImageWriteException">The disk is in use, or cannot be written.</exception>
    public static async Task<VhdParentChange> SetAsync(
        VhdParentRequest request, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var path = Destination.Resolve(request.Path);
        var parentPath = Path.GetFullPath(request.ParentPath);
        await VhdEditor.MendAsync(path, cancellationToken).ConfigureAwait(false);
        using var file = ImageLock.Acquire(path);
        var disk = await ReadAsync(path, request, cancellationToken).ConfigureAwait(false);
        var parent = await ReadParentAsync(request, disk, parentPath, cancellationToken).ConfigureAwait(false);
        var oldId = disk.ParentIds.Count == 0 ? Guid.Empty : disk.ParentIds[0];
        var id = parent.UniqueId ?? Guid.Empty;
        if (oldId != id && !disk.ParentIds.Contains(id) && !request.IgnoreIdMismatch)
        {
            throw new VhdChainException(
                VhdChainProblem.IdMismatch, path,
                $"Its parent has the id {Describe(oldId)}, but '{parentPath}' has {Describe(id)}. If that is what the "
                + "disk was made over, or a copy of it, state the new id with -IgnoreIdMismatch; otherwise the disk will "
                + "read as garbage.");
        }

        var name = ParentName.RelativeTo(path, parentPath);
        if (Path.IsPathRooted(name))
        {
            throw new ImageOptionException(
                "ParentPath", $"'{parentPath}' is on another drive, and has no path that is relative to the disk.");
        }

        name = name.Replace(Path.DirectorySeparatorChar, '/');
        name = name.StartsWith("./", StringComparison.Ordinal) ? name[2..] : name;
        var size = disk.Inspection.Format == ImageFormat.Vhd
            ? await ChangeVhdAsync(file, name, id, parentPath, cancellationToken).ConfigureAwait(false)
            : await ChangeVhdxAsync(file, name, id, cancellationToken).ConfigureAwait(false);
        var warnings = new List<string>();
        if (parent.VirtualSize < size)
        {
            warnings.Add(
                $"The parent has {parent.VirtualSize} bytes, fewer than the disk's {size}; what is "
                + "behind its end reads as zeros.");
        }

        warnings.AddRange(parent.Problems);
        return new VhdParentChange(path, parentPath, name, ToNull(oldId), ToNull(id), warnings);
    }

    private static Guid? ToNull(Guid id) => id == Guid.Empty ? null : id;

    private static string Describe(Guid id) => id == Guid.Empty ? "none, as raw disks have" : id.ToString();

    private static async ValueTask<long> ChangeVhdAsync(
        ImageLock file, string name, Guid id, string parentPath, CancellationToken cancellationToken)
    {
        using var editor = await VhdEditor.OpenAsync(file, file.Sink, cancellationToken).ConfigureAwait(false);
        var changed = new DateTimeOffset(File.GetLastWriteTimeUtc(parentPath), TimeSpan.Zero);
        await editor.SetParentAsync(
            VhdParent.Relative(name, id, VhdWriterOptions.SecondsOf(changed)), cancellationToken).ConfigureAwait(false);
        await editor.FinishAsync(cancellationToken).ConfigureAwait(false);
        return editor.VirtualSize;
    }

    private static async ValueTask<long> ChangeVhdxAsync(
        ImageLock file, string name, Guid id, CancellationToken cancellationToken)
    {
        using var editor = await VhdxEditor.OpenAsync(file, file.Sink, cancellationToken).ConfigureAwait(false);
        await editor.SetParentAsync(VhdxParentLocator.Relative(name.Replace('/', '\\'), id), cancellationToken)
            .ConfigureAwait(false);
        return editor.VirtualSize;
    }

    private static async ValueTask<ChainDisk> ReadAsync(
        string path, VhdParentRequest request, CancellationToken cancellationToken)
    {
        var disk = await ChainDisk.ReadAsync(path, request.Source.Inspection, isRaw: false, cancellationToken)
            .ConfigureAwait(false);
        if (!disk.HasParent)
        {
            throw disk.NotUsable(
                $"It is {(disk.IsVhdOrVhdx ? disk.Inspection.Subformat + " and " : "")}no differencing VHD or VHDX, and "
                + "cannot get a parent. Make a new disk over the parent instead.");
        }

        var failures = disk.Failures;
        return failures.Count == 0
            ? disk
            : throw disk.NotUsable(
                $"It failed its checks: {failures[0].Message} Repair-VhdChain may be able to repair it.");
    }

    // The link of the parent, whose own parents are looked at for the disk itself, and counted.
    private static async ValueTask<VhdChainLink> ReadParentAsync(
        VhdParentRequest request, ChainDisk disk, string parentPath, CancellationToken cancellationToken)
    {
        var path = disk.Path;
        var own = DirectoryGate.Resolve(path);
        if (DirectoryGate.Resolve(parentPath) == own)
        {
            throw Cycle(path, parentPath);
        }

        var search = new ParentSearch(request.Source.Inspection, Path.GetDirectoryName(path));
        var parent = await search.ReadAsync(parentPath, request.IsParentRaw, null, cancellationToken)
            .ConfigureAwait(false);
        var link = parent.ToLink(0);
        if (parent.IsRaw && disk.Inspection.Format == ImageFormat.Vhd)
        {
            return request.IsParentRaw
                ? link
                : throw parent.NotUsable(
                    "It seems to be raw. If it is a raw disk, and the disk was made over it, say so with -KnownRaw.");
        }

        if (parent.Inspection.Format != disk.Inspection.Format)
        {
            throw parent.NotUsable(
                $"It is {parent.Inspection.Format.ToName()}; a VHD's parent is a VHD, or raw, and a VHDX's a VHDX.");
        }

        var chain = await VhdChainFinder.FindAsync(
            parentPath, request.Source with { Inspection = search.Options }, cancellationToken).ConfigureAwait(false);
        if (chain.Links.Any(below => DirectoryGate.Resolve(below.Path) == own))
        {
            throw Cycle(path, parentPath);
        }

        return chain.Links.Count < VhdChain.MaximumDepth
            ? chain.Leaf
            : throw new VhdChainException(
                VhdChainProblem.TooDeep, path,
                $"Its chain would have more than {VhdChain.MaximumDepth} disks. Merge some of them with "
                + "Merge-VhdChain.");
    }

    private static VhdChainException Cycle(string path, string parentPath) => new(
        VhdChainProblem.Cycle, path,
        $"'{parentPath}' is, over others or directly, based on it: the chain would have no end. Name another parent.");
}
