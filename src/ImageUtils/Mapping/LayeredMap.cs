using System.Runtime.CompilerServices;

namespace ImageUtils.Mapping;

/// <summary>An image over its parent: what the image says nothing of is the parent's; past the parent's end, zeros.</summary>
/// <param name="child">The image.</param>
/// <param name="parent">What is below it, of any size.</param>
public sealed class LayeredMap(ImageMap child, ImageMap parent) : ImageMap
{
    /// <inheritdoc/>
    public override long VirtualSize => child.VirtualSize;

    /// <inheritdoc/>
    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var extent in child.GetExtentsAsync(guestOffset, length, cancellationToken)
            .ConfigureAwait(false))
        {
            if (extent.Kind != ExtentKind.Hole)
            {
                yield return extent;
                continue;
            }

            var below = Math.Min(extent.GuestEnd, parent.VirtualSize) - extent.GuestOffset;
            if (below > 0)
            {
                await foreach (var inherited in parent.GetExtentsAsync(extent.GuestOffset, below, cancellationToken)
                    .ConfigureAwait(false))
                {
                    yield return inherited;
                }
            }

            if (below < extent.Length)
            {
                var skip = Math.Max(below, 0);
                yield return Extent.Zero(extent.GuestOffset + skip, extent.Length - skip);
            }
        }
    }
}
