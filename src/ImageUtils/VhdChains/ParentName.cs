using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>The name that a differencing disk has for its parent.</summary>
public static class ParentName
{
    /// <summary>
    /// The parent's path relative to the disk's directory, all links resolved: it still holds when both are moved
    /// together, and can be allowed without allowing all directories.
    /// </summary>
    /// <param name="diskPath">The disk, which need not exist.</param>
    /// <param name="parentPath">Its parent.</param>
    /// <exception cref="ImageWriteException">A path's links lead nowhere.</exception>
    public static string RelativeTo(string diskPath, string parentPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(diskPath);
        ArgumentException.ThrowIfNullOrEmpty(parentPath);
        var name = Path.GetRelativePath(
            Path.GetDirectoryName(Destination.Resolve(diskPath))!, Destination.Resolve(parentPath));

        // A colon in a first name would be taken for a protocol's.
        return Path.IsPathRooted(name) || name[0] == '.' ? name : Path.Join(".", name);
    }
}
