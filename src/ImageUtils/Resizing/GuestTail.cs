using ImageUtils.Mapping;

namespace ImageUtils.Resizing;

/// <summary>Looks for data at the end of a disk.</summary>
internal static class GuestTail
{
    private const int WindowLength = 2 << 20;

    /// <summary>The offset of the last byte that is not zero; null where there is none.</summary>
    /// <param name="map">The disk.</param>
    /// <param name="guestOffset">Where to begin.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    internal static async ValueTask<long?> FindLastDataAsync(
        ImageMap map, long guestOffset, CancellationToken cancellationToken)
    {
        long? last = null;
        using var reader = new ExtentReader();
        var window = new byte[WindowLength];
        await foreach (var whole in map
            .GetExtentsAsync(guestOffset, map.VirtualSize - guestOffset, cancellationToken).ConfigureAwait(false))
        {
            for (var done = 0L; done < whole.Length && !whole.IsEmpty; done += WindowLength)
            {
                var part = whole.Slice(done, Math.Min(WindowLength, whole.Length - done));
                var bytes = window.AsMemory(0, (int)part.Length);
                await reader.ReadAsync([part], part.GuestOffset, bytes, cancellationToken).ConfigureAwait(false);
                var at = bytes.Span.LastIndexOfAnyExcept((byte)0);
                last = at < 0 ? last : part.GuestOffset + at;
            }
        }

        return last;
    }
}
