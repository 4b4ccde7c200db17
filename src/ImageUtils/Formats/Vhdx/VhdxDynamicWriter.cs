using System.Buffers.Binary;
using ImageUtils.Conversion;
using ImageUtils.Formats.Vhd;

namespace ImageUtils.Formats.Vhdx;

/// <summary>Writes a dynamic or differencing disk: its blocks lie in the order in which they come.</summary>
/// <remarks>
/// In a differencing disk every block is partially present, and a chunk's sector bitmap block lies before the chunk's
/// first block.
/// </remarks>
internal sealed class VhdxDynamicWriter : ImageWriter
{
    private const string StateName = "vhdx dynamic 1";
    private const int EntriesPerPage = 8 * 1024;
    private const int BitmapLength = (int)VhdxSafetyChecks.Mebibyte;

    private readonly VhdxWriterOptions _options;
    private readonly VhdxFileLayout _layout;
    private readonly VhdxBatLayout _table;
    private readonly byte[] _page = new byte[EntriesPerPage * VhdxBatEntry.Length];
    private readonly byte[] _bitmap;

    // Pages without entries are left as they are: zeros.
    private long _pageIndex = -1;
    private long _block = -1;
    private long _blockOffset;
    private long _chunk = -1;
    private long _bitmapOffset;
    private long _end;

    internal VhdxDynamicWriter(VhdxWriterOptions options)
    {
        _options = options;
        _layout = new VhdxFileLayout(options);
        _table = options.Layout;
        _bitmap = options.Parent is null ? [] : new byte[BitmapLength];
        _end = _layout.PayloadOffset;
    }

    public override long VirtualSize => (long)_options.VirtualSize;

    public override long UnitSize => _options.BlockSize;

    public override async ValueTask<long> PlaceAsync(
        long guestOffset, long length, CancellationToken cancellationToken)
    {
        var block = guestOffset / UnitSize;
        if (block != _block)
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(block, _block, nameof(guestOffset));
            await AddBlockAsync(block, cancellationToken).ConfigureAwait(false);
        }

        if (_options.Parent is not null)
        {
            MarkSectors(guestOffset, length);
        }

        return _blockOffset + guestOffset % UnitSize;
    }

    /// <summary>Over a parent, sectors of zeros are the disk's own; elsewhere nothing is to be done.</summary>
    public override ValueTask WriteZeroesAsync(
        long guestOffset, long length, CancellationToken cancellationToken) =>
        _options.Parent is null ? ValueTask.CompletedTask : PlaceUnitsAsync(guestOffset, length, cancellationToken);

    public override async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await WriteBitmapAsync(cancellationToken).ConfigureAwait(false);
        await WritePageAsync(cancellationToken).ConfigureAwait(false);
        await Sink.SetLengthAsync(_end, cancellationToken).ConfigureAwait(false);
        await _layout.WriteAsync(Sink, cancellationToken).ConfigureAwait(false);
    }

    public override void SaveState(BinaryWriter writer)
    {
        writer.Write(StateName);
        writer.Write(VirtualSize);
        writer.Write(UnitSize);
        writer.Write(_options.Parent is not null);
        foreach (var value in new[] { _pageIndex, _block, _blockOffset, _chunk, _bitmapOffset, _end })
        {
            writer.Write(value);
        }

        writer.Write(_page);
        writer.Write(_bitmap);
    }

    protected override void RestoreState(BinaryReader reader)
    {
        if (reader.ReadString() != StateName || reader.ReadInt64() != VirtualSize || reader.ReadInt64() != UnitSize
            || reader.ReadBoolean() != _options.Parent is not null)
        {
            throw new InvalidDataException("The state is not that of a dynamic VHDX of this size and block size.");
        }

        _pageIndex = reader.ReadInt64();
        _block = reader.ReadInt64();
        _blockOffset = reader.ReadInt64();
        _chunk = reader.ReadInt64();
        _bitmapOffset = reader.ReadInt64();
        _end = reader.ReadInt64();
        reader.BaseStream.ReadExactly(_page);
        reader.BaseStream.ReadExactly(_bitmap);
        if (_block < -1 || _block >= (long)_table.PayloadBlocks || _pageIndex < -1
            || _pageIndex > (long)_table.Entries / EntriesPerPage || _end < _layout.PayloadOffset
            || _blockOffset < 0 || _bitmapOffset < 0)
        {
            throw new InvalidDataException("The state of the dynamic VHDX is damaged.");
        }
    }

    // On a device, all of the table is there from now on, as zeros: no block is present.
    protected override ValueTask StartAsync(CancellationToken cancellationToken) =>
        ClearAsync(0, _layout.PayloadOffset, cancellationToken);

    private async ValueTask AddBlockAsync(long block, CancellationToken cancellationToken)
    {
        var ratio = (long)_table.ChunkRatio;
        var chunk = block / ratio;
        var state = VhdxBlockState.FullyPresent;
        if (_options.Parent is not null)
        {
            state = VhdxBlockState.PartiallyPresent;
            if (chunk != _chunk)
            {
                await WriteBitmapAsync(cancellationToken).ConfigureAwait(false);
                _bitmap.AsSpan().Clear();
                _chunk = chunk;
                _bitmapOffset = _end;
                _end += BitmapLength;
            }
        }

        _block = block;
        _blockOffset = _end;
        _end += UnitSize;
        await SetEntryAsync(block + chunk, new VhdxBatEntry(state, (ulong)_blockOffset), cancellationToken)
            .ConfigureAwait(false);
        await ClearAsync(_blockOffset, UnitSize, cancellationToken).ConfigureAwait(false);
    }

    private void MarkSectors(long guestOffset, long length)
    {
        const long sectorSize = VhdxWriterOptions.SectorSize;
        if (guestOffset % sectorSize != 0 || length % sectorSize != 0)
        {
            throw new ArgumentException("A differencing VHDX is written in whole sectors.", nameof(length));
        }

        const long sectorsPerChunk = BitmapLength * 8L;
        var first = guestOffset / sectorSize % sectorsPerChunk;
        SectorBitmap.Set(_bitmap, first, first + length / sectorSize);
    }

    // A chunk's bitmap, and the entry that points at it, follow the chunk's blocks.
    private async ValueTask WriteBitmapAsync(CancellationToken cancellationToken)
    {
        if (_chunk < 0)
        {
            return;
        }

        // Each covers 4 GiB, and in most of them few bits are set.
        const int page = 4096;
        await ClearAsync(_bitmapOffset, BitmapLength, cancellationToken).ConfigureAwait(false);
        var start = _bitmap.AsSpan().IndexOfAnyExcept((byte)0) / page * page;
        var end = (_bitmap.AsSpan().LastIndexOfAnyExcept((byte)0) / page + 1) * page;
        await Sink.WriteAsync(_bitmapOffset + start, _bitmap.AsMemory(start, end - start), cancellationToken)
            .ConfigureAwait(false);
        var ratio = (long)_table.ChunkRatio;
        await SetEntryAsync(
            _chunk * (ratio + 1) + ratio,
            new VhdxBatEntry(VhdxBlockState.FullyPresent, (ulong)_bitmapOffset),
            cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask SetEntryAsync(long index, VhdxBatEntry entry, CancellationToken cancellationToken)
    {
        var page = index / EntriesPerPage;
        if (page != _pageIndex)
        {
            await WritePageAsync(cancellationToken).ConfigureAwait(false);
            _pageIndex = page;
            _page.AsSpan().Clear();
        }

        BinaryPrimitives.WriteUInt64LittleEndian(
            _page.AsSpan((int)(index % EntriesPerPage) * VhdxBatEntry.Length), entry.Value);
    }

    private ValueTask WritePageAsync(CancellationToken cancellationToken) => _pageIndex < 0
        ? ValueTask.CompletedTask
        : Sink.WriteAsync(
            VhdxFileLayout.TableOffset + _pageIndex * _page.Length, _page, cancellationToken);
}
