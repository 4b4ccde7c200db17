using ImageUtils.Errors;

namespace ImageUtils.IO;

/// <summary>
/// Reads a source in the one order that a download allows: forward, with a short look back at the first bytes.
/// The same rule holds over a file, so that what is read there and what is read from a stream are the same.
/// </summary>
/// <remarks>
/// One reader serves one format's inspection. A read is allowed where it starts at or after the end of the reader's
/// last read, or ends within the first <see cref="HeadLength"/> bytes. How much it reads beyond the cached head is limited.
/// </remarks>
public sealed class ForwardReader
{
    /// <summary>How many bytes from the start can be read again at any time: 64 KiB.</summary>
    public const int HeadLength = 64 * 1024;

    /// <summary>How many bytes from the end can be read once the source has ended: 4 KiB.</summary>
    public const int TailLength = 4 * 1024;

    /// <summary>
    /// The most that a format reads of an image, in bytes: with head and tail 256 KiB. Large known structures (LUKS key
    /// material) are granted on top.
    /// </summary>
    internal const long ReadLimit = 256 * 1024 - TailLength - HeadCache.CachedLength;

    private readonly IByteSource _source;
    private long _position;
    private long _readLength;
    private long _limit = ReadLimit;

    /// <summary>Makes a reader that starts at the beginning.</summary>
    public ForwardReader(IByteSource source) => _source = source;

    /// <summary>The source below, for a nested view of it (such as a decrypted payload).</summary>
    public IByteSource Source => _source;

    /// <summary>The end of the furthest read so far.</summary>
    public long Position => _position;

    /// <summary>Reads up to <paramref name="length"/> bytes; fewer only at the end of the data.</summary>
    /// <exception cref="BackwardReadException">The bytes have passed and were not kept.</exception>
    /// <exception cref="ReadLimitException">The inspection has read as much as it may.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(
        long offset, int length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        if (offset > long.MaxValue - length)
        {
            return ReadOnlyMemory<byte>.Empty;
        }

        var end = offset + length;
        if (offset < _position && end > HeadLength)
        {
            throw new BackwardReadException(offset, _position);
        }

        _position = Math.Max(_position, end);
        if (end > HeadCache.CachedLength)
        {
            _readLength += length;
            if (_readLength > _limit)
            {
                throw new ReadLimitException(_limit);
            }
        }

        if (_source is HeadCache cache && cache.TryGet(offset, length, out var cached))
        {
            return cached;
        }

        var buffer = GC.AllocateUninitializedArray<byte>(length);
        var read = await _source.ReadAsync(offset, buffer, cancellationToken).ConfigureAwait(false);
        return buffer.AsMemory(0, read);
    }

    /// <summary>Raises the limit, for one known structure that is larger than a format's usual share.</summary>
    public void Grant(long length) => _limit += length;

    /// <summary>Reads the last bytes: <paramref name="length"/> of them (at most 4 KiB), or all there are.</summary>
    public async ValueTask<ReadOnlyMemory<byte>> ReadTailAsync(int length, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, TailLength);
        if (_source is HeadCache cache)
        {
            return await cache.GetTailAsync(length, cancellationToken).ConfigureAwait(false);
        }

        var buffer = GC.AllocateUninitializedArray<byte>(length);
        var read = await _source.ReadTailAsync(buffer, cancellationToken).ConfigureAwait(false);
        return buffer.AsMemory(0, read);
    }

    /// <summary>The source's length in bytes.</summary>
    public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) =>
        _source.GetLengthAsync(cancellationToken);
}
