using System.Buffers.Binary;
using System.Numerics;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhd;

/// <summary>
/// What a VHD may claim. The limits are the specification's where it states one, and otherwise those of QEMU's
/// block/vpc.c.
/// </summary>
internal static class VhdSafetyChecks
{
    /// <summary>2040 GiB: as far as a sector number of 32 bits reaches.</summary>
    internal const ulong MaximumDiskSize = 0xFF00_0000UL * VhdFooter.SectorSize;

    /// <summary>Below this a block's bitmap is less than a byte, and readers disagree on its length.</summary>
    internal const uint MinimumBlockSize = 4096;

    internal const uint MaximumBlockSize = 256 << 20;

    /// <summary>The longest platform data that is read; paths end at 4 KiB everywhere.</summary>
    internal const uint MaximumLocatorLength = 4096;

    /// <summary>What the table says of a block that has no place.</summary>
    internal const uint UnusedEntry = uint.MaxValue;

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Parent, "The disk does not depend on another file."),
        new(CheckNames.Version, "The versions are 1.0 and the disk type is known."),
        new(CheckNames.Checksum, "The checksums of footer, copy and dynamic header hold, and the copies agree."),
        new(CheckNames.Tables, "Sizes are possible, and header, block allocation table and blocks do not overlap."),
        new(CheckNames.ChangePending, "Footer, copy and file agree: no change of size or parent was cut off."),
        new(CheckNames.Truncated, "The file ends in a footer and holds the blocks that the table promises."),
    ];

    internal static string? FindUnknownVersion(VhdFooter footer, bool isAtEnd)
    {
        if (footer.FileFormatVersion != VhdFooter.Version1)
        {
            return $"The VHD footer's file format version at byte 12 is 0x{footer.FileFormatVersion:x8}; "
                + "0x00010000 is known.";
        }

        if (footer.DiskType is VhdDiskType.Dynamic or VhdDiskType.Differencing
            || (footer.DiskType == VhdDiskType.Fixed && isAtEnd))
        {
            return null;
        }

        return footer.DiskType == VhdDiskType.Fixed
            ? "The VHD footer copy at byte 0 says that the disk is fixed (type 2), but fixed disks have no copy there: "
                + "readers do not agree on what this is."
            : $"The VHD footer's disk type at byte 60 is {(uint)footer.DiskType}; "
                + "2 (fixed), 3 (dynamic) and 4 (differencing) are known.";
    }

    internal static string? FindUnknownVersion(VhdDynamicHeader header) =>
        header.HeaderVersion == VhdFooter.Version1
            ? null
            : $"The VHD dynamic header's version at byte 24 is 0x{header.HeaderVersion:x8}; 0x00010000 is known.";

    internal static string? FindWrongChecksum(string what, ReadOnlySpan<byte> bytes, int checksumOffset)
    {
        var stored = BinaryPrimitives.ReadUInt32BigEndian(bytes[checksumOffset..]);
        var computed = VhdChecksum.Compute(bytes, checksumOffset);
        return stored == computed
            ? null
            : $"The {what}'s checksum is 0x{stored:x8}, but its bytes give 0x{computed:x8}: it is damaged.";
    }

    /// <summary>
    /// Whether both footers describe the same disk; what changes when a disk is used is left out, and so is the size.
    /// </summary>
    /// <param name="copy">The footer's copy at byte 0.</param>
    /// <param name="footer">The footer at the end.</param>
    /// <param name="isParentPending">Whether each points at a whole header, of which one has another parent.</param>
    internal static string? FindDisagreement(VhdFooter copy, VhdFooter footer, bool isParentPending = false)
    {
        var field = copy.DiskType != footer.DiskType ? "disk type"
            : copy.DataOffset != footer.DataOffset && !isParentPending ? "data offset"
            : copy.FileFormatVersion != footer.FileFormatVersion ? "file format version"
            : copy.CreatorApplication != footer.CreatorApplication ? "creator application"
            : copy.UniqueId != footer.UniqueId ? "unique id"
            : null;
        return field is null ? null : $"The VHD footer at the file's end and its copy at byte 0 differ in the {field}.";
    }

    /// <summary>Whether both footers state the same size; they are written one after the other.</summary>
    internal static string? FindPendingResize(VhdFooter copy, VhdFooter footer) =>
        copy.CurrentSize == footer.CurrentSize && copy.GeometrySize == footer.GeometrySize
            ? null
            : $"The VHD footer at the file's end states {footer.CurrentSize} bytes ({footer.GeometrySize} by its geometry), "
                + $"its copy at byte 0 {copy.CurrentSize} ({copy.GeometrySize}): a change of the size was cut off, and readers do "
                + "not agree on it. Resize it again, or use Repair-VhdChain.";

    /// <summary>What a change of the parent that was cut off between both footers leaves.</summary>
    internal static string DescribePendingParent(VhdFooter copy, VhdFooter footer) =>
        $"The VHD footer at the file's end has its dynamic header at byte {footer.DataOffset}, its copy at byte 0 at "
        + $"byte {copy.DataOffset}, and both are there: a change of the parent was cut off, and readers do not agree "
        + "on it. Set it again, or use Repair-VhdChain.";

    /// <summary>
    /// Whether the header at which the footer at the end points is whole, and no other than the disk's but in what it
    /// says of the parent.
    /// </summary>
    internal static bool IsParentPending(VhdDynamicHeader header, ReadOnlySpan<byte> other) =>
        other.Length == VhdDynamicHeader.Length
        && other.StartsWith(VhdDynamicHeader.Cookie)
        && FindWrongChecksum("", other, VhdDynamicHeader.ChecksumOffset) is null
        && VhdDynamicHeader.Parse(other) is var end
        && (header.HeaderVersion, header.TableOffset, header.MaxTableEntries, header.BlockSize)
            == (end.HeaderVersion, end.TableOffset, end.MaxTableEntries, end.BlockSize);

    /// <summary>Whether both footers are alike in all of this.</summary>
    internal static string? FindDifference(VhdFooter copy, VhdFooter footer) =>
        FindDisagreement(copy, footer) ?? FindPendingResize(copy, footer);

    internal static string? FindMisplacedHeader(VhdFooter footer)
    {
        const ulong lastOffset = ForwardReader.HeadLength - VhdDynamicHeader.Length;
        return footer.DataOffset is < VhdFooter.Length or > lastOffset
            ? $"The VHD footer's data offset at byte 16 is {footer.DataOffset}; the dynamic header is expected behind "
                + $"the footer's copy, from byte {VhdFooter.Length} to {lastOffset}."
            : null;
    }

    /// <summary>What is impossible in a fixed disk.</summary>
    internal static string? FindImpossible(VhdFooter footer) => FindImpossibleSize(footer)
        ?? (footer.GuestSize > footer.CurrentSize
            ? $"The VHD footer's geometry makes up {footer.GuestSize} bytes, more than its current size, "
                + $"{footer.CurrentSize}: the disk would reach beyond its data."
            : null);

    /// <summary>What lies between a fixed disk's end and its footer, which moves first when the disk grows.</summary>
    internal static string? FindSurplus(VhdFooter footer, long fileLength, int footerLength)
    {
        var dataLength = fileLength - footerLength;
        return (ulong)dataLength > footer.CurrentSize
            ? $"The fixed VHD's current size is {footer.CurrentSize} bytes, but {dataLength} bytes lie before its "
                + "footer: a change of the size was cut off, or bytes were put in. Resize it again."
            : null;
    }

    internal static string? FindCutShort(VhdFooter footer, long fileLength, int footerLength)
    {
        var dataLength = fileLength - footerLength;
        return (ulong)dataLength < footer.CurrentSize
            ? $"The fixed VHD's current size is {footer.CurrentSize} bytes, but only {dataLength} bytes lie before its "
                + "footer: the file is cut short."
            : null;
    }

    /// <summary>What is impossible in a dynamic or differencing disk whatever the file holds.</summary>
    internal static string? FindImpossible(VhdFooter footer, VhdDynamicHeader header)
    {
        if (FindImpossibleSize(footer) is { } size)
        {
            return size;
        }

        if (!BitOperations.IsPow2(header.BlockSize) || header.BlockSize is < MinimumBlockSize or > MaximumBlockSize)
        {
            return $"The VHD dynamic header's block size at byte 32 is {header.BlockSize}; a power of two from "
                + $"{MinimumBlockSize} to {MaximumBlockSize} is possible.";
        }

        if (header.MaxTableEntries > MaximumDiskSize / header.BlockSize)
        {
            return $"The VHD dynamic header's max table entries at byte 28 is {header.MaxTableEntries}; with blocks of "
                + $"{header.BlockSize} bytes {MaximumDiskSize / header.BlockSize} make up the greatest disk.";
        }

        var needed = Math.Max(footer.CurrentSize, footer.GuestSize);
        if ((ulong)header.MaxTableEntries * header.BlockSize < needed)
        {
            return $"The VHD block allocation table has {header.MaxTableEntries} entries for blocks of "
                + $"{header.BlockSize} bytes, too few for a disk of {needed} bytes.";
        }

        if (header.TableOffset > MaximumDiskSize * 2)
        {
            return $"The VHD block allocation table is at byte {header.TableOffset}, more than any VHD can have.";
        }

        if (header.MaxTableEntries > 0
            && FindOverlap(footer, (long)header.TableOffset, header.TableLength) is { } overlapped)
        {
            return $"The VHD block allocation table of {header.TableLength} bytes at byte {header.TableOffset} "
                + $"overlaps the {overlapped}.";
        }

        foreach (var locator in header.ParentLocators)
        {
            if (locator.PlatformCode != 0 && locator.PlatformDataLength > 0
                && (locator.PlatformDataOffset > MaximumDiskSize * 2
                    || FindOverlap(footer, (long)locator.PlatformDataOffset, locator.PlatformDataLength) is not null))
            {
                return $"The VHD parent locator's {locator.PlatformDataLength} bytes at byte "
                    + $"{locator.PlatformDataOffset} overlap the headers, or lie beyond any VHD's end.";
            }
        }

        return null;
    }

    internal static string? FindTableBeyondEnd(VhdDynamicHeader header, long fileLength) =>
        header.MaxTableEntries > 0 && header.TableOffset + (ulong)header.TableLength > (ulong)fileLength
            ? $"The VHD block allocation table of {header.TableLength} bytes at byte {header.TableOffset} ends beyond "
                + $"the file's {fileLength} bytes."
            : null;

    /// <summary>
    /// Looks at entries of the table for blocks that overlap headers or table, and for the furthest end.
    /// </summary>
    internal static string? FindMisplacedBlock(
        VhdFooter footer, VhdDynamicHeader header, ReadOnlySpan<byte> table, out long furthestEnd)
    {
        string? misplaced = null;
        furthestEnd = 0;
        var length = header.BitmapSize + header.BlockSize;
        for (var at = 0; at + 4 <= table.Length; at += 4)
        {
            var entry = BinaryPrimitives.ReadUInt32BigEndian(table[at..]);
            if (entry == UnusedEntry)
            {
                continue;
            }

            var offset = (long)entry * VhdFooter.SectorSize;
            furthestEnd = Math.Max(furthestEnd, offset + length);
            misplaced ??= FindMisplacedBlock(footer, header, at / 4, offset);
        }

        return misplaced;
    }

    /// <summary>What a block at an offset, with its bitmap, overlaps.</summary>
    internal static string? FindMisplacedBlock(VhdFooter footer, VhdDynamicHeader header, long entry, long offset)
    {
        var length = header.BitmapSize + header.BlockSize;
        var overlapped = FindOverlap(footer, offset, length)
            ?? (Overlap(offset, length, (long)header.TableOffset, header.TableLength) ? "table itself" : null);
        return overlapped is null
            ? null
            : $"The VHD block allocation table's entry {entry} points at byte {offset}, where the block "
                + $"overlaps the {overlapped}.";
    }

    private static string? FindImpossibleSize(VhdFooter footer) =>
        footer.CurrentSize > MaximumDiskSize
            ? $"The VHD footer's current size at byte 48 is {footer.CurrentSize} bytes; at most 2040 GiB "
                + $"({MaximumDiskSize} bytes) is possible."
            : null;

    private static string? FindOverlap(VhdFooter footer, long offset, long length) =>
        Overlap(offset, length, 0, VhdFooter.Length) ? "footer's copy at byte 0"
            : Overlap(offset, length, (long)footer.DataOffset, VhdDynamicHeader.Length) ? "dynamic header"
            : null;

    private static bool Overlap(long offset, long length, long otherOffset, long otherLength) =>
        offset < otherOffset + otherLength && otherOffset < offset + length;
}
