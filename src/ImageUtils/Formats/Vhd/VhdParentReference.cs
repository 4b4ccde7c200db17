using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhd;

/// <summary>A path by which a differencing disk's parent is looked for, with forward slashes.</summary>
/// <remarks>
/// Inspector, readers and the search for chains take the paths from here. Hyper-V names a parent by an absolute path of
/// its machine as well (<c>C:\vms\base.vhd</c>, <c>\\server\share\base.vhd</c>, <c>\\?\Volume{…}\base.vhd</c>). Where
/// there are no drives, that can be no file's name; it then stands for the file of that name beside the disk.
/// </remarks>
/// <param name="Name">The name as the disk has it.</param>
/// <param name="Path">The path that it stands for; empty where that is none.</param>
/// <param name="IsByFileName">
/// Only the name's last part is left of it, to be looked for beside the disk: a file of that name is the parent if it
/// has the parent's id, and nothing to the disk otherwise.
/// </param>
internal readonly record struct VhdParentReference(string Name, string Path, bool IsByFileName)
{
    // A relative name says most surely which file is meant: it still holds when the chain has been moved.
    private static readonly (string Code, bool IsAbsolute)[] s_codes =
        [("W2ru", false), ("Wi2r", false), ("MacX", false), ("W2ku", true), ("Wi2k", true)];

    /// <summary>
    /// What the names of an inspected VHD or VHDX stand for: each must be allowed, and they are tried in this order.
    /// </summary>
    internal static IReadOnlyList<VhdParentReference> Of(ImageInspection inspection) =>
        Of(inspection, OperatingSystem.IsWindows());

    /// <inheritdoc cref="Of(ImageInspection)"/>
    /// <param name="inspection">What was found in the disk.</param>
    /// <param name="hasDrives">Whether paths of Windows can name files of this machine.</param>
    internal static IReadOnlyList<VhdParentReference> Of(ImageInspection inspection, bool hasDrives) =>
        inspection.Details switch
        {
            VhdDetails vhd => Of(
                NamesOf(vhd.ParentLocators, vhd.ParentName), vhd.ParentId is { } id && id != Guid.Empty, hasDrives),
            VhdxDetails vhdx => Of(
                NamesOf(vhdx.ParentLocator), VhdxParentLocator.LinkagesOf(vhdx.ParentLocator).Count > 0, hasDrives),
            _ => [],
        };

    /// <summary>What a VHD's names stand for.</summary>
    /// <param name="locators">Its locators.</param>
    /// <param name="headerName">The name in its header; null or empty: none.</param>
    /// <param name="parentId">The parent's unique id; empty where the parent is raw.</param>
    internal static IReadOnlyList<VhdParentReference> Of(
        IReadOnlyList<VhdParentName> locators, string? headerName, Guid parentId) =>
        Of(NamesOf(locators, headerName), parentId != Guid.Empty, OperatingSystem.IsWindows());

    /// <summary>What a VHDX's names stand for.</summary>
    /// <param name="entries">Its parent locator's.</param>
    internal static IReadOnlyList<VhdParentReference> Of(IReadOnlyList<KeyValuePair<string, string>> entries) =>
        Of(NamesOf(entries), VhdxParentLocator.LinkagesOf(entries).Count > 0, OperatingSystem.IsWindows());

    /// <summary>
    /// The paths at which to look for the parent: those that the names stand for, and last, as parents mostly move with
    /// their children, the files that other absolute paths name, beside the disk.
    /// </summary>
    internal static IReadOnlyList<VhdParentReference> ToSearch(ImageInspection inspection)
    {
        var stated = Of(inspection).Where(reference => reference.Name.Length > 0).ToArray();
        var moved = stated.Where(reference => IsAbsolute(reference.Path))
            .Select(reference => BesideDisk(reference.Name))
            .Where(reference => reference.Path.Length > 0);
        return [.. stated.Concat(moved).DistinctBy(reference => reference.Target)];
    }

    /// <summary>Judges by a gate where the parent may lie.</summary>
    /// <param name="context">Gets the verdict.</param>
    /// <param name="references">All that the disk's names stand for; at least one.</param>
    internal static void Judge(InspectionContext context, IReadOnlyList<VhdParentReference> references)
    {
        var gate = context.Policy.BackingFileGate;
        foreach (var reference in references)
        {
            if (reference.Decide(gate, context.Options.Path) is { IsAllowed: false } denied)
            {
                context.Fail(
                    CheckNames.Parent,
                    $"The image names the parent '{Printable.Text(reference.Name)}'{reference.Meaning}: "
                    + $"{denied.Reason}. {reference.Remedy}");
                return;
            }
        }

        context.Pass(
            CheckNames.Parent,
            $"The image names the parent '{Printable.Text(references[0].Name)}'{references[0].Meaning}, which is "
            + "allowed.");
    }

    /// <summary>Opens the first that is there of what a disk's names stand for.</summary>
    /// <param name="references">In the order in which to try them; at least one.</param>
    /// <param name="context">Opens them.</param>
    /// <param name="format">What the parent is.</param>
    /// <param name="isParent">Whether a file has the parent's id. What a full name leads to is not asked.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFileException">None is there: the first name's.</exception>
    /// <exception cref="ImageFormatException">Beside the disk there is only a file with another id.</exception>
    /// <exception cref="ImageUnsafeException">The gate or a check refuses it.</exception>
    internal static async ValueTask<OpenedParent> OpenFirstAsync(
        IReadOnlyList<VhdParentReference> references,
        ReaderContext context,
        ImageFormat format,
        Func<ImageInspection, bool> isParent,
        CancellationToken cancellationToken)
    {
        ImageFileException? missing = null;
        VhdParentReference? other = null;
        foreach (var reference in references.Where(reference => reference.Name.Length > 0))
        {
            try
            {
                if (!reference.IsByFileName)
                {
                    return await context.OpenParentAsync(reference.Path, format, cancellationToken)
                        .ConfigureAwait(false);
                }

                if (await context.TryOpenParentAsync(reference.Path, format, isParent, cancellationToken)
                    .ConfigureAwait(false) is { } parent)
                {
                    return parent;
                }

                other ??= reference;
            }
            catch (ImageFileException exception) when (exception.Problem == ImageFileProblem.NotFound)
            {
                missing ??= exception;
            }
        }

        throw other is { } found
            ? new ImageFormatException(
                CheckNames.Parent,
                $"The disk names the parent '{Printable.Text(found.Name)}'{found.Meaning}; but that file has another "
                + "id: it is not the disk's parent, or was replaced or changed. Put the right file there, or give the "
                + "disk its right parent with Set-VhdParent.")
            : (Exception?)missing ?? new ImageFormatException(
                CheckNames.Parent, "The disk depends on a parent, but names it in no way that can be read.");
    }

    /// <summary>A gate's decision on the file that the name stands for.</summary>
    internal GateDecision Decide(IReferenceGate gate, string? diskPath) => Path.Length == 0 && Name.Length > 0
        ? new GateDecision(null, "it is a path of Windows, and stands for no file here")
        : gate.Decide(Path, diskPath);

    // What to do when the parent may not be opened.
    private string Remedy => Path.Length == 0
        ? "Give the disk its right parent with Set-VhdParent."
        : "If that is its parent, allow its directory with -AllowBackingFile; otherwise give the disk its right parent "
            + "with Set-VhdParent.";

    /// <summary>What tells references apart: the path, or the name where that is none.</summary>
    internal string Target => Path.Length > 0 ? Path : Name;

    private string Meaning => IsByFileName ? $" (here '{Printable.Text(Path)}', beside it)" : "";

    /// <summary>What names stand for.</summary>
    /// <param name="names">The names, and whether their place is one for absolute paths.</param>
    /// <param name="hasId">Whether the parent has an id, by which a file is known that has only the name.</param>
    /// <param name="hasDrives">Whether paths of Windows can name files of this machine.</param>
    private static VhdParentReference[] Of(
        IEnumerable<(string Name, bool MayBeAbsolute)> names, bool hasId, bool hasDrives)
    {
        var references = names.Select(name => hasDrives || !name.MayBeAbsolute || !IsOfWindows(name.Name)
            ? new VhdParentReference(name.Name, VhdParentLocator.ToPath(name.Name), false)
            : hasId ? BesideDisk(name.Name)
            : new VhdParentReference(name.Name, "", false));

        // What has a path of its own is surer than what has a name in common.
        return
        [
            .. references.OrderBy(reference => reference.IsByFileName)
                .DistinctBy(reference => reference.Target),
        ];
    }

    private static VhdParentReference BesideDisk(string name)
    {
        var path = VhdParentLocator.ToPath(name);
        var file = path[(path.LastIndexOf('/') + 1)..];
        return new VhdParentReference(name, file is "" or "." or ".." ? "" : "./" + file, true);
    }

    // With a drive letter, or a server or volume. A single backslash is how the path of a system without drives begins.
    private static bool IsOfWindows(string name) =>
        name.StartsWith(@"\\", StringComparison.Ordinal) || HasDrive(VhdParentLocator.ToPath(name));

    private static bool IsAbsolute(string path) => path.StartsWith('/') || HasDrive(path);

    private static bool HasDrive(string path) =>
        path.Length > 2 && char.IsAsciiLetter(path[0]) && path[1] == ':' && path[2] == '/';

    private static IEnumerable<(string Name, bool MayBeAbsolute)> NamesOf(
        IReadOnlyList<VhdParentName> locators, string? headerName) =>
        s_codes.SelectMany(one => locators
            .Where(locator => locator.PlatformCode == one.Code && locator.Name is not null)
            .Select(locator => (locator.Name!, one.IsAbsolute)))
            .Concat(string.IsNullOrEmpty(headerName) ? [] : [(headerName, true)]);

    private static IEnumerable<(string Name, bool MayBeAbsolute)> NamesOf(
        IReadOnlyList<KeyValuePair<string, string>> entries) =>
        VhdxParentLocator.PathKeys.SelectMany(key => entries
            .Where(entry => string.Equals(entry.Key, key, StringComparison.OrdinalIgnoreCase))
            .Select(entry => (entry.Value, key != VhdxParentLocator.RelativePath)));
}
