using System.Buffers;

namespace ImageUtils.IO;

/// <summary>
/// Keeps the first bytes of a source whose reads cost a system call, so that two dozen probes share one read, and
/// the last bytes once somebody asked for them.
/// </summary>
internal sealed class HeadCache : IByteSource, IDisposable
{
    /// <summary>The cached head's length in bytes; nearly every probe and header fits into it.</summary>
    internal const int CachedLength = 4096;

    // The formats that are known by their end need 512 bytes of it, or 1,536 (a VMDK's footer).
    private const int CachedTailLength = 512;

    private readonly IByteSource _inner;
    private readonly ReadOnlyMemory<byte> _head;
    private readonly bool _isWhole;
    private byte[] _buffer;
    private ReadOnlyMemory<byte> _tail;
    private int _tailAsked;

    private HeadCache(IByteSource inner, byte[] buffer, int length, bool isWhole)
    {
        _inner = inner;
        _buffer = buffer;
        _head = buffer.AsMemory(0, length);
        _isWhole = isWhole;
    }

    /// <summary>The first byte; null where there is none.</summary>
    internal byte? First => _head.Length > 0 ? _head.Span[0] : null;

    /// <summary>Reads and keeps the first <paramref name="length"/> bytes.</summary>
    internal static async ValueTask<HeadCache> CreateAsync(
        IByteSource inner, int length, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            var read = await inner.ReadAsync(0, buffer.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
            return new HeadCache(inner, buffer, read, read < length);
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(buffer, clearArray: true);
            throw;
        }
    }

    /// <summary>Gives the buffer back: what was read from it must have been copied or parsed by now.</summary>
    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer, clearArray: true);
        _buffer = [];
    }

    internal bool TryGet(long offset, int length, out ReadOnlyMemory<byte> bytes)
    {
        if (offset + length <= _head.Length)
        {
            bytes = _head.Slice((int)offset, length);
            return true;
        }

        if (_isWhole)
        {
            bytes = offset < _head.Length ? _head[(int)offset..] : default;
            return true;
        }

        bytes = default;
        return false;
    }

    internal async ValueTask<ReadOnlyMemory<byte>> GetTailAsync(int length, CancellationToken cancellationToken)
    {
        if (_isWhole)
        {
            return _head[Math.Max(0, _head.Length - length)..];
        }

        if (_tailAsked < length)
        {
            var buffer = new byte[Math.Max(length, CachedTailLength)];
            var read = await _inner.ReadTailAsync(buffer, cancellationToken).ConfigureAwait(false);
            (_tail, _tailAsked) = (buffer.AsMemory(0, read), buffer.Length);
        }

        return _tail[Math.Max(0, _tail.Length - length)..];
    }

    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (TryGet(offset, buffer.Length, out var cached))
        {
            cached.CopyTo(buffer);
            return cached.Length;
        }

        if (offset < _head.Length)
        {
            var start = _head[(int)offset..];
            start.CopyTo(buffer);
            return start.Length + await _inner
                .ReadAsync(_head.Length, buffer[start.Length..], cancellationToken).ConfigureAwait(false);
        }

        return await _inner.ReadAsync(offset, buffer, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var tail = await GetTailAsync(buffer.Length, cancellationToken).ConfigureAwait(false);
        tail.CopyTo(buffer);
        return tail.Length;
    }

    public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) =>
        _inner.GetLengthAsync(cancellationToken);
}
