using System.Runtime.CompilerServices;
using ImageUtils.Mapping;

namespace ImageUtils.Formats.Vmdk;

/// <summary>A disk that is several extents, one after the other.</summary>
internal sealed class VmdkExtentsMap : ImageMap
{
    private readonly ImageMap[] _parts;
    private readonly long[] _starts;

    /// <param name="parts">The extents in the guest's order, none of them empty.</param>
    internal VmdkExtentsMap(IReadOnlyList<ImageMap> parts)
    {
        _parts = [.. parts];
        _starts = new long[_parts.Length];
        for (var index = 0; index < _parts.Length; index++)
        {
            _starts[index] = VirtualSize;
            VirtualSize += _parts[index].VirtualSize;
        }
    }

    public override long VirtualSize { get; }

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var end = Math.Min(guestOffset + length, VirtualSize);
        var found = Array.BinarySearch(_starts, guestOffset);
        for (var index = found < 0 ? ~found - 1 : found; index < _parts.Length && guestOffset < end; index++)
        {
            var start = _starts[index];
            var within = Math.Min(end - start, _parts[index].VirtualSize) - (guestOffset - start);
            await foreach (var extent in _parts[index]
                .GetExtentsAsync(guestOffset - start, within, cancellationToken).ConfigureAwait(false))
            {
                yield return extent.At(extent.GuestOffset + start);
            }

            guestOffset += within;
        }
    }
}

/// <summary>A ZERO extent: sectors that no file holds.</summary>
/// <param name="virtualSize">Its length in bytes.</param>
internal sealed class VmdkZeroExtent(long virtualSize) : ImageMap
{
    public override long VirtualSize => virtualSize;

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask.ConfigureAwait(false);
        var end = Math.Min(guestOffset + length, virtualSize);
        if (guestOffset < end)
        {
            yield return Extent.Zero(guestOffset, end - guestOffset);
        }
    }
}
