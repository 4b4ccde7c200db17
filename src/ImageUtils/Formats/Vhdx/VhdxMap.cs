using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhdx;

/// <summary>Where the payload blocks of a disk lie.</summary>
/// <remarks>
/// MS-VHDX, section 2.5.1.1, "Payload BAT Entry States". Blocks that are undefined or unmapped are read as zeros and
/// never from the parent. Entries of sector bitmap blocks mean nothing in a disk without a parent: QEMU before 8.0 is
/// known to leave nonsense there.
/// </remarks>
/// <param name="source">The file, its log replayed.</param>
/// <param name="header">The current header.</param>
/// <param name="regions">The regions, which do not overlap.</param>
/// <param name="metadata">Metadata that is possible.</param>
/// <param name="fileLength">The file's length in bytes.</param>
internal sealed class VhdxMap(
    IByteSource source, VhdxHeader header, VhdxRegion[] regions, VhdxMetadata metadata, long fileLength) : ImageMap
{
    private const int EntriesPerPage = 8 * 1024;

    private readonly VhdxBatLayout _layout = VhdxSafetyChecks.LayoutOf(metadata);
    private readonly long _blockSize = metadata.FileParameters!.Value.BlockSize;
    private readonly bool _hasParent = metadata.FileParameters.Value.HasParent;
    private readonly long _sectorSize = metadata.LogicalSectorSize!.Value;
    private readonly long _tableOffset =
        (long)Array.Find(regions, region => region.Id == VhdxIds.BatRegion).FileOffset;

    private Page? _page;
    private long _bitmapChunk = -1;
    private long _bitmapOffset;

    public override long VirtualSize => (long)metadata.VirtualDiskSize!.Value;

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var end = Math.Min(guestOffset + length, VirtualSize);
        var bitmap = _hasParent ? new byte[_blockSize / _sectorSize / 8] : [];
        var bitmapBlock = -1L;
        var merger = default(ExtentMerger);
        while (guestOffset < end)
        {
            var block = guestOffset / _blockSize;
            var index = EntryIndexOf(block);
            var page = await LoadPageAsync(index / EntriesPerPage, cancellationToken).ConfigureAwait(false);
            Extent next;
            var entry = page.EntryAt(index);
            if (!entry.IsPresent)
            {
                var alike = page.CountAlike(index, (int)Math.Min(int.MaxValue, EntriesInChunkFrom(block)));
                next = MapEmpty(entry, block, guestOffset, Math.Min(end, (block + alike) * _blockSize));
            }
            else
            {
                CheckBlock(entry, index, block);
                if (entry.State == VhdxBlockState.PartiallyPresent && bitmapBlock != block)
                {
                    await ReadBitmapAsync(block, bitmap, cancellationToken).ConfigureAwait(false);
                    bitmapBlock = block;
                }

                next = MapPresent(entry, guestOffset, Math.Min(end, (block + 1) * _blockSize), bitmap);
            }

            guestOffset = next.GuestEnd;
            if (merger.Add(next, out var whole))
            {
                yield return whole;
            }
        }

        if (merger.Finish(out var last))
        {
            yield return last;
        }
    }

    private long EntryIndexOf(long block) => block + block / (long)_layout.ChunkRatio;

    private long EntriesInChunkFrom(long block) => (long)_layout.ChunkRatio - block % (long)_layout.ChunkRatio;

    private Extent MapEmpty(VhdxBatEntry entry, long block, long guestOffset, long guestEnd) => entry.State switch
    {
        VhdxBlockState.NotPresent => Extent.Hole(guestOffset, guestEnd - guestOffset),
        VhdxBlockState.Undefined or VhdxBlockState.Zero or VhdxBlockState.Unmapped =>
            Extent.Zero(guestOffset, guestEnd - guestOffset),
        _ => throw new ImageFormatException(
            CheckNames.Tables,
            $"The VHDX block allocation table's entry {EntryIndexOf(block)} has the state {(int)entry.State}, which is "
            + "reserved."),
    };

    // From a guest offset within a block to where the block ends, or what its bitmap says of the sectors changes.
    private Extent MapPresent(VhdxBatEntry entry, long guestOffset, long guestEnd, ReadOnlySpan<byte> bitmap)
    {
        var within = guestOffset % _blockSize;
        var length = guestEnd - guestOffset;
        if (entry.State == VhdxBlockState.PartiallyPresent)
        {
            var first = within / _sectorSize;
            var run = SectorBitmap.CountRun(
                bitmap, first, (within + length + _sectorSize - 1) / _sectorSize, out var isOwn);
            length = Math.Min((first + run) * _sectorSize - within, length);
            if (!isOwn)
            {
                return Extent.Hole(guestOffset, length);
            }
        }

        return Extent.Stored(guestOffset, length, source, (long)entry.FileOffset + within);
    }

    private void CheckBlock(VhdxBatEntry entry, long index, long block)
    {
        if (entry.State == VhdxBlockState.PartiallyPresent && !_hasParent)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHDX block allocation table's entry {index} has the state {(int)entry.State}, which is possible "
                + "only in a differencing disk.");
        }

        // QEMU ends fixed files with the disk, not with its last block.
        var length = Math.Min(_blockSize, VirtualSize - block * _blockSize);
        CheckPlace(entry, index, length);
    }

    private void CheckPlace(VhdxBatEntry entry, long index, long length)
    {
        if (VhdxSafetyChecks.FindMisplaced(header, regions, index, entry.FileOffset, (ulong)length) is { } misplaced)
        {
            throw new ImageFormatException(CheckNames.Tables, misplaced);
        }

        if ((long)entry.FileOffset + length > fileLength)
        {
            throw new TruncatedImageException(
                $"The VHDX block allocation table's entry {index} points at byte {entry.FileOffset}, but the block's "
                + $"{length} bytes end beyond the file's {fileLength}: the file is cut short. Get it again.");
        }
    }

    private async ValueTask ReadBitmapAsync(long block, byte[] bitmap, CancellationToken cancellationToken)
    {
        var ratio = (long)_layout.ChunkRatio;
        var chunk = block / ratio;
        if (chunk != _bitmapChunk)
        {
            var index = chunk * (ratio + 1) + ratio;
            var bytes = new byte[VhdxBatEntry.Length];
            await VhdxReader.ReadWholeAsync(
                source, _tableOffset + index * VhdxBatEntry.Length, bytes, "block allocation table", cancellationToken)
                .ConfigureAwait(false);
            var entry = new VhdxBatEntry(BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            if (entry.State != VhdxBlockState.FullyPresent)
            {
                throw new ImageFormatException(
                    CheckNames.Tables,
                    $"The VHDX block allocation table says that block {block} is partially present, but its entry "
                    + $"{index}, for the sector bitmap block, has the state {(int)entry.State}; 6 is expected.");
            }

            CheckPlace(entry, index, VhdxSafetyChecks.Mebibyte);
            (_bitmapChunk, _bitmapOffset) = (chunk, (long)entry.FileOffset);
        }

        await VhdxReader.ReadWholeAsync(
            source, _bitmapOffset + block % ratio * bitmap.Length, bitmap, "sector bitmap", cancellationToken)
            .ConfigureAwait(false);
    }

    private async ValueTask<Page> LoadPageAsync(long index, CancellationToken cancellationToken)
    {
        var first = index * EntriesPerPage;
        if (_page is { } kept && kept.FirstEntry == first)
        {
            return kept;
        }

        var bytes = new byte[Math.Min(EntriesPerPage, (long)_layout.Entries - first) * VhdxBatEntry.Length];
        await VhdxReader.ReadWholeAsync(
            source, _tableOffset + first * VhdxBatEntry.Length, bytes, "block allocation table", cancellationToken)
            .ConfigureAwait(false);
        var entries = MemoryMarshal.Cast<byte, ulong>(bytes).ToArray();
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(entries, entries);
        }

        return _page = new Page(first, entries);
    }

    /// <summary>A part of the block allocation table.</summary>
    private sealed record Page(long FirstEntry, ulong[] Entries)
    {
        internal VhdxBatEntry EntryAt(long index) => new(Entries[index - FirstEntry]);

        /// <summary>How many entries from one on, at most, have the same value.</summary>
        internal int CountAlike(long index, int most)
        {
            var rest = Entries.AsSpan((int)(index - FirstEntry));
            rest = rest[..Math.Min(rest.Length, most)];
            var other = rest.IndexOfAnyExcept(rest[0]);
            return other < 0 ? rest.Length : other;
        }
    }
}
