using System.Runtime.CompilerServices;

namespace ImageUtils.Mapping;

/// <summary>A disk that says nothing of any byte: what is over it leaves its holes to whatever is below.</summary>
/// <param name="length">The disk's size in bytes; what is behind it is zero to the disk above.</param>
internal sealed class HoleMap(long length = long.MaxValue) : ImageMap
{
    public override long VirtualSize => length;

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await ValueTask.CompletedTask.ConfigureAwait(false);
        yield return Extent.Hole(guestOffset, length);
    }
}
