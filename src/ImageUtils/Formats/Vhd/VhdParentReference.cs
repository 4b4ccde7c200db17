using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;

namespace ImageUtils.Formats.Vhd;

/// <summary>A path by which a differencing disk's parent is looked for, with forward slashes.</summary>
/// <param name="Name">The name as the disk has it.</param>
/// <param name="Path">The path that it stands for.</param>
/// <param name="IsByFileName">
/// Only the name's last part is left of it, to be looked for beside the disk: a file of that name is the parent if it
/// has the parent's id, and nothing to the disk otherwise.
/// </param>
internal readonly record struct VhdParentReference(string Name, string Path, bool IsByFileName)
{
    // A relative name says most surely which file is meant: it still holds when the chain has been moved.
    private static readonly string[] s_codes = ["W2ru", "Wi2r", "MacX", "W2ku", "Wi2k"];

    /// <summary>The paths at which to look for the parent of an inspected VHD or VHDX, in this order.</summary>
    internal static IReadOnlyList<VhdParentReference> Of(ImageInspection inspection)
    {
        var names = inspection.Details switch
        {
            VhdDetails vhd => NamesOf(vhd),
            VhdxDetails vhdx => NamesOf(vhdx),
            _ => [],
        };
        var written = names.OfType<string>().Where(name => name.Length > 0)
            .Select(name => (Name: name, Path: VhdParentLocator.ToPath(name)))
            .Where(name => name.Path.Length > 0)
            .DistinctBy(name => name.Path).ToArray();

        // An absolute path was right where the chain was made. Parents mostly move with their children.
        var moved = written.Where(name => IsAbsolute(name.Path))
            .Select(name => (name.Name, File: name.Path[(name.Path.LastIndexOf('/') + 1)..]))
            .Where(name => name.File is not ("" or "." or ".."))
            .DistinctBy(name => name.File);
        return
        [
            .. written.Select(name => new VhdParentReference(name.Name, name.Path, false)),
            .. moved.Select(name => new VhdParentReference(name.Name, "./" + name.File, true)),
        ];
    }

    /// <summary>Whether a path is absolute, here or on Windows (<c>C:/</c>, <c>//server/share</c>).</summary>
    internal static bool IsAbsolute(string path) =>
        path.StartsWith('/') || (path.Length > 2 && char.IsAsciiLetter(path[0]) && path[1] == ':' && path[2] == '/');

    private static IEnumerable<string?> NamesOf(VhdDetails details) =>
        s_codes.SelectMany(code => details.ParentLocators
            .Where(locator => locator.PlatformCode == code).Select(locator => locator.Name))
            .Append(details.ParentName);

    private static IEnumerable<string?> NamesOf(VhdxDetails details) =>
        VhdxParentLocator.PathKeys.Select(
            key => details.ParentLocator.FirstOrDefault(entry => entry.Key == key).Value);
}
