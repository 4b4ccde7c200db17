using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Formats.Qcow2;

/// <summary>
/// Pieces of an image's tables that were read last. A piece is 64 KiB of the file, so that the many small tables of
/// an image with small clusters come in one read where they are neighbours, and a large table is not read whole.
/// </summary>
/// <param name="source">The image.</param>
internal sealed class Qcow2TableCache(IByteSource source)
{
    internal const int PieceLength = 64 * 1024;

    private const int PieceCount = 32;

    private readonly Piece[] _pieces = new Piece[PieceCount];
    private long _clock;

    /// <summary>The bytes from an offset to the end of its piece, or of the file.</summary>
    /// <param name="hostOffset">Where, in the file; the caller has seen that the file is longer.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    /// <returns>Valid until the next call.</returns>
    internal ValueTask<ReadOnlyMemory<byte>> GetAsync(long hostOffset, CancellationToken cancellationToken)
    {
        var number = hostOffset / PieceLength;
        var oldest = 0;
        for (var slot = 0; slot < PieceCount; slot++)
        {
            ref var piece = ref _pieces[slot];
            if (piece.Buffer is not null && piece.Number == number && piece.Length > 0)
            {
                piece.LastUse = ++_clock;
                return ValueTask.FromResult(Slice(piece, hostOffset));
            }

            oldest = piece.LastUse < _pieces[oldest].LastUse ? slot : oldest;
        }

        return LoadAsync(oldest, number, hostOffset, cancellationToken);
    }

    private static ReadOnlyMemory<byte> Slice(in Piece piece, long hostOffset) =>
        piece.Buffer.AsMemory(0, piece.Length)[(int)(hostOffset % PieceLength)..];

    private async ValueTask<ReadOnlyMemory<byte>> LoadAsync(
        int slot, long number, long hostOffset, CancellationToken cancellationToken)
    {
        // A read that fails leaves the slot empty.
        _pieces[slot].Length = 0;
        var buffer = _pieces[slot].Buffer ??= GC.AllocateUninitializedArray<byte>(PieceLength);
        var length = await source.ReadAsync(number * PieceLength, buffer, cancellationToken).ConfigureAwait(false);
        if (length <= hostOffset % PieceLength)
        {
            throw new TruncatedImageException($"A qcow2 table is at byte {hostOffset}, where the file has ended.");
        }

        _pieces[slot] = new Piece { Buffer = buffer, Number = number, Length = length, LastUse = ++_clock };
        return Slice(_pieces[slot], hostOffset);
    }

    private struct Piece
    {
        internal byte[]? Buffer;
        internal long Number;
        internal int Length;
        internal long LastUse;
    }
}
