using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Formats.Vhd;

/// <summary>Where the blocks of a dynamic or differencing disk lie.</summary>
/// <remarks>
/// A differencing disk's bitmaps say which sectors are its own. A dynamic disk's bitmaps are not looked at: the
/// specification calls the sectors that they leave out never written, but QEMU reads, and gives its guests, the whole
/// block; other writers set every bit or leave zeros there, so that all readers see the same.
/// </remarks>
/// <param name="source">The file.</param>
/// <param name="footer">The footer.</param>
/// <param name="header">The dynamic header, which is possible and fits the file.</param>
/// <param name="dataEnd">Where the footer at the file's end begins; blocks end before it.</param>
internal sealed class VhdMap(IByteSource source, VhdFooter footer, VhdDynamicHeader header, long dataEnd) : ImageMap
{
    private const int EntriesPerPage = 16 * 1024;

    private readonly bool _hasParent = footer.DiskType == VhdDiskType.Differencing;
    private readonly long _blockSize = header.BlockSize;
    private readonly long _bitmapSize = header.BitmapSize;

    private Page? _page;

    public override long VirtualSize => (long)footer.GuestSize;

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var end = Math.Min(guestOffset + length, VirtualSize);
        var bitmap = _hasParent ? new byte[_bitmapSize] : [];
        var start = guestOffset;
        var merger = default(ExtentMerger);
        while (guestOffset < end)
        {
            var block = guestOffset / _blockSize;
            var page = await LoadPageAsync(block / EntriesPerPage, cancellationToken).ConfigureAwait(false);
            var pageEnd = Math.Min(end, (page.FirstBlock + page.Entries.Length) * _blockSize);
            while (guestOffset < pageEnd)
            {
                block = guestOffset / _blockSize;
                Extent next;
                if (page.CountUnused(block) is var unused and > 0)
                {
                    next = Extent.Hole(guestOffset, Math.Min(pageEnd, (block + unused) * _blockSize) - guestOffset);
                }
                else
                {
                    var blockOffset = FindBlock(page, block);
                    if (_hasParent && (guestOffset == start || guestOffset % _blockSize == 0))
                    {
                        await ReadBitmapAsync(blockOffset, bitmap, cancellationToken).ConfigureAwait(false);
                    }

                    next = MapSectors(guestOffset, Math.Min(pageEnd, (block + 1) * _blockSize), blockOffset, bitmap);
                }

                guestOffset = next.GuestEnd;
                if (merger.Add(next, out var whole))
                {
                    yield return whole;
                }
            }
        }

        if (merger.Finish(out var last))
        {
            yield return last;
        }
    }

    // From a guest offset within a block to where the block ends, or what its bitmap says of the sectors changes.
    private Extent MapSectors(long guestOffset, long guestEnd, long blockOffset, ReadOnlySpan<byte> bitmap)
    {
        var within = guestOffset % _blockSize;
        var length = guestEnd - guestOffset;
        if (_hasParent)
        {
            const int sectorSize = VhdFooter.SectorSize;
            var first = within / sectorSize;
            var run = SectorBitmap.CountRun(
                bitmap, first, (within + length + sectorSize - 1) / sectorSize, out var isOwn);
            length = Math.Min((first + run) * sectorSize - within, length);
            if (!isOwn)
            {
                return Extent.Hole(guestOffset, length);
            }
        }

        return Extent.Stored(guestOffset, length, source, blockOffset + _bitmapSize + within);
    }

    private long FindBlock(Page page, long block)
    {
        var offset = page.EntryOf(block) * (long)VhdFooter.SectorSize;
        var length = _bitmapSize + _blockSize;
        if (VhdSafetyChecks.FindMisplacedBlock(footer, header, block, offset) is { } misplaced)
        {
            throw new ImageFormatException(Safety.CheckNames.Tables, misplaced);
        }

        return offset + length <= dataEnd
            ? offset
            : throw new TruncatedImageException(
                $"The VHD block allocation table's entry {block} points at byte {offset}, but the block of {length} "
                + $"bytes ends beyond the file's data, which ends at byte {dataEnd}: the file is cut short. "
                + "Get it again.");
    }

    private async ValueTask ReadBitmapAsync(long blockOffset, byte[] bitmap, CancellationToken cancellationToken)
    {
        await VhdReader.ReadWholeAsync(source, blockOffset, bitmap, "sector bitmap", cancellationToken)
            .ConfigureAwait(false);
        SectorBitmap.ReverseBits(bitmap);
    }

    private async ValueTask<Page> LoadPageAsync(long index, CancellationToken cancellationToken)
    {
        if (_page is { } kept && kept.FirstBlock == index * EntriesPerPage)
        {
            return kept;
        }

        var first = index * EntriesPerPage;
        var bytes = new byte[Math.Min(EntriesPerPage, header.MaxTableEntries - first) * sizeof(uint)];
        await VhdReader.ReadWholeAsync(
            source, (long)header.TableOffset + first * sizeof(uint), bytes, "block allocation table", cancellationToken)
            .ConfigureAwait(false);
        var entries = MemoryMarshal.Cast<byte, uint>(bytes).ToArray();
        if (BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(entries, entries);
        }

        return _page = new Page(first, entries);
    }

    /// <summary>A part of the block allocation table.</summary>
    private sealed record Page(long FirstBlock, uint[] Entries)
    {
        internal uint EntryOf(long block) => Entries[block - FirstBlock];

        /// <summary>How many entries from a block's on are unused.</summary>
        internal int CountUnused(long block)
        {
            var rest = Entries.AsSpan((int)(block - FirstBlock));
            var used = rest.IndexOfAnyExcept(VhdSafetyChecks.UnusedEntry);
            return used < 0 ? rest.Length : used;
        }
    }
}
