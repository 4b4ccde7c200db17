using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow2;

/// <summary>What a qcow2 header may claim. Limits are those of QEMU's block/qcow2.c and block/qcow2.h.</summary>
internal static class Qcow2SafetyChecks
{
    internal const int MinimumClusterBits = 9;
    internal const int MaximumClusterBits = 21;
    internal const int MaximumRefcountOrder = 6;
    internal const long MaximumL1Bytes = 32 * 1024 * 1024;
    internal const long MaximumRefcountTableBytes = 8 * 1024 * 1024;
    internal const uint MaximumSnapshots = 65536;
    internal const int MaximumBackingFileNameLength = 1023;
    internal const uint MaximumBitmaps = 65535;
    internal const ulong MaximumBitmapDirectoryBytes = 65535 * 1024;

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.BackingFile, "The image does not depend on another file."),
        new(CheckNames.DataFile, "The guest's data is in the image itself."),
        new(CheckNames.UnknownFeatures, "Version and feature bits are known."),
        new(CheckNames.Tables, "Cluster size, L1, refcount, snapshot and bitmap tables are sane and do not overlap the header."),
        new(CheckNames.Truncated, "The file holds the tables that its header promises."),
    ];

    internal static string? FindUnknownFeatures(Qcow2Header header, bool allowExtendedL2)
    {
        if (header.Version is not (2 or 3))
        {
            return $"The qcow2 version is {header.Version}; 2 and 3 are known.";
        }

        var known = Qcow2IncompatibleFeatures.Dirty | Qcow2IncompatibleFeatures.Corrupt
            | Qcow2IncompatibleFeatures.ExternalDataFile | Qcow2IncompatibleFeatures.CompressionType
            | (allowExtendedL2 ? Qcow2IncompatibleFeatures.ExtendedL2 : 0);
        var unknown = header.IncompatibleFeatures & ~known;
        if (unknown == Qcow2IncompatibleFeatures.ExtendedL2)
        {
            return "The image has extended L2 entries (incompatible feature bit 4), which OpenStack refuses; "
                + "a policy with AllowExtendedL2 accepts them.";
        }

        return unknown == 0
            ? null
            : $"The image has unknown incompatible features: bits 0x{(ulong)unknown:x} at byte 72.";
    }

    /// <summary>What is impossible in the header whatever the file holds; null where nothing is.</summary>
    internal static string? FindImpossible(Qcow2Header header)
    {
        if (header.ClusterBits is < MinimumClusterBits or > MaximumClusterBits)
        {
            return $"The qcow2 header's cluster_bits at byte 20 is {header.ClusterBits}; "
                + $"{MinimumClusterBits} to {MaximumClusterBits} is possible.";
        }

        var clusterSize = 1L << (int)header.ClusterBits;
        if (header.Version >= 3 && (header.HeaderLength < Qcow2Header.Version3Length || header.HeaderLength > clusterSize))
        {
            return $"The qcow2 header's header_length at byte 100 is {header.HeaderLength}; "
                + $"{Qcow2Header.Version3Length} to the cluster's {clusterSize} is possible.";
        }

        if (header.RefcountOrder > MaximumRefcountOrder)
        {
            return $"The qcow2 header's refcount_order at byte 96 is {header.RefcountOrder}; at most 6 is possible.";
        }

        if (header.Size > long.MaxValue)
        {
            return $"The qcow2 header's size at byte 24 is {header.Size} bytes, more than any disk can have.";
        }

        if (header.CompressionType > 1
            || (header.CompressionType != 0) != header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.CompressionType))
        {
            return $"The qcow2 header's compression_type at byte 104 is {header.CompressionType}, "
                + "which is unknown or disagrees with incompatible feature bit 3.";
        }

        if (header.CryptMethod > 2)
        {
            return $"The qcow2 header's crypt_method at byte 32 is {header.CryptMethod}; 0, 1 (AES) and 2 (LUKS) are known.";
        }

        return FindImpossibleTables(header, clusterSize);
    }

    /// <summary>What lies beyond the end of the file; null where nothing does.</summary>
    internal static string? FindBeyondEnd(Qcow2Header header, long length)
    {
        if (header.L1Size > 0 && (long)header.L1TableOffset + header.L1Size * 8L > length)
        {
            return $"The qcow2 L1 table has {header.L1Size} entries at byte {header.L1TableOffset}, "
                + $"beyond the file's {length} bytes.";
        }

        if ((long)header.RefcountTableOffset >= length)
        {
            return $"The qcow2 refcount table is at byte {header.RefcountTableOffset}, beyond the file's {length} bytes.";
        }

        return header.SnapshotCount > 0 && (long)header.SnapshotsOffset >= length
            ? $"The qcow2 snapshot table is at byte {header.SnapshotsOffset}, beyond the file's {length} bytes."
            : null;
    }

    private static string? FindImpossibleTables(Qcow2Header header, long clusterSize)
    {
        var entrySize = header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExtendedL2) ? 16 : 8;
        var bytesPerL1Entry = (UInt128)clusterSize * (ulong)(clusterSize / entrySize);
        var needed = ((UInt128)header.Size + bytesPerL1Entry - 1) / bytesPerL1Entry;
        if (header.L1Size * 8L > MaximumL1Bytes)
        {
            return $"The qcow2 header's l1_size at byte 36 is {header.L1Size} entries; "
                + $"at most {MaximumL1Bytes / 8} are possible.";
        }

        if (header.L1Size < needed)
        {
            return $"The qcow2 header's l1_size at byte 36 is {header.L1Size} entries, but a disk of {header.Size} bytes "
                + $"needs {needed}.";
        }

        if (header.L1Size > 0 && FindMisplaced("L1 table", header.L1TableOffset, clusterSize) is { } l1)
        {
            return l1;
        }

        if (header.RefcountTableClusters == 0)
        {
            return "The qcow2 header's refcount_table_clusters at byte 56 is 0: there is no refcount table.";
        }

        if (header.RefcountTableClusters * (UInt128)(ulong)clusterSize > (ulong)MaximumRefcountTableBytes)
        {
            return $"The qcow2 header's refcount_table_clusters at byte 56 is {header.RefcountTableClusters}; "
                + $"a table of at most {MaximumRefcountTableBytes} bytes is possible.";
        }

        if (FindMisplaced("refcount table", header.RefcountTableOffset, clusterSize) is { } refcount)
        {
            return refcount;
        }

        if (header.SnapshotCount > MaximumSnapshots)
        {
            return $"The qcow2 header's nb_snapshots at byte 60 is {header.SnapshotCount}; "
                + $"at most {MaximumSnapshots} are possible.";
        }

        return header.SnapshotCount > 0 ? FindMisplaced("snapshot table", header.SnapshotsOffset, clusterSize) : null;
    }

    internal static string? FindMisplaced(string table, ulong offset, long clusterSize)
    {
        if (offset > long.MaxValue / 2)
        {
            return $"The qcow2 {table} is at byte {offset}, more than any file can have.";
        }

        if ((long)offset % clusterSize != 0)
        {
            return $"The qcow2 {table} is at byte {offset}, which is no multiple of the cluster's {clusterSize} bytes.";
        }

        return (long)offset < clusterSize ? $"The qcow2 {table} at byte {offset} overlaps the header." : null;
    }
}
