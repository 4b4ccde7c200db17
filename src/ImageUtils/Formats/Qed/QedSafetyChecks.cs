using ImageUtils.Safety;

namespace ImageUtils.Formats.Qed;

/// <summary>What a QED header may claim, by its specification.</summary>
internal static class QedSafetyChecks
{
    internal const uint MinimumClusterSize = 1 << 12;
    internal const uint MaximumClusterSize = 1 << 26;
    internal const uint MaximumTableClusters = 16;
    internal const int MaximumBackingFileNameLength = 1023;

    internal const string Refusal = "QED images are refused, as in OpenStack: the format is given up, and qcow2 has "
        + "taken its place. Convert it to qcow2 where it comes from.";

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Banned, "QED always fails, as in oslo.utils."),
        new(CheckNames.BackingFile, "The image does not depend on another file."),
        new(CheckNames.Tables, "Cluster, table and image sizes are sane, and the L1 table lies inside the file."),
        new(CheckNames.Truncated, "The file holds its header."),
    ];

    /// <summary>What is impossible in the header whatever the file holds; null where nothing is.</summary>
    internal static string? FindImpossible(QedHeader header)
    {
        if (header.ClusterSize is < MinimumClusterSize or > MaximumClusterSize || !uint.IsPow2(header.ClusterSize))
        {
            return $"The QED header's cluster_size at byte 4 is {header.ClusterSize}; "
                + $"a power of two from {MinimumClusterSize} to {MaximumClusterSize} is possible.";
        }

        if (header.TableClusters is 0 or > MaximumTableClusters || !uint.IsPow2(header.TableClusters))
        {
            return $"The QED header's table_size at byte 8 is {header.TableClusters} clusters; "
                + $"a power of two up to {MaximumTableClusters} is possible.";
        }

        UInt128 entries = (ulong)header.ClusterSize * header.TableClusters / sizeof(ulong);
        if (header.ImageSize % 512 != 0 || header.ImageSize > long.MaxValue
            || header.ImageSize > entries * entries * header.ClusterSize)
        {
            return $"The QED header's image_size at byte 48 is {header.ImageSize} bytes, which is no multiple of 512 "
                + "or more than its tables can describe.";
        }

        if (header.HeaderClusters == 0)
        {
            return "The QED header's header_size at byte 12 is 0 clusters; 1 at least is possible.";
        }

        var headerSize = (ulong)header.HeaderClusters * header.ClusterSize;
        if (header.L1TableOffset % header.ClusterSize != 0 || header.L1TableOffset < headerSize
            || header.L1TableOffset > long.MaxValue / 2)
        {
            return $"The QED header's l1_table_offset at byte 40 is {header.L1TableOffset}: the table is not aligned "
                + "to a cluster, overlaps the header, or lies where no file reaches.";
        }

        var nameEnd = (ulong)header.BackingFileNameOffset + header.BackingFileNameSize;
        return header.Features.HasFlag(QedFeatures.BackingFile)
            && (nameEnd > headerSize || nameEnd > IO.ForwardReader.HeadLength
                || header.BackingFileNameOffset < QedHeader.Length
                || header.BackingFileNameSize > MaximumBackingFileNameLength)
            ? $"The QED backing file name of {header.BackingFileNameSize} bytes at byte {header.BackingFileNameOffset} "
                + $"does not lie near the header, or is longer than {MaximumBackingFileNameLength} bytes."
            : null;
    }
}
