using ImageUtils.Formats.Vhd;

namespace ImageUtils.VhdChains;

/// <summary>A dynamic or differencing VHD that its children are merged into.</summary>
/// <remarks>
/// A block that it has gets its data in place, and new bits in its bitmap only after the data is on the disk; one that it
/// has not is written at the end of the file, and gets into the block allocation table after that.
/// </remarks>
/// <param name="editor">The disk.</param>
internal sealed class VhdMergeTarget(VhdEditor editor) : IMergeTarget
{
    private const int SectorSize = VhdFooter.SectorSize;

    // What waits for a flush is bounded: a bitmap for each block, and the blocks that were not found after a crash.
    private const int MostPending = 2048;

    private long _size;
    private long _block = -1;
    private long _bitmapOffset;
    private byte[] _bitmap = [];
    private bool _isNew;
    private bool _isChanged;
    private int _pending;

    public long VirtualSize => editor.VirtualSize;

    public bool NeedsZeros => editor.HasParent;

    public ValueTask PrepareGrowthAsync(long size, CancellationToken cancellationToken)
    {
        _size = size;
        return editor.PrepareGrowthAsync(size, cancellationToken);
    }

    public ValueTask ShrinkAsync(long size, CancellationToken cancellationToken) =>
        editor.ShrinkAsync(size, cancellationToken);

    public async ValueTask ReserveAsync(
        IAsyncEnumerable<(long Start, long End)> ranges, CancellationToken cancellationToken)
    {
        var count = 0L;
        var next = 0L;
        await foreach (var (start, end) in ranges.ConfigureAwait(false))
        {
            for (var block = Math.Max(start / editor.BlockSize, next); block * editor.BlockSize < end; block++)
            {
                count += editor.FindBlock(block) is null ? 1 : 0;
                next = block + 1;
            }
        }

        await editor.ReserveAsync(count, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask WriteAsync(
        long guestOffset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        while (data.Length > 0)
        {
            await EnterAsync(guestOffset / editor.BlockSize, cancellationToken).ConfigureAwait(false);
            var within = guestOffset % editor.BlockSize;
            var piece = (int)Math.Min(data.Length, editor.BlockSize - within);
            await editor.Sink.WriteAsync(
                _bitmapOffset + editor.BitmapSize + within, data[..piece], cancellationToken).ConfigureAwait(false);
            Mark(within, piece);
            guestOffset += piece;
            data = data[piece..];
        }
    }

    public async ValueTask WriteZeroesAsync(long guestOffset, long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            var block = guestOffset / editor.BlockSize;
            var within = guestOffset % editor.BlockSize;
            var piece = Math.Min(length, editor.BlockSize - within);

            // Without a parent, a block that is not there is zero.
            if (NeedsZeros || editor.FindBlock(block) is not null)
            {
                await EnterAsync(block, cancellationToken).ConfigureAwait(false);
                await editor.Sink.WriteZeroesAsync(
                    _bitmapOffset + editor.BitmapSize + within, piece, cancellationToken).ConfigureAwait(false);
                Mark(within, piece);
            }

            guestOffset += piece;
            length -= piece;
        }
    }

    public async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await LeaveAsync(cancellationToken).ConfigureAwait(false);
        await editor.CommitAsync(cancellationToken).ConfigureAwait(false);
        await editor.GrowAsync(_size, cancellationToken).ConfigureAwait(false);
        await editor.FinishAsync(cancellationToken).ConfigureAwait(false);
    }

    public void Dispose() => editor.Dispose();

    private void Mark(long within, long length)
    {
        var (start, end) = (within / SectorSize, (within + length + SectorSize - 1) / SectorSize);
        if (SectorBitmap.CountRun(_bitmap, start, end, out var isSet) < end - start || !isSet)
        {
            SectorBitmap.Set(_bitmap, start, end);
            _isChanged = true;
        }
    }

    private async ValueTask EnterAsync(long block, CancellationToken cancellationToken)
    {
        if (block == _block)
        {
            return;
        }

        await LeaveAsync(cancellationToken).ConfigureAwait(false);
        _block = block;
        _isChanged = false;
        _isNew = editor.FindBlock(block) is null;
        if (_isNew)
        {
            _bitmapOffset = editor.AddBlock(block);
            _bitmap = new byte[editor.BitmapSize];

            // Where a run that was cut off wrote before, readers that know no bitmaps must find zeros.
            await editor.Sink.WriteZeroesAsync(
                _bitmapOffset, editor.BitmapSize + editor.BlockSize, cancellationToken).ConfigureAwait(false);
            return;
        }

        _bitmapOffset = editor.FindBlock(block)!.Value;
        _bitmap = await editor.ReadBitmapAsync(block, cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask LeaveAsync(CancellationToken cancellationToken)
    {
        if (_block < 0 || !_isChanged)
        {
            return;
        }

        if (_isNew)
        {
            // QEMU gives its guests the whole block of a disk without a parent, and so says its bitmap.
            if (!editor.HasParent)
            {
                _bitmap.AsSpan().Fill(0xFF);
            }

            var bytes = _bitmap.AsSpan().ToArray();
            SectorBitmap.ReverseBits(bytes);
            await editor.Sink.WriteAsync(_bitmapOffset, bytes, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            editor.SetBitmap(_block, _bitmap);
        }

        _block = -1;
        if (++_pending == MostPending)
        {
            _pending = 0;
            await editor.CommitAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
