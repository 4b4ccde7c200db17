using System.Buffers.Binary;
using ImageUtils.IO;

namespace ImageUtils.Formats.Vmdk;

/// <summary>Where a sparse extent's directory and tables are, by the fields of either kind of header.</summary>
/// <param name="CapacitySectors">The disk's size.</param>
/// <param name="GrainSectors">The grain's size.</param>
/// <param name="EntriesPerTable">Entries of each grain table.</param>
/// <param name="Offset">Where the directory is, in bytes.</param>
/// <param name="Entries">The directory's entries.</param>
/// <param name="MetadataEnd">The end of header and descriptor in bytes: nothing else lies before it.</param>
/// <param name="IsCompressed">Whether a grain may take up less than its size.</param>
/// <param name="HasZeroedGrains">Whether a table entry of 1 stands for a grain of zeros.</param>
internal sealed record VmdkGrainDirectory(
    ulong CapacitySectors,
    ulong GrainSectors,
    uint EntriesPerTable,
    long Offset,
    ulong Entries,
    long MetadataEnd,
    bool IsCompressed,
    bool HasZeroedGrains)
{
    // Enough for a directory of 256 GiB, and for a sample of the tables of any disk, all of them up to 1 GiB.
    private const int MaximumDirectoryRead = 32 * 1024;
    private const int MaximumTableRead = 64 * 1024;

    private const int GrainMarkerLength = VmdkMarker.GrainMarkerLength;

    private const int SectorLength = VmdkSparseHeader.SectorLength;

    internal long End => Offset + (long)Entries * 4;

    internal int TableLength => (int)EntriesPerTable * 4;

    /// <summary>The directory of a hosted sparse extent, by a header that has nothing impossible.</summary>
    internal static VmdkGrainDirectory Of(VmdkSparseHeader header)
    {
        var descriptorEnd = header.DescriptorSector + Math.Min(
            header.DescriptorSectors, VmdkSafetyChecks.MaximumDescriptorSectors);
        return new VmdkGrainDirectory(
            header.CapacitySectors, header.GrainSectors, header.EntriesPerGrainTable,
            (long)header.GrainDirectorySector * SectorLength, VmdkSafetyChecks.CountDirectoryEntries(header),
            header.DescriptorSector == 1 ? (long)descriptorEnd * SectorLength : SectorLength,
            header.IsCompressed, header.Flags.HasFlag(VmdkSparseFlags.ZeroedGrains));
    }

    /// <summary>The directory of a COWD extent, by a header that has nothing impossible.</summary>
    internal static VmdkGrainDirectory Of(VmdkCowdHeader header) => new(
        header.CapacitySectors, header.GrainSectors, VmdkCowdHeader.EntriesPerGrainTable,
        (long)header.GrainDirectorySector * SectorLength, header.GrainDirectoryEntries, SectorLength, false, false);

    /// <summary>Looks at the directory and a sample of the tables: what is misplaced, and how far data goes.</summary>
    internal async ValueTask<(string? Misplaced, long FurthestEnd)> ScanAsync(
        ForwardReader reader, CancellationToken cancellationToken)
    {
        var directory = await reader
            .ReadAsync(Offset, (int)Math.Min((long)Entries * 4, MaximumDirectoryRead), cancellationToken)
            .ConfigureAwait(false);
        var tables = FindTables(directory.Span, out var misplaced);
        var furthest = tables.Count == 0 ? 0 : tables[^1].Offset + TableLength;
        var sample = Math.Max(1, MaximumTableRead / TableLength);
        for (var at = 0; at < Math.Min(sample, tables.Count) && misplaced is null; at++)
        {
            var (index, offset) = tables[(int)((long)at * tables.Count / Math.Min(sample, tables.Count))];
            if (offset < reader.Position && offset + TableLength > ForwardReader.HeadLength)
            {
                // A table before its directory is legal, and cannot be gone back to in a stream.
                continue;
            }

            var table = await reader.ReadAsync(offset, TableLength, cancellationToken).ConfigureAwait(false);
            (misplaced, var end) = FindGrains(table.Span, index);
            furthest = Math.Max(furthest, end);
        }

        return (misplaced, furthest);
    }

    private List<(int Index, long Offset)> FindTables(ReadOnlySpan<byte> directory, out string? misplaced)
    {
        misplaced = null;
        var tables = new List<(int Index, long Offset)>();
        for (var index = 0; index < directory.Length / 4; index++)
        {
            var sector = BinaryPrimitives.ReadUInt32LittleEndian(directory[(index * 4)..]);
            if (sector == 0)
            {
                continue;
            }

            if ((long)sector * SectorLength < MetadataEnd)
            {
                misplaced ??= $"The VMDK grain directory's entry {index} at byte {Offset + index * 4L} is sector "
                    + $"{sector}, inside of header or descriptor.";
            }

            tables.Add((index, (long)sector * SectorLength));
        }

        tables.Sort((left, right) => left.Offset.CompareTo(right.Offset));
        return tables;
    }

    private (string? Misplaced, long FurthestEnd) FindGrains(ReadOnlySpan<byte> table, int tableIndex)
    {
        long furthest = 0;
        for (var entry = 0; entry < table.Length / 4; entry++)
        {
            var sector = BinaryPrimitives.ReadUInt32LittleEndian(table[(entry * 4)..]);
            if (sector == 0 || (sector == 1 && HasZeroedGrains))
            {
                continue;
            }

            var offset = (long)sector * SectorLength;
            if (offset < MetadataEnd)
            {
                return ($"The VMDK grain table {tableIndex} has in its entry {entry} the sector {sector}, inside of "
                    + "header or descriptor.", furthest);
            }

            // The disk's last grain need not be there whole.
            var first = ((ulong)tableIndex * EntriesPerTable + (ulong)entry) * GrainSectors;
            var sectors = first < CapacitySectors ? Math.Min(GrainSectors, CapacitySectors - first) : 0;
            furthest = Math.Max(
                furthest, offset + (IsCompressed ? GrainMarkerLength : (long)sectors * SectorLength));
        }

        return (null, furthest);
    }
}
