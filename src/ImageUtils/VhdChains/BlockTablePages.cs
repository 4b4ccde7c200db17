using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>Reads block allocation tables a page at a time, however long they are.</summary>
internal static class BlockTablePages
{
    /// <summary>How many entries come at once, but for the last.</summary>
    internal const int EntriesPerPage = 16 * 1024;

    /// <summary>A VHD's entries, in order: sector numbers.</summary>
    /// <returns>
    /// For each page its first entry's index, and the entries; they are overwritten by the next page.
    /// </returns>
    /// <exception cref="Errors.TruncatedImageException">The file ends before the table does.</exception>
    internal static async IAsyncEnumerable<(long First, ArraySegment<uint> Entries)> ReadAsync(
        IByteSource source, VhdDynamicHeader header, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var bytes = new byte[EntriesPerPage * sizeof(uint)];
        var entries = new uint[EntriesPerPage];
        for (var first = 0L; first < header.MaxTableEntries; first += EntriesPerPage)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = (int)Math.Min(EntriesPerPage, header.MaxTableEntries - first);
            await VhdReader.ReadWholeAsync(
                source, (long)header.TableOffset + first * sizeof(uint), bytes.AsMemory(0, count * sizeof(uint)),
                "block allocation table", cancellationToken).ConfigureAwait(false);
            for (var index = 0; index < count; index++)
            {
                entries[index] = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(index * sizeof(uint)));
            }

            yield return (first, new ArraySegment<uint>(entries, 0, count));
        }
    }

    /// <summary>A VHDX's entries, in order, those of sector bitmap blocks among them.</summary>
    /// <inheritdoc cref="ReadAsync(IByteSource, VhdDynamicHeader, CancellationToken)"/>
    internal static async IAsyncEnumerable<(long First, ArraySegment<VhdxBatEntry> Entries)> ReadAsync(
        VhdxStructures disk, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var bytes = new byte[EntriesPerPage * VhdxBatEntry.Length];
        var entries = new VhdxBatEntry[EntriesPerPage];
        var table = (long)Array.Find(disk.Regions, region => region.Id == VhdxIds.BatRegion).FileOffset;
        var total = (long)VhdxSafetyChecks.LayoutOf(disk.Metadata).Entries;
        for (var first = 0L; first < total; first += EntriesPerPage)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var count = (int)Math.Min(EntriesPerPage, total - first);
            await VhdxReader.ReadWholeAsync(
                disk.Source, table + first * VhdxBatEntry.Length, bytes.AsMemory(0, count * VhdxBatEntry.Length),
                "block allocation table", cancellationToken).ConfigureAwait(false);
            for (var index = 0; index < count; index++)
            {
                entries[index] = new VhdxBatEntry(
                    BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(index * VhdxBatEntry.Length)));
            }

            yield return (first, new ArraySegment<VhdxBatEntry>(entries, 0, count));
        }
    }
}
