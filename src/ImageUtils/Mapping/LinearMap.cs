using System.Runtime.CompilerServices;
using ImageUtils.IO;

namespace ImageUtils.Mapping;

/// <summary>
/// A disk whose bytes lie one after the other in a file: a raw image, a fixed VHD, a flat extent. Holes of the file
/// are zeros of the disk.
/// </summary>
/// <param name="source">The file.</param>
/// <param name="hostOffset">Where the disk begins in it, in bytes.</param>
/// <param name="virtualSize">The disk's size in bytes; the caller has seen that the file has as many.</param>
public sealed class LinearMap(IByteSource source, long hostOffset, long virtualSize) : ImageMap
{
    /// <inheritdoc/>
    public override long VirtualSize => virtualSize;

    /// <inheritdoc/>
    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        var end = Math.Min(guestOffset + length, virtualSize);
        if (source is not ISparseSource sparse)
        {
            if (guestOffset < end)
            {
                yield return Extent.Stored(guestOffset, end - guestOffset, source, hostOffset + guestOffset);
            }

            yield break;
        }

        while (guestOffset < end)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (dataStart, dataEnd) = sparse.FindData(hostOffset + guestOffset, hostOffset + end);
            var start = dataStart - hostOffset;
            if (start > guestOffset)
            {
                yield return Extent.Zero(guestOffset, start - guestOffset);
            }

            if (dataEnd > dataStart)
            {
                yield return Extent.Stored(start, dataEnd - dataStart, source, dataStart);
            }

            guestOffset = dataEnd - hostOffset;
        }
    }
}
