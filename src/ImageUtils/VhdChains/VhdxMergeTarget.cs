using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;

namespace ImageUtils.VhdChains;

/// <summary>A VHDX that its children are merged into.</summary>
/// <remarks>
/// The children hide every sector that is written, in blocks that are there as well: only that a block or a bitmap is there
/// at all must not be said before it is on the disk.
/// </remarks>
/// <param name="editor">The disk.</param>
internal sealed class VhdxMergeTarget(VhdxEditor editor) : IMergeTarget
{
    private long _size;
    private long _block = -1;
    private VhdxBatEntry _entry;
    private byte[] _bitmap = [];
    private bool _isBitmapChanged;

    public long VirtualSize => editor.VirtualSize;

    public bool NeedsZeros => editor.HasParent;

    public ValueTask PrepareGrowthAsync(long size, CancellationToken cancellationToken)
    {
        _size = size;
        return editor.PrepareSizeAsync(size, cancellationToken);
    }

    public ValueTask ShrinkAsync(long size, CancellationToken cancellationToken) =>
        editor.SetSizeAsync(size, cancellationToken);

    public ValueTask ReserveAsync(
        IAsyncEnumerable<(long Start, long End)> ranges, CancellationToken cancellationToken) =>
        ValueTask.CompletedTask;

    public async ValueTask WriteAsync(
        long guestOffset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        while (data.Length > 0)
        {
            var within = guestOffset % editor.BlockSize;
            var piece = (int)Math.Min(data.Length, editor.BlockSize - within);
            await EnterAsync(guestOffset / editor.BlockSize, cancellationToken).ConfigureAwait(false);
            await AddAsync(within, piece, cancellationToken).ConfigureAwait(false);
            await editor.WriteAsync((long)_entry.FileOffset + within, data[..piece], cancellationToken)
                .ConfigureAwait(false);
            guestOffset += piece;
            data = data[piece..];
        }
    }

    public async ValueTask WriteZeroesAsync(long guestOffset, long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            var within = guestOffset % editor.BlockSize;
            var piece = Math.Min(length, editor.BlockSize - within);
            await EnterAsync(guestOffset / editor.BlockSize, cancellationToken).ConfigureAwait(false);
            if (_entry.State == VhdxBlockState.NotPresent && NeedsZeros && piece == editor.BlockSize)
            {
                _entry = new VhdxBatEntry(VhdxBlockState.Zero, 0);
                await editor.SetBlockAsync(_block, _entry, cancellationToken).ConfigureAwait(false);
            }
            else if (_entry.IsPresent || (_entry.State == VhdxBlockState.NotPresent && NeedsZeros))
            {
                await AddAsync(within, piece, cancellationToken).ConfigureAwait(false);
                await editor.WriteZeroesAsync((long)_entry.FileOffset + within, piece, cancellationToken)
                    .ConfigureAwait(false);
            }

            guestOffset += piece;
            length -= piece;
        }
    }

    public async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await LeaveAsync(cancellationToken).ConfigureAwait(false);
        await editor.CommitAsync(cancellationToken).ConfigureAwait(false);
        if (_size > VirtualSize)
        {
            await editor.SetSizeAsync(_size, cancellationToken).ConfigureAwait(false);
        }
    }

    public void Dispose() => editor.Dispose();

    // Has the block of that range be there, and the range be the disk's own.
    private async ValueTask AddAsync(long within, long length, CancellationToken cancellationToken)
    {
        if (!_entry.IsPresent)
        {
            // What a block of zeros does not get stays zeros; what is not there stays the parent's.
            var isWhole = !NeedsZeros || _entry.State != VhdxBlockState.NotPresent || length == editor.BlockSize;
            var state = isWhole ? VhdxBlockState.FullyPresent : VhdxBlockState.PartiallyPresent;
            var offset = await editor.AddBlockAsync(_block, state, cancellationToken).ConfigureAwait(false);
            _entry = new VhdxBatEntry(state, (ulong)offset);
            _bitmap = isWhole ? [] : new byte[editor.BlockSize / editor.SectorSize / 8];
        }

        if (_entry.State == VhdxBlockState.PartiallyPresent)
        {
            if (within % editor.SectorSize != 0 || length % editor.SectorSize != 0)
            {
                throw new VhdChainException(
                    VhdChainProblem.NotUsable, editor.Path,
                    $"Its sectors have {editor.SectorSize} bytes, those of a disk over it fewer: they cannot be merged in "
                    + "place. Write the merged disk to a new file with -Destination.");
            }

            SectorBitmap.Set(_bitmap, within / editor.SectorSize, (within + length) / editor.SectorSize);
            _isBitmapChanged = true;
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
        _entry = await editor.FindBlockAsync(block, cancellationToken).ConfigureAwait(false);
        if (_entry.State == VhdxBlockState.PartiallyPresent)
        {
            _bitmap = await editor.ReadBitmapAsync(block, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask LeaveAsync(CancellationToken cancellationToken)
    {
        if (!_isBitmapChanged)
        {
            return;
        }

        _isBitmapChanged = false;
        if (_bitmap.AsSpan().ContainsAnyExcept((byte)0xFF))
        {
            await editor.WriteBitmapAsync(_block, _bitmap, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            _entry = new VhdxBatEntry(VhdxBlockState.FullyPresent, _entry.FileOffset);
            await editor.SetBlockAsync(_block, _entry, cancellationToken).ConfigureAwait(false);
        }
    }
}
