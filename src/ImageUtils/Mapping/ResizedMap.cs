using System.Runtime.CompilerServices;

namespace ImageUtils.Mapping;

/// <summary>A disk cut short, or with zeros added at its end.</summary>
/// <param name="map">The disk.</param>
/// <param name="virtualSize">Its new size in bytes.</param>
public sealed class ResizedMap(ImageMap map, long virtualSize) : ImageMap
{
    /// <inheritdoc/>
    public override long VirtualSize => virtualSize;

    /// <inheritdoc/>
    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var end = Math.Min(guestOffset + length, virtualSize);
        var below = Math.Min(end, map.VirtualSize) - guestOffset;
        if (below > 0)
        {
            await foreach (var extent in map.GetExtentsAsync(guestOffset, below, cancellationToken)
                .ConfigureAwait(false))
            {
                yield return extent;
            }
        }

        var start = guestOffset + Math.Max(below, 0);
        if (start < end)
        {
            yield return Extent.Hole(start, end - start);
        }
    }
}
