using ImageUtils.Inspection;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vmdk;

/// <summary>What a VMDK may claim. Limits are those of QEMU's block/vmdk.c where VMware's text has none.</summary>
internal static class VmdkSafetyChecks
{
    internal const ulong MaximumGrainSectors = 0x200000;
    internal const uint MaximumEntriesPerTable = 512;
    internal const ulong MaximumDirectoryEntries = 32 * 1024 * 1024;
    internal const ulong MaximumDescriptorSectors = 2048;

    /// <summary>The footer's marker, the footer, and the end-of-stream marker.</summary>
    internal const int FooterLength = 3 * VmdkSparseHeader.SectorLength;

    private const int SectorLength = VmdkSparseHeader.SectorLength;
    private const ulong MaximumSectors = long.MaxValue / 2 / SectorLength;

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Version, "The version of header and descriptor is 1, 2 or 3."),
        new(CheckNames.Descriptor, "The descriptor is there, is understood whole, and its createType is allowed."),
        new(CheckNames.Extents, "No extent is in another file, unless the policy allows it."),
        new(CheckNames.Parent, "The disk does not depend on a parent, unless the policy allows it."),
        new(CheckNames.Footer, "A stream-optimized disk's footer and markers are sound and agree with its header."),
        new(CheckNames.Tables, "Grain size, directory and tables are sane and do not overlap header or descriptor."),
        new(CheckNames.Truncated, "The file holds the tables and grains that it promises."),
    ];

    internal static string? FindVersion(uint? version, string where) => version is null or (>= 1 and <= 3)
        ? null
        : $"The VMDK {where}'s version is {version}; 1, 2 and 3 are known.";

    /// <summary>Why the descriptor cannot be relied on, wherever it stands; null where it can.</summary>
    internal static string? FindDescriptorProblem(VmdkText text, VmdkDescriptor descriptor, SafetyPolicy policy)
    {
        if (text.IsEmpty)
        {
            return "The VMDK has no descriptor: it is one extent of a disk that another file describes, or is damaged.";
        }

        if (text.IsCut)
        {
            return $"The VMDK descriptor is longer than the {text.Bytes.Length} bytes that are read of it.";
        }

        if (!text.IsAscii)
        {
            return "The VMDK descriptor has other than ASCII characters, which readers take differently.";
        }

        if (descriptor.Problem is { } problem)
        {
            return $"The VMDK descriptor is not understood: {problem}.";
        }

        if (descriptor.CreateType is not { } createType)
        {
            return "The VMDK descriptor has no createType.";
        }

        if (descriptor.CreateTypeMentions != 1)
        {
            return $"The VMDK descriptor has the word createType {descriptor.CreateTypeMentions} times: "
                + "readers differ on which one counts.";
        }

        if (!policy.AllowedVmdkTypes.Contains(createType, StringComparer.OrdinalIgnoreCase))
        {
            return policy.AllowedVmdkTypes.Count == 0
                ? $"The VMDK's createType is '{Printable.Text(createType)}'; the policy allows none."
                : $"The VMDK's createType is '{Printable.Text(createType)}'; the policy allows only "
                    + $"{string.Join(", ", policy.AllowedVmdkTypes)}.";
        }

        if (descriptor.ContentId is null || descriptor.ParentContentId is null)
        {
            return "The VMDK descriptor has no CID or no parentCID.";
        }

        return descriptor.Extents.Count == 0 ? "The VMDK descriptor has no extents." : null;
    }

    /// <summary>What is wrong with where the header says that the descriptor is.</summary>
    internal static string? FindMisplacedDescriptor(VmdkSparseHeader header, VmdkText text)
    {
        if (header.DescriptorSector == 0 || header.DescriptorSectors == 0)
        {
            return "The VMDK header names no descriptor: this is one extent of a disk that another file describes.";
        }

        if (header.DescriptorSector != 1)
        {
            return $"The VMDK header's descriptorOffset at byte 28 is sector {header.DescriptorSector}; "
                + "readers expect the descriptor at sector 1.";
        }

        if (header.DescriptorSectors > MaximumDescriptorSectors)
        {
            return $"The VMDK header's descriptorSize at byte 36 is {header.DescriptorSectors} sectors; "
                + $"{MaximumDescriptorSectors} are the most that readers accept.";
        }

        return text.Bytes.Length > (long)header.DescriptorSectors * SectorLength
            ? $"The VMDK descriptor runs over the {header.DescriptorSectors} sectors that the header gives it."
            : null;
    }

    /// <summary>What is impossible in the header whatever the file holds; null where nothing is.</summary>
    internal static string? FindImpossible(VmdkSparseHeader header)
    {
        if (header.GrainSectors is 0 or > MaximumGrainSectors || !ulong.IsPow2(header.GrainSectors))
        {
            return $"The VMDK header's grainSize at byte 20 is {header.GrainSectors} sectors; "
                + $"a power of two up to {MaximumGrainSectors} is possible.";
        }

        if (header.EntriesPerGrainTable is 0 or > MaximumEntriesPerTable)
        {
            return $"The VMDK header's numGTEsPerGT at byte 44 is {header.EntriesPerGrainTable}; 512 is usual, "
                + "and the most that is possible.";
        }

        if (header.CapacitySectors > MaximumSectors)
        {
            return $"The VMDK header's capacity at byte 12 is {header.CapacitySectors} sectors, "
                + "more than any disk can have.";
        }

        if (header.CompressAlgorithm > 1)
        {
            return $"The VMDK header's compressAlgorithm at byte 77 is {header.CompressAlgorithm}; "
                + "0 (none) and 1 (deflate) are known.";
        }

        if (header.Flags.HasFlag(VmdkSparseFlags.NewlineDetection) && header.Newlines != VmdkSparseHeader.NewlineBytes)
        {
            return $"The VMDK header has 0x{header.Newlines:x8} at byte 73 instead of "
                + $"0x{VmdkSparseHeader.NewlineBytes:x8}: the file was transferred as text and is damaged. "
                + "Transfer it again in binary mode.";
        }

        var entries = CountDirectoryEntries(header);
        if (entries > MaximumDirectoryEntries)
        {
            return $"The VMDK header's capacity at byte 12 of {header.CapacitySectors} sectors needs a grain directory "
                + $"of {entries} entries; {MaximumDirectoryEntries} are possible.";
        }

        return header.GrainDirectorySector == VmdkSparseHeader.AtEnd
            ? null
            : FindMisplaced("grain directory", header.GrainDirectorySector, header)
                ?? (header.Flags.HasFlag(VmdkSparseFlags.RedundantGrainDirectory)
                    ? FindMisplaced("redundant grain directory", header.RedundantGrainDirectorySector, header)
                    : null);
    }

    /// <summary>What is impossible in the header of a COWD extent; null where nothing is.</summary>
    internal static string? FindImpossible(VmdkCowdHeader header)
    {
        if (header.GrainSectors is 0 or > (uint)MaximumGrainSectors)
        {
            return $"The VMDK COWD header's grainSize at byte 16 is {header.GrainSectors} sectors; "
                + $"1 to {MaximumGrainSectors} are possible.";
        }

        if (header.GrainDirectoryEntries > MaximumDirectoryEntries)
        {
            return $"The VMDK COWD header's numGDEntries at byte 24 is {header.GrainDirectoryEntries}; "
                + $"{MaximumDirectoryEntries} are possible.";
        }

        var covered = (UInt128)header.GrainDirectoryEntries * VmdkCowdHeader.EntriesPerGrainTable * header.GrainSectors;
        if (covered < header.CapacitySectors)
        {
            return $"The VMDK COWD header's numGDEntries at byte 24 is {header.GrainDirectoryEntries}, too few for "
                + $"{header.CapacitySectors} sectors.";
        }

        return header.GrainDirectorySector == 0 ? "The VMDK grain directory at sector 0 overlaps the header." : null;
    }

    /// <summary>What of the directories lies beyond the end of the file; null where nothing does.</summary>
    internal static string? FindBeyondEnd(VmdkSparseHeader header, long length)
    {
        var bytes = CountDirectoryEntries(header) * 4;
        if (header.GrainDirectorySector * SectorLength + bytes > (ulong)length)
        {
            return $"The VMDK grain directory has {bytes} bytes at byte {header.GrainDirectorySector * SectorLength}, "
                + $"beyond the file's {length} bytes.";
        }

        return header.Flags.HasFlag(VmdkSparseFlags.RedundantGrainDirectory)
            && header.RedundantGrainDirectorySector * SectorLength + bytes > (ulong)length
            ? $"The VMDK redundant grain directory has {bytes} bytes at byte "
                + $"{header.RedundantGrainDirectorySector * SectorLength}, beyond the file's {length} bytes."
            : null;
    }

    /// <summary>Whether the file is too short for what the header says comes before the first grain.</summary>
    internal static string? FindMissing(VmdkSparseHeader header, long furthestEnd, long length)
    {
        // A last sector that is not whole counts, as it does for qemu.
        var sectors = (ulong)((length + SectorLength - 1) / SectorLength);
        if (header.OverheadSectors > sectors)
        {
            return $"The VMDK header's overHead at byte 64 is {header.OverheadSectors} sectors, but the file has only "
                + $"{sectors}: it is cut short.";
        }

        return FindMissing(furthestEnd, length);
    }

    internal static string? FindMissing(long furthestEnd, long length) => furthestEnd > length
        ? $"A VMDK grain table or grain ends at byte {furthestEnd}, but the file has only {length}: it is cut short."
        : null;

    /// <summary>What is wrong with a footer, which takes the header's place; null where nothing is.</summary>
    /// <param name="header">The header in the file's first sector.</param>
    /// <param name="tail">The last <see cref="FooterLength"/> bytes, or as many as there are.</param>
    /// <param name="length">The file's length.</param>
    internal static string? FindFooterProblem(VmdkSparseHeader header, ReadOnlySpan<byte> tail, long length)
    {
        if (tail.Length < FooterLength || length % SectorLength != 0)
        {
            return $"The VMDK header sends readers to a footer, but the file's {length} bytes do not end in one.";
        }

        if (VmdkMarker.Parse(tail) is not { Size: 0, Type: VmdkMarkerType.Footer, IsPaddedWithZeros: true })
        {
            return $"The VMDK has no footer marker at byte {length - FooterLength}: it is cut short or tampered with.";
        }

        var bytes = tail[SectorLength..];
        if (!bytes.StartsWith("KDMV"u8))
        {
            return $"The VMDK footer at byte {length - FooterLength + SectorLength} does not begin with KDMV.";
        }

        var footer = VmdkSparseHeader.Parse(bytes);
        if (footer.GrainDirectorySector == VmdkSparseHeader.AtEnd)
        {
            return "The VMDK footer sends readers to another footer.";
        }

        if (FindDifference(header, footer) is { } difference)
        {
            return $"The VMDK footer's {difference} differs from the header's.";
        }

        return VmdkMarker.Parse(bytes[SectorLength..])
            is { Value: 0, Size: 0, Type: VmdkMarkerType.EndOfStream, IsPaddedWithZeros: true }
            ? null
            : $"The VMDK has no end-of-stream marker at byte {length - SectorLength}.";
    }

    internal static ulong CountDirectoryEntries(VmdkSparseHeader header)
    {
        var sectorsPerEntry = header.EntriesPerGrainTable * header.GrainSectors;
        return (header.CapacitySectors + sectorsPerEntry - 1) / sectorsPerEntry;
    }

    private static string? FindDifference(VmdkSparseHeader header, VmdkSparseHeader footer)
    {
        if (header.Version != footer.Version)
        {
            return "version";
        }

        if (header.DescriptorSector != footer.DescriptorSector || header.DescriptorSectors != footer.DescriptorSectors)
        {
            return "descriptor";
        }

        if (header.CapacitySectors != footer.CapacitySectors)
        {
            return "capacity";
        }

        return header.GrainSectors != footer.GrainSectors
            || header.EntriesPerGrainTable != footer.EntriesPerGrainTable
            || header.CompressAlgorithm != footer.CompressAlgorithm
            ? "grainSize, numGTEsPerGT or compressAlgorithm"
            : null;
    }

    private static string? FindMisplaced(string what, ulong sector, VmdkSparseHeader header)
    {
        if (sector > MaximumSectors)
        {
            return $"The VMDK {what} is at sector {sector}, more than any file can have.";
        }

        if (sector == 0)
        {
            return $"The VMDK {what} at sector 0 overlaps the header.";
        }

        var bytes = CountDirectoryEntries(header) * 4;
        var end = sector + (bytes + SectorLength - 1) / SectorLength;
        var descriptorEnd = header.DescriptorSector + Math.Min(header.DescriptorSectors, MaximumDescriptorSectors);
        return header.DescriptorSector != 0 && sector < descriptorEnd && header.DescriptorSector < end
            ? $"The VMDK {what} at sector {sector} overlaps the descriptor."
            : null;
    }
}
