using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>A fixed or dynamic VHDX that its children are merged into.</summary>
/// <remarks>
/// As with a VHD, a new block is written at the end of the file and gets into the block allocation table once it is on the
/// disk; each entry lies within a sector, so that no log is needed. The data write guid, by which the children know their
/// parent, stays: as long as they are there the disk reads, through them, as before.
/// </remarks>
internal sealed class VhdxMergeTarget : IMergeTarget
{
    private const int EntriesPerPage = 8 * 1024;
    private const int MostPending = 8192;

    private readonly ImageLock _file;
    private readonly IByteSink _sink;
    private readonly FileByteSource _source;
    private readonly Dictionary<long, ulong> _added = [];
    private readonly byte[] _page = new byte[EntriesPerPage * VhdxBatEntry.Length];
    private readonly long _blockSize;
    private readonly long _tableOffset;
    private readonly long _tableEntries;
    private readonly long _sizeOffset;
    private readonly uint _sectorSize;
    private VhdxBatLayout _layout;
    private long _pageIndex = -1;
    private long _end;

    private VhdxMergeTarget(
        ImageLock file, IByteSink sink, FileByteSource source, VhdxMetadata metadata, VhdxRegion table, long sizeOffset)
    {
        _file = file;
        _sink = sink;
        _source = source;
        _blockSize = metadata.FileParameters!.Value.BlockSize;
        _sectorSize = metadata.LogicalSectorSize!.Value;
        _tableOffset = (long)table.FileOffset;
        _tableEntries = table.Length / VhdxBatEntry.Length;
        _sizeOffset = sizeOffset;
        _layout = VhdxSafetyChecks.LayoutOf(metadata);
        VirtualSize = (long)metadata.VirtualDiskSize!.Value;
    }

    public long VirtualSize { get; private set; }

    public bool NeedsZeros => false;

    /// <param name="path">The disk, which has been inspected.</param>
    /// <param name="file">The same, open for writing.</param>
    /// <param name="sink">Writes to it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="VhdChainException">It is differencing, or its log must be replayed first.</exception>
    internal static async ValueTask<VhdxMergeTarget> OpenAsync(
        string path, ImageLock file, IByteSink sink, CancellationToken cancellationToken)
    {
        var source = FileByteSource.Open(path);
        try
        {
            async ValueTask<ReadOnlyMemory<byte>> ReadAsync(
                long offset, int length, string what, CancellationToken innerToken)
            {
                var bytes = new byte[length];
                await VhdxReader.ReadWholeAsync(source, offset, bytes, what, innerToken).ConfigureAwait(false);
                return bytes;
            }

            var first = await ReadAsync(VhdxHeader.FirstOffset, VhdxHeader.Length, "header", cancellationToken)
                .ConfigureAwait(false);
            var second = await ReadAsync(VhdxHeader.SecondOffset, VhdxHeader.Length, "header", cancellationToken)
                .ConfigureAwait(false);
            var header = VhdxHeader.FindCurrent(first.Span, second.Span);
            if (header.LogGuid != Guid.Empty)
            {
                throw new VhdChainException(
                    VhdChainProblem.NotUsable, path,
                    "It was not closed properly, and has a log that must be replayed before it is changed: open it once with "
                    + "Hyper-V, or repair it with 'qemu-img check -r all'.");
            }

            var tables = await ReadAsync(
                VhdxRegionTable.FirstOffset, VhdxRegionTable.Length, "region table", cancellationToken)
                .ConfigureAwait(false);
            var regions = VhdxRegionTable.Parse(VhdxRegionTable.IsValid(tables.Span)
                ? tables.Span
                : (await ReadAsync(
                    VhdxRegionTable.SecondOffset, VhdxRegionTable.Length, "region table", cancellationToken)
                    .ConfigureAwait(false)).Span);
            var region = Array.Find(regions, one => one.Id == VhdxIds.MetadataRegion);
            var entries = await VhdxMetadata.ReadTableAsync(ReadAsync, region, cancellationToken).ConfigureAwait(false);
            var metadata = await VhdxMetadata.ReadItemsAsync(ReadAsync, region, entries, cancellationToken)
                .ConfigureAwait(false);
            if (metadata.FileParameters!.Value.HasParent)
            {
                throw new VhdChainException(
                    VhdChainProblem.NotUsable, path,
                    "It is a differencing VHDX, and those are not merged into in place. Merge into the base, or write the "
                    + "merged disk to a new file with -Destination.");
            }

            var size = Array.Find(entries, entry => entry.Is(VhdxIds.VirtualDiskSize));
            var target = new VhdxMergeTarget(
                file, sink, source, metadata, Array.Find(regions, one => one.Id == VhdxIds.BatRegion),
                (long)region.FileOffset + size.Offset);
            await target.FindEndAsync(header, regions, cancellationToken).ConfigureAwait(false);
            var isFirstCurrent = VhdxHeader.IsValid(first.Span) && VhdxHeader.Parse(first.Span) == header;
            await target.WriteHeaderAsync(header, isFirstCurrent, cancellationToken).ConfigureAwait(false);
            return target;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    public async ValueTask PrepareGrowthAsync(long size, CancellationToken cancellationToken)
    {
        size = (size + _sectorSize - 1) / _sectorSize * _sectorSize;
        var layout = new VhdxBatLayout((ulong)size, (uint)_blockSize, _sectorSize, hasParent: false);
        if ((long)layout.Entries > _tableEntries)
        {
            throw new VhdChainException(
                VhdChainProblem.NotUsable, _source.Path,
                $"Its block allocation table has room for {_tableEntries} blocks, too few for {size} bytes. Write the merged "
                + "disk to a new file with -Destination.");
        }

        // What is there may be left over from when the disk was larger.
        var more = (long)(layout.Entries - _layout.Entries) * VhdxBatEntry.Length;
        await _sink.FillAsync(_tableOffset + (long)_layout.Entries * VhdxBatEntry.Length, more, cancellationToken)
            .ConfigureAwait(false);
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        _pageIndex = -1;
        await WriteSizeAsync(size, layout, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask ShrinkAsync(long size, CancellationToken cancellationToken)
    {
        size = (size + _sectorSize - 1) / _sectorSize * _sectorSize;
        return WriteSizeAsync(
            size, new VhdxBatLayout((ulong)size, (uint)_blockSize, _sectorSize, hasParent: false), cancellationToken);
    }

    public ValueTask ReserveAsync(
        IAsyncEnumerable<(long Start, long End)> ranges, CancellationToken cancellationToken) =>
        ValueTask.CompletedTask;

    public async ValueTask WriteAsync(
        long guestOffset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        while (data.Length > 0)
        {
            var within = guestOffset % _blockSize;
            var piece = (int)Math.Min(data.Length, _blockSize - within);
            var block = await FindBlockAsync(guestOffset / _blockSize, cancellationToken).ConfigureAwait(false)
                ?? await AddBlockAsync(guestOffset / _blockSize, cancellationToken).ConfigureAwait(false);
            await _sink.WriteAsync(block + within, data[..piece], cancellationToken).ConfigureAwait(false);
            guestOffset += piece;
            data = data[piece..];
        }
    }

    public async ValueTask WriteZeroesAsync(long guestOffset, long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            var within = guestOffset % _blockSize;
            var piece = Math.Min(length, _blockSize - within);

            // A block that is not there is zero.
            if (await FindBlockAsync(guestOffset / _blockSize, cancellationToken).ConfigureAwait(false) is { } block)
            {
                await _sink.WriteZeroesAsync(block + within, piece, cancellationToken).ConfigureAwait(false);
            }

            guestOffset += piece;
            length -= piece;
        }
    }

    public async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await CommitAsync(cancellationToken).ConfigureAwait(false);
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => _source.Dispose();

    private long IndexOf(long block) => block + block / (long)_layout.ChunkRatio;

    private async ValueTask<long?> FindBlockAsync(long block, CancellationToken cancellationToken)
    {
        var index = IndexOf(block);
        if (!_added.TryGetValue(index, out var value))
        {
            await LoadPageAsync(index / EntriesPerPage, cancellationToken).ConfigureAwait(false);
            value = BinaryPrimitives.ReadUInt64LittleEndian(
                _page.AsSpan((int)(index % EntriesPerPage) * VhdxBatEntry.Length));
        }

        var entry = new VhdxBatEntry(value);
        return entry.State == VhdxBlockState.FullyPresent ? (long)entry.FileOffset : null;
    }

    private async ValueTask<long> AddBlockAsync(long block, CancellationToken cancellationToken)
    {
        if (_added.Count == MostPending)
        {
            await CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        var offset = _end;
        _end += _blockSize;

        // A run that was cut off may have written here.
        if (offset < RandomAccess.GetLength(_file.Handle))
        {
            await _sink.WriteZeroesAsync(offset, _blockSize, cancellationToken).ConfigureAwait(false);
        }

        if (_end > RandomAccess.GetLength(_file.Handle))
        {
            await _sink.SetLengthAsync(_end, cancellationToken).ConfigureAwait(false);
        }

        _added.Add(IndexOf(block), new VhdxBatEntry(VhdxBlockState.FullyPresent, (ulong)offset).Value);
        return offset;
    }

    private async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        if (_added.Count == 0)
        {
            return;
        }

        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        var bytes = new byte[VhdxBatEntry.Length];
        foreach (var (index, value) in _added)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
            await _sink.WriteAsync(_tableOffset + index * VhdxBatEntry.Length, bytes, cancellationToken)
                .ConfigureAwait(false);
        }

        _added.Clear();
        _pageIndex = -1;
    }

    private async ValueTask LoadPageAsync(long index, CancellationToken cancellationToken)
    {
        if (index == _pageIndex)
        {
            return;
        }

        var first = index * EntriesPerPage;
        var length = (int)Math.Min(EntriesPerPage, _tableEntries - first) * VhdxBatEntry.Length;
        await VhdxReader.ReadWholeAsync(
            _source, _tableOffset + first * VhdxBatEntry.Length, _page.AsMemory(0, length), "block allocation table",
            cancellationToken).ConfigureAwait(false);
        _pageIndex = index;
    }

    // Behind all regions, the log and every block; blocks begin at whole MiB.
    private async ValueTask FindEndAsync(
        VhdxHeader header, VhdxRegion[] regions, CancellationToken cancellationToken)
    {
        var end = Math.Max(
            header.LogOffset + header.LogLength, regions.Max(region => region.FileOffset + region.Length));
        for (var index = 0L; index < (long)_layout.Entries; index++)
        {
            await LoadPageAsync(index / EntriesPerPage, cancellationToken).ConfigureAwait(false);
            var entry = new VhdxBatEntry(BinaryPrimitives.ReadUInt64LittleEndian(
                _page.AsSpan((int)(index % EntriesPerPage) * VhdxBatEntry.Length)));
            end = entry.IsPresent ? Math.Max(end, entry.FileOffset + (ulong)_blockSize) : end;
        }

        const ulong Mebibyte = VhdxSafetyChecks.Mebibyte;
        _end = (long)((end + Mebibyte - 1) / Mebibyte * Mebibyte);
    }

    // MS-VHDX, section 2.2.2.1: the file write guid changes before anything else does, in the header that is not current.
    private async ValueTask WriteHeaderAsync(
        VhdxHeader header, bool isFirstCurrent, CancellationToken cancellationToken)
    {
        var bytes = new byte[VhdxHeader.Length];
        (header with { SequenceNumber = header.SequenceNumber + 1, FileWriteGuid = Guid.NewGuid() }).Write(bytes);
        await _sink.WriteAsync(
            isFirstCurrent ? VhdxHeader.SecondOffset : VhdxHeader.FirstOffset, bytes, cancellationToken)
            .ConfigureAwait(false);
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask WriteSizeAsync(long size, VhdxBatLayout layout, CancellationToken cancellationToken)
    {
        var bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)size);
        await _sink.WriteAsync(_sizeOffset, bytes, cancellationToken).ConfigureAwait(false);
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        (_layout, VirtualSize) = (layout, size);
    }
}
