using System.Buffers.Binary;
using System.Numerics;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>Tells the boot sector of a file system from a master boot record, whose signature it shares.</summary>
/// <remarks>
/// Microsoft, "FAT: General Overview of On-Disk Format" 1.03, "Boot Sector and BPB"; "exFAT file system
/// specification", section 3.1; the NTFS fields as in Linux, fs/ntfs3/ntfs.h. Little-endian.
/// <code>
///         FAT                                NTFS                        exFAT
///   0  3  jump                               jump                        jump
///   3  8  OEM name                           "NTFS    "                  "EXFAT   "
///  11  2  bytes per sector                   bytes per sector            (11-63) zero
///  13  1  sectors per cluster                sectors per cluster
///  14  2  reserved sectors                   zero
///  16  1  number of FATs                     zero
///  17  2  root directory entries             zero
///  19  2  sectors, or zero                   zero
///  21  1  media                              media
///  22  2  sectors per FAT, or zero (FAT32)   zero
///  32  4  sectors                            zero
///  36  4  sectors per FAT (FAT32)            (40-47) sectors
/// 108  1                                                                 log2 of bytes per sector
/// 109  1                                                                 log2 of sectors per cluster
/// 110  1                                                                 number of FATs
/// </code>
/// </remarks>
internal static class VolumeBootSector
{
    private const byte ShortJump = 0xEB;
    private const byte NearJump = 0xE9;

    // The fewest clusters of a FAT16.
    private const uint Fat16MinimumClusters = 4085;

    /// <summary>Whether all fields agree on a FAT12, FAT16, FAT32, NTFS or exFAT.</summary>
    /// <param name="sector">The first 512 bytes.</param>
    internal static bool IsFileSystem(ReadOnlySpan<byte> sector) =>
        sector[0] is ShortJump or NearJump && (IsFat(sector) || IsNtfs(sector) || IsExFat(sector));

    // The layout that the fields describe must fit: the FAT has room for every cluster, and the volume for the FATs.
    private static bool IsFat(ReadOnlySpan<byte> sector)
    {
        uint bytesPerSector = BinaryPrimitives.ReadUInt16LittleEndian(sector[11..]);
        uint sectorsPerCluster = sector[13];
        uint reserved = BinaryPrimitives.ReadUInt16LittleEndian(sector[14..]);
        uint fats = sector[16];
        uint rootEntries = BinaryPrimitives.ReadUInt16LittleEndian(sector[17..]);
        uint total = BinaryPrimitives.ReadUInt16LittleEndian(sector[19..]);
        uint fatSectors = BinaryPrimitives.ReadUInt16LittleEndian(sector[22..]);
        var isFat32 = fatSectors == 0;
        if (total == 0)
        {
            total = BinaryPrimitives.ReadUInt32LittleEndian(sector[32..]);
        }

        if (isFat32)
        {
            fatSectors = BinaryPrimitives.ReadUInt32LittleEndian(sector[36..]);
        }

        if (bytesPerSector is not (512 or 1024 or 2048 or 4096) || !BitOperations.IsPow2(sectorsPerCluster)
            || reserved == 0 || fats is not (1 or 2) || sector[21] is not (0xF0 or >= 0xF8)
            || fatSectors == 0 || isFat32 != (rootEntries == 0))
        {
            return false;
        }

        var rootSectors = (rootEntries * 32 + bytesPerSector - 1) / bytesPerSector;
        var dataStart = (ulong)reserved + (ulong)fats * fatSectors + rootSectors;
        if (dataStart >= total)
        {
            return false;
        }

        var clusters = (total - dataStart) / sectorsPerCluster;
        var fatNibbles = (clusters + 2) * (isFat32 ? 8UL : clusters >= Fat16MinimumClusters ? 4UL : 3UL);
        return fatNibbles <= (ulong)fatSectors * bytesPerSector * 2;
    }

    private static bool IsNtfs(ReadOnlySpan<byte> sector) =>
        sector[3..11].SequenceEqual("NTFS    "u8)
        && BinaryPrimitives.ReadUInt16LittleEndian(sector[11..]) is 256 or 512 or 1024 or 2048 or 4096
        && sector[13] != 0
        && !sector[14..21].ContainsAnyExcept((byte)0)
        && BinaryPrimitives.ReadUInt16LittleEndian(sector[22..]) == 0
        && BinaryPrimitives.ReadUInt32LittleEndian(sector[32..]) == 0
        && BinaryPrimitives.ReadUInt64LittleEndian(sector[40..]) != 0;

    private static bool IsExFat(ReadOnlySpan<byte> sector) =>
        sector[3..11].SequenceEqual("EXFAT   "u8)
        && !sector[11..64].ContainsAnyExcept((byte)0)
        && sector[108] is >= 9 and <= 12
        && sector[109] <= 25 - sector[108]
        && sector[110] is 1 or 2;
}
