using ImageUtils.Safety;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>What a partition table may claim.</summary>
internal static class PartitionTableSafetyChecks
{
    /// <summary>The most that Linux (block/partitions/efi.c) allocates for the array.</summary>
    internal const long MaximumEntriesLength = 4 * 1024 * 1024;

    // The end of no sector behind it can be told in bytes, whatever the sector size.
    private const ulong MaximumLba = long.MaxValue / 4096 - 1;

    internal static IReadOnlyList<SafetyCheck> DeclaredForGpt { get; } =
    [
        new(CheckNames.Mbr, "The boot sector's records protect the GPT and hold nothing else."),
        new(CheckNames.Tables, "The GPT header is there, its sizes are possible, and partitions lie in the usable "
            + "area."),
        new(CheckNames.Checksum, "The CRC of header, entry array and backup header hold, and the headers agree."),
        new(CheckNames.Truncated, "The file reaches to the backup header, the disk's last sector."),
    ];

    internal static IReadOnlyList<SafetyCheck> DeclaredForMbr { get; } =
    [
        new(CheckNames.Mbr, "The boot sector's records are possible, and there is one at least."),
        new(CheckNames.Truncated, "Every partition begins inside the file."),
    ];

    /// <summary>The rules of oslo.utils' check of the same name.</summary>
    internal static string? FindBadRecord(MasterBootRecord record)
    {
        var used = 0;
        for (var index = 0; index < record.Partitions.Count; index++)
        {
            var partition = record.Partitions[index];
            var at = MasterBootRecord.RecordsOffset + index * MbrPartitionRecord.Length;
            if (!partition.HasPossibleBootFlag)
            {
                return $"The MBR's partition record {index + 1} at byte {at} has the boot flag "
                    + $"0x{partition.BootFlag:x2}; 0x00 and 0x80 are possible.";
            }

            used += partition.OsType == 0 ? 0 : 1;
            if (partition.OsType != MbrPartitionRecord.GptProtective)
            {
                continue;
            }

            if (partition.StartChs != 0x000200)
            {
                return $"The MBR's record at byte {at} protects a GPT, but its start is at CHS bytes "
                    + $"{partition.StartChs:x6} instead of 000200.";
            }

            if (partition.StartLba != 1)
            {
                return $"The MBR's record at byte {at} protects a GPT, but starts at sector {partition.StartLba} "
                    + "instead of 1.";
            }
        }

        if (used == 0)
        {
            return "The boot sector has the signature of an MBR, but no partition.";
        }

        return record.IsProtective && (used > 1 || record.Partitions[0].OsType == 0)
            ? "The MBR protects a GPT, but that is not its first record only: a reader of one table would see other "
                + "partitions than a reader of the other."
            : null;
    }

    /// <summary>
    /// A partition that begins beyond the file's end. That one ends there is no proof of a cut: partitions are rounded
    /// up to cylinders, and tools leave out the unused end of the last one.
    /// </summary>
    internal static string? FindBeyondEnd(MasterBootRecord record, long fileLength)
    {
        for (var index = 0; index < record.Partitions.Count; index++)
        {
            var partition = record.Partitions[index];
            var start = partition.StartLba * 512L;
            if (partition is { OsType: not 0, SizeInLba: > 0 } && start >= fileLength)
            {
                return $"The MBR's partition {index + 1} begins at byte {start}, but the file has only {fileLength} "
                    + "bytes: it is cut short.";
            }
        }

        return null;
    }

    /// <summary>What is impossible in a primary header whatever the file holds; null where nothing is.</summary>
    internal static string? FindImpossible(GptHeader header, int sectorSize)
    {
        if (header.HeaderSize < GptHeader.MinimumLength || header.HeaderSize > sectorSize)
        {
            return $"The GPT header's HeaderSize at byte {sectorSize + 12} is {header.HeaderSize}; "
                + $"{GptHeader.MinimumLength} to {sectorSize} is possible.";
        }

        if (header.MyLba != 1)
        {
            return $"The GPT header's MyLBA at byte {sectorSize + 24} is {header.MyLba}, but the header is in sector "
                + "1.";
        }

        if (header.EntrySize < GptPartitionEntry.MinimumLength || !uint.IsPow2(header.EntrySize)
            || header.EntrySize > MaximumEntriesLength)
        {
            return $"The GPT header's SizeOfPartitionEntry at byte {sectorSize + 84} is {header.EntrySize}; "
                + "128 times a power of two is possible.";
        }

        var entriesLength = (long)header.EntryCount * header.EntrySize;
        if (header.EntryCount == 0 || entriesLength > MaximumEntriesLength)
        {
            return $"The GPT header's NumberOfPartitionEntries at byte {sectorSize + 80} is {header.EntryCount}; "
                + $"1 to {MaximumEntriesLength / header.EntrySize} of {header.EntrySize} bytes are possible.";
        }

        if (header.FirstUsableLba > header.LastUsableLba || header.LastUsableLba > MaximumLba)
        {
            return $"The GPT header's usable area at byte {sectorSize + 40} is sectors {header.FirstUsableLba} to "
                + $"{header.LastUsableLba}, which is not possible.";
        }

        var entriesSectors = (ulong)((entriesLength + sectorSize - 1) / sectorSize);
        if (header.EntriesLba < 2 || header.EntriesLba > header.FirstUsableLba
            || header.EntriesLba + entriesSectors > header.FirstUsableLba)
        {
            return $"The GPT's {entriesLength} bytes of entries at sector {header.EntriesLba} (byte {sectorSize + 72}) "
                + $"do not lie between the header and the first usable sector {header.FirstUsableLba}.";
        }

        return header.AlternateLba <= header.LastUsableLba || header.AlternateLba > MaximumLba
            ? $"The GPT header's AlternateLBA at byte {sectorSize + 32} is {header.AlternateLba}, which does not lie "
                + $"behind the last usable sector {header.LastUsableLba}."
            : null;
    }

    internal static string? FindMisplaced(GptHeader header, IEnumerable<GptPartitionEntry> entries)
    {
        foreach (var entry in entries)
        {
            if (entry.StartLba > entry.EndLba || entry.StartLba < header.FirstUsableLba
                || entry.EndLba > header.LastUsableLba)
            {
                return $"The GPT's partition {entry.Number} is sectors {entry.StartLba} to {entry.EndLba}, which do "
                    + $"not lie in the usable area of {header.FirstUsableLba} to {header.LastUsableLba}.";
            }
        }

        return null;
    }

    /// <param name="header">The primary header.</param>
    /// <param name="entriesChecksum">As computed; null where the array is longer than what is read of it.</param>
    internal static string? FindBadChecksum(GptHeader header, uint? entriesChecksum)
    {
        if (header.HeaderChecksum != header.ComputedChecksum)
        {
            return $"The GPT header's HeaderCRC32 is 0x{header.HeaderChecksum:x8}, but its bytes have "
                + $"0x{header.ComputedChecksum:x8}.";
        }

        return entriesChecksum is { } computed && computed != header.EntriesChecksum
            ? $"The GPT header's PartitionEntryArrayCRC32 is 0x{header.EntriesChecksum:x8}, but the entries have "
                + $"0x{computed:x8}."
            : null;
    }

    /// <summary>How the backup header, where it is announced, does not match the primary one.</summary>
    internal static string? FindBadBackup(GptHeader header, GptHeader backup)
    {
        var where = $"The GPT's backup header at sector {header.AlternateLba}";
        if (!backup.HasSignature)
        {
            return $"{where} is not there: \"EFI PART\" is expected. Repair the table, with sgdisk -e for example.";
        }

        if (backup.HeaderChecksum != backup.ComputedChecksum)
        {
            return $"{where} has HeaderCRC32 0x{backup.HeaderChecksum:x8}, which its bytes do not have.";
        }

        return backup.MyLba != header.AlternateLba || backup.AlternateLba != header.MyLba
            || backup.DiskGuid != header.DiskGuid || backup.EntriesChecksum != header.EntriesChecksum
            || backup.EntryCount != header.EntryCount || backup.EntrySize != header.EntrySize
            || backup.FirstUsableLba != header.FirstUsableLba || backup.LastUsableLba != header.LastUsableLba
                ? $"{where} does not describe the same table as the primary header."
                : null;
    }

    internal static string? FindCut(GptHeader header, int sectorSize, long fileLength)
    {
        var end = ((long)header.AlternateLba + 1) * sectorSize;
        return end > fileLength
            ? $"The GPT's backup header ends at byte {end}, but the file has only {fileLength} bytes: it is cut short."
            : null;
    }
}
