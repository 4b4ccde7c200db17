using ImageUtils.Formats.Vmdk;

namespace ImageUtils.Qemu;

/// <summary>Makes <see cref="VmdkDetails"/> of what qemu-img says.</summary>
/// <remarks>
/// QEMU, qapi/block-core.json, <c>ImageInfoSpecificVmdk</c> and <c>VmdkExtentInfo</c>. It tells of the extents as they
/// were opened, not as they are written; an extent that is the image itself has an empty format.
/// </remarks>
internal static class QemuVmdkSpecific
{
    /// <summary>Null where a field is missing or of another kind than expected.</summary>
    internal static VmdkDetails? TryBuild(Dictionary<string, object?> data, List<string> notes)
    {
        var rest = new Dictionary<string, object?>(data);
        if (QemuFormatSpecific.TakeText(rest, "create-type") is not { } createType
            || !QemuFormatSpecific.TryTake<long?>(rest, "cid", out var contentId)
            || !QemuFormatSpecific.TryTake<long?>(rest, "parent-cid", out var parentContentId)
            || !QemuFormatSpecific.TryTake<List<object?>>(rest, "extents", out var extents)
            || contentId is < 0 or > uint.MaxValue || parentContentId is < 0 or > uint.MaxValue
            || TryBuildExtents(extents ?? []) is not { } extentDetails)
        {
            return null;
        }

        QemuFormatSpecific.AddRest(notes, rest);
        return new VmdkDetails
        {
            CreateType = createType,
            ContentId = (uint?)contentId,
            ParentContentId = (uint?)parentContentId,
            Extents = extentDetails,
        };
    }

    private static List<VmdkExtent>? TryBuildExtents(List<object?> extents)
    {
        var details = new List<VmdkExtent>();
        foreach (var extent in extents)
        {
            if (extent is not Dictionary<string, object?> fields)
            {
                return null;
            }

            var rest = new Dictionary<string, object?>(fields);
            if (QemuFormatSpecific.TakeText(rest, "filename") is not { } name
                || QemuFormatSpecific.TakeText(rest, "format") is not { } format
                || !QemuFormatSpecific.TryTake<long?>(rest, "virtual-size", out var size)
                || !QemuFormatSpecific.TryTake<long?>(rest, "cluster-size", out var clusterSize)
                || !QemuFormatSpecific.TryTake<bool>(rest, "compressed", out var isCompressed))
            {
                return null;
            }

            details.Add(new VmdkExtent(
                null, format.Length == 0 ? null : format, name, size, null, clusterSize, isCompressed));
        }

        return details;
    }
}
