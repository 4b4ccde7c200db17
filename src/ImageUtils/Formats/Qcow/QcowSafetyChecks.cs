using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow;

/// <summary>What a qcow header may claim. Limits are those of QEMU's block/qcow.c.</summary>
internal static class QcowSafetyChecks
{
    internal const int MinimumClusterBits = 9;
    internal const int MaximumClusterBits = 16;
    internal const int MinimumL2Bits = 6;
    internal const int MaximumL2Bits = 13;
    internal const ulong MaximumL1Entries = int.MaxValue / 8;
    internal const int MaximumBackingFileNameLength = 1023;

    internal const string Refusal = "The image is qcow version 1, which OpenStack refuses and qemu advises against. "
        + "Convert it to qcow2 where it comes from.";

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.UnknownFeatures, "Version 1 always fails, as in oslo.utils."),
        new(CheckNames.BackingFile, "The image does not depend on another file."),
        new(CheckNames.Tables, "Cluster size and L1 table are sane and do not overlap the header."),
        new(CheckNames.Truncated, "The file holds the tables that its header promises."),
    ];

    /// <summary>What is impossible in the header whatever the file holds; null where nothing is.</summary>
    internal static string? FindImpossible(QcowHeader header)
    {
        if (!IsClusterPossible(header))
        {
            return $"The qcow header's cluster_bits at byte 32 is {header.ClusterBits}; "
                + $"{MinimumClusterBits} to {MaximumClusterBits} is possible.";
        }

        if (header.L2Bits is < MinimumL2Bits or > MaximumL2Bits)
        {
            return $"The qcow header's l2_bits at byte 33 is {header.L2Bits}; "
                + $"{MinimumL2Bits} to {MaximumL2Bits} is possible.";
        }

        if (header.CryptMethod > 1)
        {
            return $"The qcow header's crypt_method at byte 36 is {header.CryptMethod}; 0 and 1 (AES) are known.";
        }

        if (header.Size is <= 1 or > long.MaxValue)
        {
            return $"The qcow header's size at byte 24 is {header.Size} bytes; 2 to 2^63-1 are possible.";
        }

        if (CountL1Entries(header) > MaximumL1Entries)
        {
            return $"The qcow header's size at byte 24 of {header.Size} bytes needs an L1 table of "
                + $"{CountL1Entries(header)} entries; {MaximumL1Entries} are possible.";
        }

        if (header.L1TableOffset is < QcowHeader.Length or > long.MaxValue / 2)
        {
            return $"The qcow header's l1_table_offset at byte 40 is {header.L1TableOffset}: the table overlaps the "
                + "header, or lies where no file reaches.";
        }

        return header.BackingFileOffset != 0
            && (header.BackingFileSize > MaximumBackingFileNameLength
                || header.BackingFileOffset < QcowHeader.Length
                || header.BackingFileOffset > IO.ForwardReader.HeadLength - MaximumBackingFileNameLength)
            ? $"The qcow backing file name of {header.BackingFileSize} bytes at byte {header.BackingFileOffset} is not "
                + $"near the header, or is longer than {MaximumBackingFileNameLength} bytes."
            : null;
    }

    internal static bool IsClusterPossible(QcowHeader header) =>
        header.ClusterBits is >= MinimumClusterBits and <= MaximumClusterBits;

    internal static ulong CountL1Entries(QcowHeader header)
    {
        var shift = header.ClusterBits + header.L2Bits;
        return (header.Size + (1UL << shift) - 1) >> shift;
    }
}
