using ImageUtils.Conversion;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>
/// How a file would be without its superfluous blocks: the structures as they are, but for where things lie, and the
/// blocks that are kept one behind the other, each byte for byte.
/// </summary>
internal abstract class Compaction
{
    /// <summary>The most entries of a table that is held in memory.</summary>
    protected const long MostTableEntries = 8 << 20;

    private const int BufferLength = 4 << 20;
    private const int HoleLength = 64 << 10;

    /// <summary>The new file's length in bytes.</summary>
    internal long Length { get; private protected set; }

    /// <summary>How many blocks are kept.</summary>
    internal long BlockCount { get; private protected set; }

    /// <summary>How many are not.</summary>
    internal long DroppedBlocks { get; private protected set; }

    /// <summary>Writes the new file; what makes it an image comes last.</summary>
    /// <param name="sink">A new file.</param>
    /// <param name="onCopied">Is told how many bytes of blocks were copied.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    internal abstract ValueTask WriteAsync(IByteSink sink, Action<long> onCopied, CancellationToken cancellationToken);

    /// <summary>Copies ranges of a file; zeros are left out, and so is what lies behind the file's end.</summary>
    protected static async ValueTask CopyAsync(
        IByteSource source,
        IByteSink sink,
        IEnumerable<(long From, long To, long Length)> ranges,
        Action<long> onCopied,
        CancellationToken cancellationToken)
    {
        using var buffer = new AlignedBuffer(BufferLength);
        var copied = 0L;
        foreach (var (from, to, length) in ranges)
        {
            for (var at = 0L; at < length; at += BufferLength)
            {
                var piece = buffer.Memory[..(int)Math.Min(BufferLength, length - at)];
                var read = await source.ReadAsync(from + at, piece, cancellationToken).ConfigureAwait(false);
                for (var start = 0; start < read;)
                {
                    var end = start;
                    while (end < read && !ZeroScan.IsZero(piece.Span[end..Math.Min(end + HoleLength, read)]))
                    {
                        end = Math.Min(end + HoleLength, read);
                    }

                    if (end > start)
                    {
                        await sink.WriteAsync(to + at + start, piece[start..end], cancellationToken)
                            .ConfigureAwait(false);
                    }

                    start = Math.Min(end + HoleLength, read);
                }

                copied += piece.Length;
                onCopied(copied);
            }
        }
    }
}
