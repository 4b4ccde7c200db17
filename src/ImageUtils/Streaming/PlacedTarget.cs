using ImageUtils.Conversion;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Streaming;

/// <summary>
/// A target whose layout is settled before the first byte of data is there, so that data can come in any order.
/// </summary>
internal sealed class PlacedTarget : IDisposable
{
    // As the copying of files does it.
    private const int Granule = 4096;
    private const int LeastGap = 16 << 10;

    private readonly ImageWriter _writer;
    private readonly IByteSink _sink;
    private readonly List<(long GuestOffset, long HostOffset, long Length)> _runs = [];
    private readonly SemaphoreSlim _turn = new(1);

    private PlacedTarget(ImageWriter writer, IByteSink sink) => (_writer, _sink) = (writer, sink);

    /// <summary>The disk's size as the target states it, in bytes.</summary>
    internal long VirtualSize => _writer.VirtualSize;

    /// <summary>Begins a target, with places for all data of a map.</summary>
    /// <returns>It; null where the writer cannot say where data goes before it has it, or has too many places.</returns>
    internal static async ValueTask<PlacedTarget?> MakeAsync(
        ImageWriter writer, IByteSink sink, ImageMap map, CancellationToken cancellationToken)
    {
        if (writer.Compression is not null)
        {
            return null;
        }

        var target = new PlacedTarget(writer, sink);
        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        await foreach (var extent in map.GetExtentsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (extent.IsEmpty)
            {
                await writer.WriteZeroesAsync(extent.GuestOffset, extent.Length, cancellationToken).ConfigureAwait(false);
            }
            else if (writer.LinearOffset is null)
            {
                await target.PlaceAsync(extent.GuestOffset, extent.Length, cancellationToken).ConfigureAwait(false);
                if (target._runs.Count > PassingPiece.MostPieces)
                {
                    return null;
                }
            }
        }

        if (writer.VirtualSize > map.VirtualSize)
        {
            await writer.WriteZeroesAsync(
                map.VirtualSize, writer.VirtualSize - map.VirtualSize, cancellationToken).ConfigureAwait(false);
        }

        return target;
    }

    /// <summary>Writes data, in any order, from any thread; zeros among it are left out where that reads the same.</summary>
    /// <param name="guestOffset">Where it goes on the guest's disk; all of it is data of the map.</param>
    /// <param name="data">The data.</param>
    /// <param name="pieces">Room for the pieces that it is cut into, which the caller uses again.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    internal async ValueTask WriteAsync(
        long guestOffset, ReadOnlyMemory<byte> data, List<Piece> pieces, CancellationToken cancellationToken)
    {
        pieces.Clear();
        ZeroScan.Cut(
            data.Span, guestOffset, 0, (int)Math.Min(Granule, _writer.UnitSize),
            (int)Math.Min(LeastGap, _writer.UnitSize), pieces);

        // The kernel lets one write to a file at a time.
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            foreach (var piece in pieces)
            {
                if (piece.Kind == PieceKind.Data || !_sink.IsZeroed)
                {
                    await WriteAsync(
                        piece.Kind == PieceKind.Zero, piece.GuestOffset, data.Slice(piece.Start, (int)piece.Length),
                        cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Writes tables and header, once all data has been written.</summary>
    internal ValueTask FinishAsync(CancellationToken cancellationToken) =>
        Completion.FinishAsync(_writer, _sink, cancellationToken);

    public void Dispose() => _turn.Dispose();

    private async ValueTask WriteAsync(
        bool isZero, long guestOffset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        while (data.Length > 0)
        {
            var (host, length) = Find(guestOffset);
            var piece = (int)Math.Min(length, data.Length);
            if (isZero)
            {
                await _sink.WriteZeroesAsync(host, piece, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await _sink.WriteAsync(host, data[..piece], cancellationToken).ConfigureAwait(false);
            }

            guestOffset += piece;
            data = data[piece..];
        }
    }

    private async ValueTask PlaceAsync(long guestOffset, long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            var piece = Math.Min(length, _writer.UnitSize - guestOffset % _writer.UnitSize);
            var host = await _writer.PlaceAsync(guestOffset, piece, cancellationToken).ConfigureAwait(false);
            if (_runs.Count > 0 && _runs[^1] is var last && last.GuestOffset + last.Length == guestOffset
                && last.HostOffset + last.Length == host)
            {
                _runs[^1] = last with { Length = last.Length + piece };
            }
            else
            {
                _runs.Add((guestOffset, host, piece));
            }

            guestOffset += piece;
            length -= piece;
        }
    }

    // Where a byte goes, and how many after it go on there.
    private (long HostOffset, long Length) Find(long guestOffset)
    {
        if (_writer.LinearOffset is { } offset)
        {
            return (offset + guestOffset, long.MaxValue);
        }

        var (low, high) = (0, _runs.Count - 1);
        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            (low, high) = _runs[middle].GuestOffset <= guestOffset ? (middle, high) : (low, middle - 1);
        }

        var run = _runs[low];
        var within = guestOffset - run.GuestOffset;
        return within >= 0 && within < run.Length
            ? (run.HostOffset + within, run.Length - within)
            : throw new InvalidOperationException($"The guest's byte {guestOffset} has no place.");
    }
}
