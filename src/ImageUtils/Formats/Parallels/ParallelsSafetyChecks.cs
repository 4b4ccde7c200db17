using System.Buffers.Binary;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Parallels;

/// <summary>What a Parallels header may claim. Limits are those of QEMU's block/parallels.c.</summary>
internal static class ParallelsSafetyChecks
{
    internal const uint KnownVersion = 2;
    internal const uint MaximumClusterSectors = int.MaxValue / 513;
    internal const uint MaximumBatEntries = int.MaxValue / 4;
    internal const ulong MaximumSectors = long.MaxValue / 512;

    private const int SectorLength = 512;

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Version, "The version is 2."),
        new(CheckNames.Tables, "Cluster size and block allocation table are sane and do not overlap the header."),
        new(CheckNames.Truncated, "The file holds the blocks that its table promises."),
    ];

    internal static string? FindVersion(ParallelsHeader header) => header.Version == KnownVersion
        ? null
        : $"The Parallels header's version at byte 16 is {header.Version}; {KnownVersion} is known.";

    /// <summary>What is impossible in the header whatever the file holds; null where nothing is.</summary>
    internal static string? FindImpossible(ParallelsHeader header)
    {
        if (header.ClusterSectors is 0 or > MaximumClusterSectors)
        {
            return $"The Parallels header's tracks at byte 28 is {header.ClusterSectors} sectors; "
                + $"1 to {MaximumClusterSectors} are possible.";
        }

        if (header.BatEntries > MaximumBatEntries)
        {
            return $"The Parallels header's nb_bat_entries at byte 32 is {header.BatEntries}; "
                + $"{MaximumBatEntries} are possible.";
        }

        if (header.Sectors > MaximumSectors)
        {
            return $"The Parallels header's nb_sectors at byte 36 is {header.Sectors}, more than any disk can have.";
        }

        if ((UInt128)header.BatEntries * header.ClusterSectors < header.Sectors)
        {
            return $"The Parallels header's nb_bat_entries at byte 32 is {header.BatEntries}, too few for a disk of "
                + $"{header.Sectors} sectors.";
        }

        if (header.DataSector != 0 && header.DataSector * (long)SectorLength < TableEnd(header))
        {
            return $"The Parallels header's data_off at byte 48 is sector {header.DataSector}, inside of the block "
                + $"allocation table, which ends at byte {TableEnd(header)}.";
        }

        return header.ExtensionSector != 0
            && (header.ExtensionSector > MaximumSectors
                || (long)header.ExtensionSector * SectorLength < TableEnd(header))
            ? $"The Parallels header's ext_off at byte 56 is sector {header.ExtensionSector}, inside of the block "
                + "allocation table or where no file reaches."
            : null;
    }

    internal static long TableEnd(ParallelsHeader header) => ParallelsHeader.Length + header.BatEntries * 4L;

    /// <summary>Looks at the table, or its beginning: what is misplaced, and where the furthest block starts.</summary>
    internal static string? FindMisplaced(ParallelsHeader header, ReadOnlySpan<byte> table, out long furthest)
    {
        furthest = 0;
        string? misplaced = null;
        for (var at = 0; at + 4 <= table.Length; at += 4)
        {
            var entry = BinaryPrimitives.ReadUInt32LittleEndian(table[at..]);
            if (entry == 0)
            {
                continue;
            }

            // At most 2^32 units of 2^22 sectors of 2^9 bytes: that is within range.
            var offset = (UInt128)entry * header.SectorsPerUnit * SectorLength;
            if (offset < (ulong)TableEnd(header))
            {
                misplaced ??= $"The Parallels block allocation table's entry {at / 4} is {entry}, which lies inside of "
                    + $"the table itself, before byte {TableEnd(header)}.";
            }

            furthest = (long)UInt128.Max((ulong)furthest, UInt128.Min(offset, long.MaxValue));
        }

        return misplaced;
    }
}
