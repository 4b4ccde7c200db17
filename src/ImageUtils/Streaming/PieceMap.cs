using System.Runtime.CompilerServices;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Streaming;

/// <summary>A disk of pieces that are known: its tables need not be read again.</summary>
/// <param name="pieces">The pieces in the guest's order; all between them is zero.</param>
/// <param name="source">The file that they are in.</param>
/// <param name="virtualSize">The disk's size in bytes.</param>
internal sealed class PieceMap(List<PassingPiece> pieces, IByteSource source, long virtualSize) : ImageMap
{
    public override long VirtualSize => virtualSize;

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        var end = Math.Min(guestOffset + length, virtualSize);
        foreach (var piece in pieces)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (piece.GuestOffset + piece.Length <= guestOffset)
            {
                continue;
            }

            if (guestOffset >= end || piece.GuestOffset >= end)
            {
                break;
            }

            if (piece.GuestOffset > guestOffset)
            {
                yield return Extent.Zero(guestOffset, piece.GuestOffset - guestOffset);
            }

            var extent = piece.ToExtent(source).Clip(guestOffset, end);
            yield return extent;
            guestOffset = extent.GuestEnd;
        }

        if (guestOffset < end)
        {
            yield return Extent.Zero(guestOffset, end - guestOffset);
        }
    }
}
