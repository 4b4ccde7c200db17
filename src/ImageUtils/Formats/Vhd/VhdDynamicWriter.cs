using System.Buffers.Binary;
using ImageUtils.Conversion;

namespace ImageUtils.Formats.Vhd;

/// <summary>
/// Writes a dynamic or differencing disk: footer's copy, header, the parent's name, block allocation table, blocks in
/// the order in which they come, footer.
/// </summary>
/// <remarks>
/// A dynamic disk's bitmaps have every bit set, as QEMU's have. A differencing disk's have those of the sectors that
/// were written.
/// </remarks>
internal sealed class VhdDynamicWriter : ImageWriter
{
    private const string StateName = "vhd dynamic 1";
    private const int EntriesPerPage = 16 * 1024;
    private const long HeaderOffset = VhdFooter.Length;
    private const long LocatorOffset = HeaderOffset + VhdDynamicHeader.Length;

    private readonly VhdWriterOptions _options;
    private readonly VhdDynamicHeader _header;
    private readonly byte[] _page;
    private readonly byte[] _bitmap;
    private readonly long _tableSpace;

    // The table is written out in pages, of which all before this one have been.
    private long _pageIndex;

    private long _block = -1;
    private long _blockOffset;
    private long _end;

    internal VhdDynamicWriter(VhdWriterOptions options)
    {
        _options = options;
        var tableOffset = LocatorOffset + (options.Parent?.DataSpace ?? 0);
        _header = new VhdDynamicHeader
        {
            TableOffset = (ulong)tableOffset,
            MaxTableEntries = (uint)Math.Max((VirtualSize + options.BlockSize - 1) / options.BlockSize, 1),
            BlockSize = (uint)options.BlockSize,
        };
        if (options.Parent is { } parent)
        {
            _header = _header with
            {
                ParentUniqueId = parent.Id,
                ParentTimeStamp = parent.TimeStamp,
                ParentUnicodeName = parent.UnicodeName,
                ParentLocators = parent.MakeLocators(LocatorOffset),
            };
        }

        _tableSpace = (_header.TableLength + VhdFooter.SectorSize - 1) / VhdFooter.SectorSize * VhdFooter.SectorSize;
        _page = new byte[Math.Min(EntriesPerPage * sizeof(uint), _tableSpace)];
        _page.AsSpan().Fill(0xFF);
        _bitmap = new byte[_header.BitmapSize];
        _end = tableOffset + _tableSpace;
    }

    public override long VirtualSize => _options.Size.Bytes;

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

        var within = guestOffset % UnitSize;
        if (_options.Parent is not null)
        {
            MarkSectors(guestOffset, within, length);
        }

        return _blockOffset + _bitmap.Length + within;
    }

    /// <summary>Over a parent, sectors of zeros are the disk's own; elsewhere nothing is to be done.</summary>
    public override ValueTask WriteZeroesAsync(
        long guestOffset, long length, CancellationToken cancellationToken) =>
        _options.Parent is null ? ValueTask.CompletedTask : PlaceUnitsAsync(guestOffset, length, cancellationToken);

    public override async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await WriteBitmapAsync(cancellationToken).ConfigureAwait(false);
        await WritePagesAsync(PageCount, cancellationToken).ConfigureAwait(false);
        await Sink.SetLengthAsync(_end + VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        if (_options.Parent is { } parent)
        {
            await Sink.WriteAsync(LocatorOffset, parent.MakeData(), cancellationToken).ConfigureAwait(false);
        }

        var header = new byte[VhdDynamicHeader.Length];
        _header.Write(header);
        await Sink.WriteAsync(HeaderOffset, header, cancellationToken).ConfigureAwait(false);
        var footer = new byte[VhdFooter.Length];
        _options.MakeFooter().Write(footer);
        await Sink.WriteAsync(_end, footer, cancellationToken).ConfigureAwait(false);
        await Sink.WriteAsync(0, footer, cancellationToken).ConfigureAwait(false);
    }

    public override void SaveState(BinaryWriter writer)
    {
        writer.Write(StateName);
        writer.Write(VirtualSize);
        writer.Write(UnitSize);
        writer.Write(_pageIndex);
        writer.Write(_block);
        writer.Write(_blockOffset);
        writer.Write(_end);
        writer.Write(_page);
        writer.Write(_bitmap);
    }

    protected override void RestoreState(BinaryReader reader)
    {
        if (reader.ReadString() != StateName || reader.ReadInt64() != VirtualSize || reader.ReadInt64() != UnitSize)
        {
            throw new InvalidDataException("The state is not that of a dynamic VHD of this size and block size.");
        }

        _pageIndex = reader.ReadInt64();
        _block = reader.ReadInt64();
        _blockOffset = reader.ReadInt64();
        _end = reader.ReadInt64();
        reader.BaseStream.ReadExactly(_page);
        reader.BaseStream.ReadExactly(_bitmap);
        if (_block < -1 || _block >= _header.MaxTableEntries || _blockOffset < 0 || _end < _blockOffset
            || _pageIndex < 0 || _pageIndex >= PageCount)
        {
            throw new InvalidDataException("The state of the dynamic VHD is damaged.");
        }
    }

    protected override ValueTask StartAsync(CancellationToken cancellationToken)
    {
        VhdWriterOptions.RequireFile(Sink);

        // What was where copy and header go must be neither.
        return ClearAsync(0, LocatorOffset, cancellationToken);
    }

    private long PageCount => (_tableSpace + _page.Length - 1) / _page.Length;

    private async ValueTask AddBlockAsync(long block, CancellationToken cancellationToken)
    {
        await WriteBitmapAsync(cancellationToken).ConfigureAwait(false);
        await WritePagesAsync(block / EntriesPerPage, cancellationToken).ConfigureAwait(false);
        _block = block;
        _blockOffset = _end;
        _end += _bitmap.Length + UnitSize;
        BinaryPrimitives.WriteUInt32BigEndian(
            _page.AsSpan((int)(block % EntriesPerPage) * sizeof(uint)), (uint)(_blockOffset / VhdFooter.SectorSize));
        _bitmap.AsSpan().Fill(_options.Parent is null ? (byte)0xFF : (byte)0);
        if (_options.Parent is null)
        {
            await Sink.WriteAsync(_blockOffset, _bitmap, cancellationToken).ConfigureAwait(false);
        }

        await ClearAsync(_blockOffset + _bitmap.Length, UnitSize, cancellationToken).ConfigureAwait(false);
    }

    private void MarkSectors(long guestOffset, long within, long length)
    {
        const int sectorSize = VhdFooter.SectorSize;
        var end = within + length;
        if (within % sectorSize != 0 || (end % sectorSize != 0 && guestOffset + length != VirtualSize))
        {
            throw new ArgumentException("A differencing VHD is written in whole sectors.", nameof(length));
        }

        SectorBitmap.Set(_bitmap, within / sectorSize, (end + sectorSize - 1) / sectorSize);
    }

    private async ValueTask WriteBitmapAsync(CancellationToken cancellationToken)
    {
        if (_options.Parent is not null && _block >= 0)
        {
            var bitmap = _bitmap.AsSpan().ToArray();
            SectorBitmap.ReverseBits(bitmap);
            await Sink.WriteAsync(_blockOffset, bitmap, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask WritePagesAsync(long end, CancellationToken cancellationToken)
    {
        for (; _pageIndex < end; _pageIndex++)
        {
            var start = _pageIndex * _page.Length;
            var length = (int)Math.Min(_page.Length, _tableSpace - start);
            await Sink.WriteAsync((long)_header.TableOffset + start, _page.AsMemory(0, length), cancellationToken)
                .ConfigureAwait(false);
            _page.AsSpan().Fill(0xFF);
        }
    }
}
