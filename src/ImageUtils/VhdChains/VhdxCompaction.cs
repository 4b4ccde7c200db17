using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>A dynamic or differencing VHDX without its superfluous blocks.</summary>
/// <remarks>
/// Metadata and other regions are copied as they are. The log, which was replayed, is empty. The data write guid, by
/// which children know the disk, stays: a guest sees the same. Sector bitmap blocks are kept where a block needs them.
/// </remarks>
internal sealed class VhdxCompaction : Compaction
{
    private const long Mebibyte = VhdxSafetyChecks.Mebibyte;

    private readonly VhdxStructures _disk;
    private readonly List<(long From, long To, long Length)> _ranges = [];
    private readonly List<VhdxRegion> _regions = [];
    private readonly byte[] _table;
    private long _logLength;

    private VhdxCompaction(VhdxStructures disk, long entries)
    {
        _disk = disk;
        _table = new byte[entries * VhdxBatEntry.Length];
    }

    /// <exception cref="UnsupportedImageException">The table is too long to be held.</exception>
    /// <exception cref="ImageFormatException">A block lies where none can.</exception>
    internal static async ValueTask<VhdxCompaction> PlanAsync(
        FileByteSource source, OwnLayer layer, Action<long> onPosition, CancellationToken cancellationToken)
    {
        var disk = await VhdxReader.ReadStructuresAsync(source, cancellationToken).ConfigureAwait(false);
        var layout = VhdxSafetyChecks.LayoutOf(disk.Metadata);
        if (layout.Entries > MostTableEntries)
        {
            throw new UnsupportedImageException(
                $"The VHDX's table has {layout.Entries} entries; {MostTableEntries} are the most of a disk that is "
                + "compacted. Convert it, with greater blocks.");
        }

        var plan = new VhdxCompaction(disk, (long)layout.Entries);
        var end = plan.PlaceRegions();
        var blockSize = (long)disk.Metadata.FileParameters!.Value.BlockSize;
        var isBitmapNeeded = false;
        await foreach (var (first, entries) in BlockTablePages.ReadAsync(disk, cancellationToken).ConfigureAwait(false))
        {
            for (var index = 0; index < entries.Count; index++)
            {
                var at = (ulong)(first + index);
                var entry = entries[index];
                if (layout.IsBitmap(at))
                {
                    // Without blocks that are there in part, nobody looks at it.
                    if (isBitmapNeeded && entry.State == VhdxBlockState.FullyPresent)
                    {
                        end = plan.Place(at, entry, end, Mebibyte);
                    }

                    isBitmapNeeded = false;
                    continue;
                }

                var block = (long)layout.PayloadIndex(at);
                if (!entry.IsPresent)
                {
                    plan.Put(at, new VhdxBatEntry(entry.State, 0));
                }
                else if (await layer.IsSuperfluousAsync(block * blockSize, blockSize, cancellationToken)
                    .ConfigureAwait(false))
                {
                    plan.DroppedBlocks++;
                }
                else
                {
                    isBitmapNeeded |= entry.State == VhdxBlockState.PartiallyPresent;
                    end = plan.Place(at, entry, end, blockSize);
                    plan.BlockCount++;
                }

                onPosition((block + 1) * blockSize);
            }
        }

        plan.Length = end;
        return plan;
    }

    internal override async ValueTask WriteAsync(
        IByteSink sink, Action<long> onCopied, CancellationToken cancellationToken)
    {
        await CopyAsync(_disk.Source, sink, _ranges, onCopied, cancellationToken).ConfigureAwait(false);
        var tableOffset = (long)_regions.Find(region => region.Id == VhdxIds.BatRegion).FileOffset;
        await sink.WriteAsync(tableOffset, _table, cancellationToken).ConfigureAwait(false);
        await sink.SetLengthAsync(Length, cancellationToken).ConfigureAwait(false);
        var regions = new byte[VhdxRegionTable.Length];
        VhdxRegionTable.Write(_regions, regions);
        await sink.WriteAsync(VhdxRegionTable.FirstOffset, regions, cancellationToken).ConfigureAwait(false);
        await sink.WriteAsync(VhdxRegionTable.SecondOffset, regions, cancellationToken).ConfigureAwait(false);
        var header = _disk.Header with
        {
            FileWriteGuid = Guid.NewGuid(),
            LogGuid = Guid.Empty,
            LogLength = (uint)_logLength,
            LogOffset = (ulong)Mebibyte,
        };
        foreach (var offset in (long[])[VhdxHeader.FirstOffset, VhdxHeader.SecondOffset])
        {
            header = header with { SequenceNumber = header.SequenceNumber + 1 };
            var bytes = new byte[VhdxHeader.Length];
            header.Write(bytes);
            await sink.WriteAsync(offset, bytes, cancellationToken).ConfigureAwait(false);
        }

        var identifier = new byte[VhdxFileIdentifier.Length];
        await VhdxReader.ReadWholeAsync(_disk.Source, 0, identifier, "file identifier", cancellationToken)
            .ConfigureAwait(false);
        await sink.WriteAsync(0, identifier, cancellationToken).ConfigureAwait(false);
    }

    private static long ToMebibytes(long length) => (length + Mebibyte - 1) / Mebibyte * Mebibyte;

    // Behind the headers the log, then the regions in the order in which they lie in the file.
    private long PlaceRegions()
    {
        _logLength = _disk.Header.LogLength;
        var end = Mebibyte + ToMebibytes(_logLength);
        foreach (var region in _disk.Regions.OrderBy(region => region.FileOffset))
        {
            _regions.Add(region with { FileOffset = (ulong)end });
            if (region.Id != VhdxIds.BatRegion)
            {
                _ranges.Add(((long)region.FileOffset, end, region.Length));
            }

            end += ToMebibytes(region.Length);
        }

        return end;
    }

    private void Put(ulong index, VhdxBatEntry entry) => BinaryPrimitives.WriteUInt64LittleEndian(
        _table.AsSpan((int)index * VhdxBatEntry.Length), entry.Value);

    private long Place(ulong index, VhdxBatEntry entry, long end, long length)
    {
        Put(index, new VhdxBatEntry(entry.State, (ulong)end));
        _ranges.Add(((long)entry.FileOffset, end, length));
        return end + ToMebibytes(length);
    }
}
