using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>Finds blocks of a VHD that lie over each other.</summary>
/// <remarks>
/// Blocks are all of one length, so that of a file cut into pieces of that length each piece has the beginning of one
/// block at most, and a block can only reach into the next piece. The file is looked at in windows, for memory to have
/// an end: one with blocks of 2 MiB is one window.
/// </remarks>
/// <param name="source">The file.</param>
/// <param name="header">The header, which is possible.</param>
/// <param name="dataEnd">Where the file's data ends; blocks beyond are not looked at.</param>
internal sealed class BlockOverlaps(IByteSource source, VhdDynamicHeader header, long dataEnd)
{
    private const int PiecesPerWindow = 4 << 20;

    private readonly long _length = header.BitmapSize + header.BlockSize;

    internal async ValueTask FindAsync(CheckFindings findings, CancellationToken cancellationToken)
    {
        var pieces = dataEnd / _length + 1;
        var beginnings = new uint[Math.Min(pieces, PiecesPerWindow) + 1];
        for (var window = 0L; window < pieces; window += PiecesPerWindow)
        {
            // The piece before the window comes first, for the block that reaches from it into the window.
            Array.Clear(beginnings);
            await FindAsync(window - 1, beginnings, findings, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask FindAsync(
        long firstPiece, uint[] beginnings, CheckFindings findings, CancellationToken cancellationToken)
    {
        await foreach (var (first, entries) in BlockTablePages.ReadAsync(source, header, cancellationToken)
            .ConfigureAwait(false))
        {
            for (var index = 0; index < entries.Count; index++)
            {
                var offset = entries[index] * (long)VhdFooter.SectorSize;
                var piece = offset / _length - firstPiece;
                if (entries[index] is 0 or VhdSafetyChecks.UnusedEntry || offset >= dataEnd
                    || piece < 0 || piece >= beginnings.Length)
                {
                    continue;
                }

                if (FindOther(beginnings, piece, offset) is { } other)
                {
                    findings.AddProblem(
                        $"The VHD block allocation table's entry {first + index} points at byte {offset}, where the "
                        + $"block overlaps the one at byte {other}.");
                }

                beginnings[piece] = entries[index];
            }
        }
    }

    private long? FindOther(uint[] beginnings, long piece, long offset)
    {
        for (var near = Math.Max(piece - 1, 0); near <= Math.Min(piece + 1, beginnings.Length - 1); near++)
        {
            var other = beginnings[near] * (long)VhdFooter.SectorSize;
            if (other != 0 && Math.Abs(other - offset) < _length)
            {
                return other;
            }
        }

        return null;
    }
}
