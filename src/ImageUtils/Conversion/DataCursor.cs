using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>Walks a disk from one piece of data to the next; what is empty is passed over.</summary>
internal sealed class DataCursor(ImageMap map, CancellationToken cancellationToken) : IAsyncDisposable
{
    private readonly IAsyncEnumerator<Extent> _extents =
        map.GetExtentsAsync(cancellationToken).GetAsyncEnumerator(cancellationToken);

    private Extent _rest;

    /// <summary>Where the next data begins on the guest's disk; <see cref="long.MaxValue"/> where there is none.</summary>
    internal async ValueTask<long> FindAsync()
    {
        while (_rest.Length == 0 || _rest.IsEmpty)
        {
            if (!await _extents.MoveNextAsync().ConfigureAwait(false))
            {
                return long.MaxValue;
            }

            _rest = _extents.Current;
        }

        return _rest.GuestOffset;
    }

    /// <summary>Moves on to the end of a chunk, and puts the data on the way into it.</summary>
    internal async ValueTask TakeAsync(Chunk chunk)
    {
        while (await FindAsync().ConfigureAwait(false) < chunk.GuestEnd)
        {
            var length = Math.Min(_rest.GuestEnd, chunk.GuestEnd) - _rest.GuestOffset;
            chunk.Extents.Add(_rest.Slice(0, length));
            _rest = _rest.Slice(length, _rest.Length - length);
        }
    }

    public ValueTask DisposeAsync() => _extents.DisposeAsync();
}
