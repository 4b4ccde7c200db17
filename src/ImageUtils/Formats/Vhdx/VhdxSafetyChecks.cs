using System.Buffers.Binary;
using System.Numerics;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhdx;

/// <summary>What a VHDX may claim. The limits are those of MS-VHDX.</summary>
internal static class VhdxSafetyChecks
{
    internal const uint Mebibyte = 1 << 20;
    internal const uint MinimumBlockSize = Mebibyte;
    internal const uint MaximumBlockSize = 256 * Mebibyte;
    internal const ulong MaximumDiskSize = 64UL << 40;

    /// <summary>More than any file is long: twice the greatest disk, stored in full.</summary>
    internal const ulong MaximumFileOffset = MaximumDiskSize * 2;

    private static readonly (Guid Id, uint Length, string Name)[] s_knownItems =
    [
        (VhdxIds.FileParameters, VhdxFileParameters.Length, "file parameters"),
        (VhdxIds.VirtualDiskSize, 8, "virtual disk size"),
        (VhdxIds.VirtualDiskId, 16, "virtual disk id"),
        (VhdxIds.LogicalSectorSize, 4, "logical sector size"),
        (VhdxIds.PhysicalSectorSize, 4, "physical sector size"),
        (VhdxIds.ParentLocator, 0, "parent locator"),
    ];

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Parent, "The disk does not depend on another file."),
        new(CheckNames.LogPending, "No log must be replayed before the file can be read."),
        // A crash while a header is written leaves one bad copy, as the specification foresees. Region tables are
        // written once; a bad one is damage, and QEMU never looks at the second.
        new(CheckNames.Checksum, "A header is intact, and so is the first region table."),
        new(CheckNames.UnknownFeatures, "Versions, required regions and required metadata items are known."),
        new(CheckNames.Tables, "Log, regions, metadata items and blocks are of possible size and do not overlap."),
        new(CheckNames.Truncated, "The file holds the metadata and the blocks that its tables promise."),
    ];

    internal static bool IsKnown(VhdxMetadataEntry entry) => Array.Exists(s_knownItems, item => entry.Is(item.Id));

    internal static string? FindUnknownVersion(VhdxHeader header) =>
        header.Version != 1 ? $"The VHDX header's version is {header.Version}; 1 is known."
            : header.LogVersion != 0 ? $"The VHDX header's log version is {header.LogVersion}; 0 is known."
            : null;

    internal static string? FindUnknownRegion(IReadOnlyList<VhdxRegion> regions)
    {
        foreach (var region in regions)
        {
            if (region.IsRequired && region.Id != VhdxIds.BatRegion && region.Id != VhdxIds.MetadataRegion)
            {
                return $"The VHDX region table has a region {region.Id}, which is required, but unknown.";
            }
        }

        return null;
    }

    internal static string? FindUnknownItem(IReadOnlyList<VhdxMetadataEntry> entries)
    {
        foreach (var entry in entries)
        {
            if (entry.Flags.HasFlag(VhdxMetadataFlags.IsRequired) && !IsKnown(entry))
            {
                return $"The VHDX metadata table has an item {entry.ItemId}, which is required, but unknown.";
            }
        }

        return null;
    }

    /// <summary>What is impossible in log and regions whatever the file holds.</summary>
    internal static string? FindImpossibleRegions(VhdxHeader header, IReadOnlyList<VhdxRegion> regions)
    {
        foreach (var id in new[] { VhdxIds.BatRegion, VhdxIds.MetadataRegion })
        {
            var name = id == VhdxIds.BatRegion ? "block allocation table" : "metadata";
            var count = regions.Count(region => region.Id == id);
            if (count != 1)
            {
                return $"The VHDX region table has {count} regions for the {name}; exactly one is expected.";
            }
        }

        var areas = new List<(ulong Offset, ulong Length, string Name)>(regions.Count + 1);
        if (header.LogLength > 0)
        {
            areas.Add((header.LogOffset, header.LogLength, "log"));
        }

        areas.AddRange(regions.Select(region => (region.FileOffset, (ulong)region.Length, $"region {region.Id}")));
        foreach (var (offset, length, name) in areas)
        {
            if (offset < Mebibyte || offset > MaximumFileOffset || offset % Mebibyte != 0
                || length == 0 || length % Mebibyte != 0)
            {
                return $"The VHDX {name} has {length} bytes at byte {offset}; it should lie behind the first MiB, and "
                    + "begin and end at a whole MiB.";
            }
        }

        areas.Sort((one, other) => one.Offset.CompareTo(other.Offset));
        for (var index = 1; index < areas.Count; index++)
        {
            if (areas[index].Offset < areas[index - 1].Offset + areas[index - 1].Length)
            {
                return $"The VHDX {areas[index].Name} at byte {areas[index].Offset} overlaps the "
                    + $"{areas[index - 1].Name}.";
            }
        }

        return null;
    }

    /// <summary>What is impossible in the metadata table.</summary>
    internal static string? FindImpossibleItems(IReadOnlyList<VhdxMetadataEntry> entries, VhdxRegion region)
    {
        var seen = new HashSet<(Guid, bool)>();
        foreach (var entry in entries)
        {
            if (!seen.Add((entry.ItemId, entry.Flags.HasFlag(VhdxMetadataFlags.IsUser))))
            {
                return $"The VHDX metadata table has the item {entry.ItemId} twice.";
            }

            var isEmpty = entry is { Offset: 0, Length: 0 };
            if (!isEmpty
                && (entry.Offset < VhdxMetadataTable.Length
                    || entry.Length > Mebibyte
                    || entry.Offset + (ulong)entry.Length > region.Length))
            {
                return $"The VHDX metadata item {entry.ItemId} has {entry.Length} bytes at byte {entry.Offset} of its "
                    + $"region of {region.Length} bytes; it should lie in it, behind the table's "
                    + $"{VhdxMetadataTable.Length} bytes, and be 1 MiB long at most.";
            }

            foreach (var (id, length, name) in s_knownItems)
            {
                if (entry.Is(id) && length > 0 && entry.Length != length)
                {
                    return $"The VHDX metadata item '{name}' has {entry.Length} bytes; {length} are expected.";
                }
            }
        }

        var sorted = entries.Where(entry => entry.Length > 0).OrderBy(entry => entry.Offset).ToArray();
        for (var index = 1; index < sorted.Length; index++)
        {
            if (sorted[index].Offset < sorted[index - 1].Offset + sorted[index - 1].Length)
            {
                return $"The VHDX metadata items {sorted[index - 1].ItemId} and {sorted[index].ItemId} overlap at byte "
                    + $"{sorted[index].Offset} of their region.";
            }
        }

        return null;
    }

    /// <summary>
    /// What is impossible in the metadata's values; the table must then be large enough for the disk.
    /// </summary>
    internal static string? FindImpossibleMetadata(VhdxMetadata metadata, VhdxRegion bat)
    {
        if (metadata.Missing.FirstOrDefault() is { } missing)
        {
            return $"The VHDX metadata item '{missing}' is missing.";
        }

        var blockSize = metadata.FileParameters!.Value.BlockSize;
        if (!BitOperations.IsPow2(blockSize) || blockSize is < MinimumBlockSize or > MaximumBlockSize)
        {
            return $"The VHDX block size is {blockSize}; a power of two from 1 MiB to 256 MiB is possible.";
        }

        var (logical, physical) = (metadata.LogicalSectorSize!.Value, metadata.PhysicalSectorSize!.Value);
        if (logical is not (512 or 4096) || physical is not (512 or 4096))
        {
            return $"The VHDX sector sizes are {logical} (logical) and {physical} (physical); 512 and 4096 are "
                + "possible.";
        }

        var size = metadata.VirtualDiskSize!.Value;
        if (size > MaximumDiskSize || size % logical != 0)
        {
            return $"The VHDX virtual disk size is {size} bytes; a multiple of the sector's {logical} bytes, at most "
                + $"64 TiB ({MaximumDiskSize} bytes), is possible.";
        }

        var layout = LayoutOf(metadata);
        return layout.Entries * VhdxBatEntry.Length > bat.Length
            ? $"The VHDX block allocation table has {bat.Length} bytes, but a disk of {size} bytes in blocks of "
                + $"{blockSize} needs {layout.Entries} entries of {VhdxBatEntry.Length} bytes."
            : null;
    }

    /// <summary>The table's layout under metadata that is possible.</summary>
    internal static VhdxBatLayout LayoutOf(VhdxMetadata metadata) => new(
        metadata.VirtualDiskSize!.Value,
        metadata.FileParameters!.Value.BlockSize,
        metadata.LogicalSectorSize!.Value,
        metadata.FileParameters.Value.HasParent);

    /// <summary>Looks at the table's first entries for impossible blocks, and for the furthest end of one.</summary>
    internal static string? FindMisplacedBlock(
        VhdxMetadata metadata,
        VhdxHeader header,
        IReadOnlyList<VhdxRegion> regions,
        ReadOnlySpan<byte> table,
        out ulong furthestEnd)
    {
        furthestEnd = 0;
        var parameters = metadata.FileParameters!.Value;
        var layout = LayoutOf(metadata);
        for (ulong index = 0; index < layout.Entries && (int)(index + 1) * VhdxBatEntry.Length <= table.Length; index++)
        {
            var entry = new VhdxBatEntry(
                BinaryPrimitives.ReadUInt64LittleEndian(table[((int)index * VhdxBatEntry.Length)..]));
            var isBitmap = layout.IsBitmap(index);
            if ((int)entry.State is 4 or 5
                || (entry.State == VhdxBlockState.PartiallyPresent && (isBitmap || !parameters.HasParent)))
            {
                return $"The VHDX block allocation table's entry {index} has the state {(int)entry.State}, which is "
                    + "not possible there.";
            }

            if (!entry.IsPresent)
            {
                continue;
            }

            // QEMU ends fixed files with the disk, not with its last block.
            var start = layout.PayloadIndex(index) * parameters.BlockSize;
            var size = metadata.VirtualDiskSize!.Value;
            var length = isBitmap ? Mebibyte : start < size ? Math.Min(parameters.BlockSize, size - start) : 0;
            if (FindMisplaced(header, regions, (long)index, entry.FileOffset, length) is { } misplaced)
            {
                return misplaced;
            }

            furthestEnd = Math.Max(furthestEnd, entry.FileOffset + length);
        }

        return null;
    }

    /// <summary>What a block that an entry points at overlaps.</summary>
    internal static string? FindMisplaced(
        VhdxHeader header, IReadOnlyList<VhdxRegion> regions, long index, ulong offset, ulong length) =>
        FindOverlap(header, regions, offset, length) is { } overlapped
            ? $"The VHDX block allocation table's entry {index} points at byte {offset}, where the block overlaps the "
                + $"{overlapped}, or lies further than any file is long."
            : null;

    internal static string? FindBeyondEnd(VhdxHeader header, IReadOnlyList<VhdxRegion> regions, long fileLength)
    {
        foreach (var region in regions)
        {
            if (region.FileOffset + region.Length > (ulong)fileLength)
            {
                return $"The VHDX region {region.Id} of {region.Length} bytes at byte {region.FileOffset} ends beyond "
                    + $"the file's {fileLength} bytes.";
            }
        }

        return header.LogLength > 0 && header.LogOffset + header.LogLength > (ulong)fileLength
            ? $"The VHDX log of {header.LogLength} bytes at byte {header.LogOffset} ends beyond the file's "
                + $"{fileLength} bytes."
            : null;
    }

    private static string? FindOverlap(
        VhdxHeader header, IReadOnlyList<VhdxRegion> regions, ulong offset, ulong length)
    {
        if (offset is < Mebibyte or > MaximumFileOffset)
        {
            return "headers";
        }

        if (offset < header.LogOffset + header.LogLength && header.LogOffset < offset + length)
        {
            return "log";
        }

        foreach (var region in regions)
        {
            if (offset < region.FileOffset + region.Length && region.FileOffset < offset + length)
            {
                return $"region {region.Id}";
            }
        }

        return null;
    }
}
