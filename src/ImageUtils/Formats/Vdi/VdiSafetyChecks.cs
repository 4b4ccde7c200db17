using System.Buffers.Binary;
using System.Numerics;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vdi;

/// <summary>
/// What a VDI may claim. VirtualBox allows what the fields can express; the limits are QEMU's block/vdi.c, except
/// that QEMU knows blocks of 1 MiB only.
/// </summary>
internal static class VdiSafetyChecks
{
    internal const uint MinimumBlockSize = 4096;
    internal const uint MaximumBlockSize = 256 << 20;
    internal const uint MaximumBlocks = 0x3FFF_FFFF;
    internal const ulong MaximumDiskSize = MaximumBlocks * (1UL << 20);

    /// <summary>Entries of the block map from here on are no blocks: never written, or known to be zero.</summary>
    internal const uint FirstUnallocatedEntry = 0xFFFF_FFFE;

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Parent, "The image does not depend on another file."),
        new(CheckNames.Version, "The version is 1.1 and the image type is known."),
        new(CheckNames.Tables, "Sizes are possible, and header, block map and data do not overlap."),
        new(CheckNames.Truncated, "The file holds the block map, and the blocks that are allocated."),
    ];

    internal static string? FindParent(VdiHeader header) => !header.HasParent
        ? null
        : $"The VDI depends on another image (type {(uint)header.ImageType}, parent {header.ParentId}), which it "
            + "does not name; VirtualBox finds it by its registry of disks.";

    internal static string? FindUnknownVersion(VdiHeader header)
    {
        if (header.Version != VdiHeader.Version11)
        {
            return $"The VDI version at byte 68 is {header.Version >> 16}.{header.Version & 0xFFFF}; 1.1 is known.";
        }

        return Enum.IsDefined(header.ImageType)
            ? null
            : $"The VDI image type at byte 76 is {(uint)header.ImageType}; 1 (dynamic), 2 (static), 3 (undo) and "
                + "4 (differencing) are known.";
    }

    /// <summary>What is impossible in the header whatever the file holds.</summary>
    internal static string? FindImpossible(VdiHeader header)
    {
        if (header.SectorSize != VdiHeader.SectorSizeOfDisk)
        {
            return $"The VDI sector size at byte 360 is {header.SectorSize}; {VdiHeader.SectorSizeOfDisk} is possible.";
        }

        if (!BitOperations.IsPow2(header.BlockSize) || header.BlockSize is < MinimumBlockSize or > MaximumBlockSize)
        {
            return $"The VDI block size at byte 376 is {header.BlockSize}; a power of two from {MinimumBlockSize} to "
                + $"{MaximumBlockSize} is possible, and 1 MiB is usual.";
        }

        if (header.BlockExtra > header.BlockSize || header.BlockExtra % VdiHeader.SectorSizeOfDisk != 0)
        {
            return $"The VDI block extra at byte 380 is {header.BlockExtra}; whole sectors, and no more than the "
                + $"block's {header.BlockSize} bytes, are possible.";
        }

        if (header.DiskSize > MaximumDiskSize)
        {
            return $"The VDI disk size at byte 368 is {header.DiskSize} bytes; at most {MaximumDiskSize} is possible.";
        }

        if (header.BlocksInImage > MaximumBlocks || (ulong)header.BlocksInImage * header.BlockSize < header.DiskSize)
        {
            return $"The VDI blocks in image at byte 384 are {header.BlocksInImage}; a disk of {header.DiskSize} bytes "
                + $"takes more of {header.BlockSize} bytes, and {MaximumBlocks} are possible.";
        }

        if (header.BlocksAllocated > header.BlocksInImage)
        {
            return $"The VDI blocks allocated at byte 388 are {header.BlocksAllocated}, more than the image's "
                + $"{header.BlocksInImage}.";
        }

        return FindMisplaced(header);
    }

    /// <summary>
    /// The file's length that the allocated blocks call for; the disk's last block may end with the disk.
    /// </summary>
    internal static long FindDataEnd(VdiHeader header)
    {
        var stride = (long)header.BlockSize + header.BlockExtra;
        var unused = (long)((ulong)header.BlocksInImage * header.BlockSize - header.DiskSize);
        return header.BlocksAllocated == 0
            ? 0
            : header.DataOffset + header.BlocksAllocated * stride - Math.Min(unused, header.BlockSize);
    }

    /// <summary>
    /// Looks at the block map's first entries for blocks that there cannot be, and for the furthest end.
    /// </summary>
    internal static string? FindMisplacedBlock(VdiHeader header, ReadOnlySpan<byte> map, out long furthestEnd)
    {
        furthestEnd = 0;
        var stride = (long)header.BlockSize + header.BlockExtra;
        for (var index = 0; index < header.BlocksInImage && (index + 1) * 4 <= map.Length; index++)
        {
            var entry = BinaryPrimitives.ReadUInt32LittleEndian(map[(index * 4)..]);
            if (entry >= FirstUnallocatedEntry)
            {
                continue;
            }

            if (entry >= header.BlocksInImage)
            {
                return $"The VDI block map's entry {index} at byte {header.BlockMapOffset + index * 4L} is block "
                    + $"{entry} of {header.BlocksInImage}.";
            }

            var start = (ulong)index * header.BlockSize;
            var length = start < header.DiskSize ? (long)Math.Min(header.BlockSize, header.DiskSize - start) : 0;
            furthestEnd = Math.Max(furthestEnd, header.DataOffset + entry * stride + header.BlockExtra + length);
        }

        return null;
    }

    private static string? FindMisplaced(VdiHeader header)
    {
        var headerEnd = Math.Max(VdiHeader.SectorSizeOfDisk, VdiHeader.HeaderStart + (long)header.HeaderSize);
        if (header.HeaderSize < VdiHeader.Length - VdiHeader.HeaderStart)
        {
            return $"The VDI header size at byte 72 is {header.HeaderSize}; "
                + $"{VdiHeader.Length - VdiHeader.HeaderStart} is the least.";
        }

        if (header.BlockMapOffset % VdiHeader.SectorSizeOfDisk != 0 || header.BlockMapOffset < headerEnd)
        {
            return $"The VDI block map is at byte {header.BlockMapOffset}; it should lie behind the header's "
                + $"{headerEnd} bytes, at a whole sector.";
        }

        var mapEnd = header.BlockMapOffset + header.BlocksInImage * 4L;
        return header.DataOffset % VdiHeader.SectorSizeOfDisk != 0 || header.DataOffset < mapEnd
            ? $"The VDI data is at byte {header.DataOffset}; it should lie behind the block map, which ends at byte "
                + $"{mapEnd}, at a whole sector."
            : null;
    }
}
