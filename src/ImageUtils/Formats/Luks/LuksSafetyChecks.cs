using System.Numerics;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Luks;

/// <summary>What a LUKS header may claim.</summary>
internal static class LuksSafetyChecks
{
    /// <summary>The longest master key, that of AES-256 in XTS mode.</summary>
    internal const int MaximumKeyLength = 64;

    /// <summary>Twice what every tool writes, rounded up; with the longest key, 512 KiB.</summary>
    internal const int MaximumStripes = 8192;

    internal const int MinimumDigestLength = 16;
    internal const int MaximumDigestLength = 64;

    internal const int MinimumHeaderSize = 16 * 1024;
    internal const int MaximumHeaderSize = 4 * 1024 * 1024;

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Version, "The version is 1, which qemu and OpenStack can open."),
        new(CheckNames.Tables, "Key material and data lie behind the header and do not overlap; sizes are possible."),
        new(CheckNames.Checksum, "Version 2: the checksums of both headers hold, and the headers agree."),
        new(CheckNames.Passphrase, "The passphrase, where one is given, opens the volume at a bounded cost."),
        new(CheckNames.InnerSafety, "What is inside is safe; its checks are listed with the prefix inner_."),
        new(CheckNames.Truncated, "The file holds the header, the key material, and whole sectors of data."),
    ];

    internal static string? FindUnsupportedVersion(int version) => version switch
    {
        1 => null,
        2 => "The LUKS version is 2, which neither qemu nor OpenStack opens. Convert it: cryptsetup convert --type "
            + "luks1, or copy its content into a volume of version 1.",
        _ => $"The LUKS header's version at byte 6 is {version}; 1 and 2 are known.",
    };

    /// <summary>What is impossible in a header of version 1; null where nothing is.</summary>
    internal static string? FindImpossible(LuksHeader header)
    {
        if (header.KeyBytes is 0 or > MaximumKeyLength)
        {
            return $"The LUKS header's key-bytes at byte 108 is {header.KeyBytes}; 1 to {MaximumKeyLength} is "
                + "possible.";
        }

        if (header.MasterKeyDigestIterations == 0)
        {
            return "The LUKS header's mk-digest-iter at byte 164 is 0; 1 at least is possible.";
        }

        if (header.PayloadOffset < LuksHeader.Length)
        {
            return $"The LUKS header's payload-offset at byte 104 is sector {header.PayloadOffsetSectors}: the data "
                + "would overlap the header, or lies in another file.";
        }

        foreach (var (index, slot) in header.KeySlots.Index())
        {
            if (!slot.IsKnown)
            {
                return $"LUKS key slot {index} has the state 0x{slot.Active:x8}; 0x00ac71f3 and 0x0000dead are "
                    + "possible.";
            }

            if (slot.IsActive && (slot.Iterations == 0 || slot.Stripes is 0 or > MaximumStripes))
            {
                return $"LUKS key slot {index} has {slot.Iterations} iterations and {slot.Stripes} stripes; "
                    + $"1 at least, and 1 to {MaximumStripes}, are possible.";
            }
        }

        return FindMisplaced(
            LuksVolume.Of(header).Slots.Select(slot => (slot.Name, slot.Offset, slot.Offset + slot.AreaLength)),
            LuksHeader.Length, header.PayloadOffset);
    }

    /// <summary>What is impossible in the sizes of a header of version 2; null where nothing is.</summary>
    internal static string? FindImpossible(Luks2Header header)
    {
        if (header.HeaderSize is < MinimumHeaderSize or > MaximumHeaderSize || !BitOperations.IsPow2(header.HeaderSize))
        {
            return $"The LUKS2 header's hdr_size at byte 8 is {header.HeaderSize}; a power of two from "
                + $"{MinimumHeaderSize} to {MaximumHeaderSize} is possible.";
        }

        return header.HeaderOffset != 0
            ? $"The LUKS2 header's hdr_offset at byte 256 is {header.HeaderOffset}, but it is at byte 0."
            : null;
    }

    /// <summary>What is impossible in the metadata of version 2; null where nothing is.</summary>
    internal static string? FindImpossible(Luks2Metadata metadata, long headerSize)
    {
        if (metadata.JsonSize != headerSize - Luks2Header.Length)
        {
            return $"The LUKS2 metadata's json_size is {metadata.JsonSize}, but the header leaves "
                + $"{headerSize - Luks2Header.Length} bytes for it.";
        }

        var areasStart = 2 * headerSize;
        if (metadata.KeyslotsSize > long.MaxValue - areasStart)
        {
            return $"The LUKS2 metadata's keyslots_size is {metadata.KeyslotsSize} bytes, more than any file can have.";
        }

        var areasEnd = areasStart + metadata.KeyslotsSize;
        if (metadata.Segment is { } segment)
        {
            if (segment.Offset < areasStart || segment.Offset % LuksHeader.SectorLength != 0
                || segment.Size is { } size
                    && (size > long.MaxValue - segment.Offset || size % LuksHeader.SectorLength != 0))
            {
                return $"The LUKS2 segment of {segment.Size?.ToString() ?? "dynamic"} bytes at byte {segment.Offset} "
                    + "is not made of whole sectors behind the header.";
            }

            if (segment.SectorSize is not (512 or 1024 or 2048 or 4096))
            {
                return $"The LUKS2 segment's sector_size is {segment.SectorSize}; 512, 1024, 2048 and 4096 are "
                    + "possible.";
            }

            areasEnd = Math.Min(areasEnd, segment.Offset);
        }

        return FindMisplaced(
            metadata.Slots.Zip(metadata.AreaEnds, (slot, end) => (slot.Name, slot.Offset, end)), areasStart, areasEnd);
    }

    /// <param name="length">The file's, in bytes.</param>
    /// <param name="segment">Where the data lies.</param>
    internal static string? FindCut(long length, LuksSegment segment)
    {
        if (length < segment.Offset)
        {
            return $"The LUKS data begins at byte {segment.Offset}, but the file has only {length} bytes: it is cut "
                + "short.";
        }

        if (segment.Size is { } size)
        {
            return size > length - segment.Offset
                ? $"The LUKS data ends at byte {segment.Offset + size}, but the file has only {length} bytes: it is "
                    + "cut short."
                : null;
        }

        var rest = (length - segment.Offset) % segment.SectorSize;
        return rest == 0
            ? null
            : $"The LUKS data from byte {segment.Offset} on ends after {rest} bytes of a sector of "
                + $"{segment.SectorSize}: the file is cut short.";
    }

    // Areas come in the order of their offsets.
    private static string? FindMisplaced(
        IEnumerable<(string Name, long Offset, long End)> areas, long start, long end)
    {
        foreach (var area in areas)
        {
            if (area.Offset < start || area.End > end)
            {
                return $"The key material of LUKS key slot {area.Name} is bytes {area.Offset} to {area.End}: it "
                    + $"overlaps what is before byte {start} or behind byte {end}, or other key material.";
            }

            start = area.End;
        }

        return null;
    }
}
