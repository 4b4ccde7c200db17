using ImageUtils.Mapping;

namespace ImageUtils.Streaming;

/// <summary>Walks a disk once and gives the data of ranges that are asked for in ascending order.</summary>
internal sealed class ExtentCursor(ImageMap map, CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly IAsyncEnumerator<Extent> _extents =
        map.GetExtentsAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);

    private Extent _current;
    private bool _hasEnded;

    /// <summary>The data of a range; what is empty is left out.</summary>
    /// <param name="guestOffset">Where it begins, not before the end of the last one.</param>
    /// <param name="guestEnd">The byte after it.</param>
    internal async ValueTask<List<Extent>> TakeAsync(long guestOffset, long guestEnd)
    {
        var taken = new List<Extent>(1);
        while (!_hasEnded)
        {
            if (_current.Length > 0 && _current.GuestOffset >= guestEnd)
            {
                break;
            }

            if (_current.GuestEnd > guestOffset && !_current.IsEmpty && _current.Length > 0)
            {
                taken.Add(_current.Clip(guestOffset, guestEnd));
            }

            if (_current.Length > 0 && _current.GuestEnd >= guestEnd)
            {
                break;
            }

            _hasEnded = !await _extents.MoveNextAsync().ConfigureAwait(false);
            _current = _hasEnded ? default : _extents.Current;
        }

        return taken;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _extents.DisposeAsync();
}
