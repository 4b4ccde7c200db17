using System.Buffers.Binary;
using ImageUtils.Conversion;

namespace ImageUtils.Formats.Vhdx;

/// <summary>Writes a fixed disk: its blocks lie one after the other behind the block allocation table.</summary>
internal sealed class VhdxFixedWriter : ImageWriter
{
    private const int EntriesPerPage = 8 * 1024;

    private readonly VhdxWriterOptions _options;
    private readonly VhdxFileLayout _layout;

    internal VhdxFixedWriter(VhdxWriterOptions options)
    {
        _options = options;
        _layout = new VhdxFileLayout(options);
    }

    public override long VirtualSize => (long)_options.VirtualSize;

    // There are no units: any range is in its place.
    public override long UnitSize => long.MaxValue;

    public override long? LinearOffset => _layout.PayloadOffset;

    private long PayloadLength => (long)_options.Layout.PayloadBlocks * _options.BlockSize;

    private long FileLength => _layout.PayloadOffset + PayloadLength;

    public override ValueTask<long> PlaceAsync(long guestOffset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_layout.PayloadOffset + guestOffset);

    public override async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await Sink.SetLengthAsync(FileLength, cancellationToken).ConfigureAwait(false);
        await WriteTableAsync(cancellationToken).ConfigureAwait(false);
        await _layout.WriteAsync(Sink, cancellationToken).ConfigureAwait(false);
    }

    public override void SaveState(BinaryWriter writer)
    {
    }

    protected override void RestoreState(BinaryReader reader)
    {
    }

    protected override async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        await Sink.SetLengthAsync(FileLength, cancellationToken).ConfigureAwait(false);
        await ClearAsync(0, _layout.PayloadOffset, cancellationToken).ConfigureAwait(false);

        // The last block goes on behind the disk's end.
        var diskEnd = _layout.PayloadOffset + VirtualSize;
        if (diskEnd < FileLength)
        {
            await ClearAsync(diskEnd, FileLength - diskEnd, cancellationToken).ConfigureAwait(false);
        }

        switch (_options.Preallocation)
        {
            case PreallocationMode.Falloc:
                await Sink.AllocateAsync(_layout.PayloadOffset, PayloadLength, cancellationToken)
                    .ConfigureAwait(false);
                break;
            case PreallocationMode.Full:
                await Sink.FillAsync(_layout.PayloadOffset, PayloadLength, cancellationToken).ConfigureAwait(false);
                break;
        }
    }

    private async ValueTask WriteTableAsync(CancellationToken cancellationToken)
    {
        var layout = _options.Layout;
        var page = new byte[EntriesPerPage * VhdxBatEntry.Length];
        for (ulong first = 0; first < layout.Entries; first += EntriesPerPage)
        {
            var count = (int)Math.Min(EntriesPerPage, layout.Entries - first);
            for (var at = 0; at < count; at++)
            {
                var index = first + (uint)at;
                var host = (ulong)_layout.PayloadOffset + layout.PayloadIndex(index) * _options.BlockSize;
                var entry = layout.IsBitmap(index)
                    ? default
                    : new VhdxBatEntry(VhdxBlockState.FullyPresent, host);
                BinaryPrimitives.WriteUInt64LittleEndian(page.AsSpan(at * VhdxBatEntry.Length), entry.Value);
            }

            await Sink.WriteAsync(
                VhdxFileLayout.TableOffset + (long)first * VhdxBatEntry.Length,
                page.AsMemory(0, count * VhdxBatEntry.Length),
                cancellationToken).ConfigureAwait(false);
        }
    }
}
