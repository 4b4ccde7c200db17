using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;

namespace ImageUtils.VhdChains;

/// <summary>What is wrong or noteworthy about a disk and the parent that was found for it, a sentence each.</summary>
internal static class ParentProblems
{
    internal static IEnumerable<string> Find(ChainDisk disk, ChainDisk parent)
    {
        var name = Printable.Text(parent.Path);
        if (!disk.IsChildOf(parent))
        {
            yield return FindMismatch(disk, parent, name);
            yield break;
        }

        if (parent.Size is { } parentSize && disk.Size is { } size && parentSize != size)
        {
            yield return parentSize < size
                ? $"'{name}' is smaller: of the disk's {size} bytes it has {parentSize}. What it lacks reads as zeros."
                : $"'{name}' is larger: {parentSize} bytes, of which the disk has the first {size}.";
        }

        // 2000-01-01 is what those write who do not know the time.
        if (disk.Inspection.Details is VhdDetails { ParentTimeStamp: { } stated } && stated != VhdFooter.Epoch
            && !IsTimeOf(parent, stated))
        {
            yield return $"'{name}' was last changed on {File.GetLastWriteTimeUtc(parent.Path):u}, and the disk has "
                + $"{stated.UtcDateTime:u} as the time. A copy of a file can have a new time; but if the parent's data "
                + "were changed, the disk's are not what they were.";
        }
    }

    private static string FindMismatch(ChainDisk disk, ChainDisk parent, string name)
    {
        if (!disk.HasRawParent && parent.Inspection.Format != disk.Inspection.Format)
        {
            return $"'{name}' is {parent.Inspection.Format.ToName()}, and not the {disk.Inspection.Format.ToName()} "
                + "that the disk is based on. Put the right file there, or give the disk its right parent with "
                + "Set-VhdParent.";
        }

        var stated = disk.ParentIds.Count == 0 ? "one that cannot be read" : string.Join(" or ", disk.ParentIds);
        return $"The parent's id is {stated}, but '{name}' has {parent.Id}: it is not the disk's parent, or was "
            + "replaced or changed. Put the right file there, or give the disk its right parent with Set-VhdParent.";
    }

    // Those who make children write down when the parent's file was last changed, or the time in its footer.
    private static bool IsTimeOf(ChainDisk parent, DateTimeOffset stated)
    {
        var changed = (DateTimeOffset)File.GetLastWriteTimeUtc(parent.Path);
        return changed.ToUnixTimeSeconds() == stated.ToUnixTimeSeconds()
            || (parent.Inspection.Details as VhdDetails)?.TimeStamp == stated;
    }
}
