using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using ImageUtils.IO;

namespace ImageUtils.Streaming;

/// <summary>Reads a range of something remote: as many bytes as there are, up to the buffer's length.</summary>
/// <param name="offset">Where to begin, in bytes.</param>
/// <param name="buffer">Receives the bytes.</param>
/// <param name="cancellationToken">Ends the wait.</param>
/// <returns>How many bytes were read; fewer than asked for only at the end.</returns>
internal delegate ValueTask<int> RangeRead(long offset, Memory<byte> buffer, CancellationToken cancellationToken);

/// <summary>
/// A remote file of which ranges can be read, such as an image in Glance. It is read in whole blocks, of which some are
/// kept; and of each that was ever read the hash is kept, so that what passes later can be seen to be the same. One range is
/// read at a time, however many ask; once that has failed, it fails for all who ask.
/// </summary>
/// <param name="length">The file's length in bytes.</param>
/// <param name="read">Reads from it.</param>
/// <param name="blockLength">What is read at once, in bytes, at least; blocks begin at its multiples.</param>
internal sealed class RemoteSource(long length, RangeRead read, int blockLength = RemoteSource.BlockLength)
    : IByteSource
{
    /// <summary>What is read at once, in bytes, at least, where nothing else is said.</summary>
    internal const int BlockLength = 64 << 10;

    // Tables are walked in order; what was left behind is rarely asked for again.
    private const int MostKept = 128;

    private readonly Dictionary<long, LinkedListNode<(long Index, byte[] Data)>> _kept = [];
    private readonly LinkedList<(long Index, byte[] Data)> _order = [];
    private readonly Dictionary<long, byte[]> _hashes = [];

    // An inspection asks for several formats at once, each of which goes on wherever its bytes came in.
    private readonly Lock _lock = new();
    private Task _last = Task.CompletedTask;
    private ExceptionDispatchInfo? _failure;

    /// <summary>The file's length in bytes.</summary>
    internal long Length => length;

    /// <summary>How many bytes were fetched.</summary>
    internal long BytesRead { get; private set; }

    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var total = (int)Math.Clamp(length - offset, 0, buffer.Length);
        for (var done = 0; done < total;)
        {
            var at = offset + done;
            var block = at / blockLength;
            var data = await GetAsync(block, (offset + total - 1) / blockLength, cancellationToken)
                .ConfigureAwait(false);
            var within = (int)(at - block * blockLength);
            var piece = Math.Min(data.Length - within, total - done);
            if (piece <= 0)
            {
                return done;
            }

            data.AsMemory(within, piece).CopyTo(buffer[done..]);
            done += piece;
        }

        return total;
    }

    public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var tail = (int)Math.Min(buffer.Length, length);
        return ReadAsync(length - tail, buffer[..tail], cancellationToken);
    }

    public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) => ValueTask.FromResult(length);

    /// <summary>The SHA-256 of a block that was read; null where it was not.</summary>
    internal byte[]? FindHash(long block) => _hashes.GetValueOrDefault(block);

    private Task<byte[]> GetAsync(long block, long last, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var work = GetAfterAsync(_last, block, last, cancellationToken);
            _last = work;
            return work;
        }
    }

    private async Task<byte[]> GetAfterAsync(Task before, long block, long last, CancellationToken cancellationToken)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _failure?.Throw();
        try
        {
            return await GetInTurnAsync(block, last, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            _failure = ExceptionDispatchInfo.Capture(exception);
            throw;
        }
    }

    private async ValueTask<byte[]> GetInTurnAsync(long block, long last, CancellationToken cancellationToken)
    {
        if (_kept.TryGetValue(block, out var node))
        {
            _order.Remove(node);
            _order.AddFirst(node);
            return node.Value.Data;
        }

        // One request for all that is wanted and not there.
        var count = 1;
        while (count < MostKept / 2 && block + count <= last && !_kept.ContainsKey(block + count))
        {
            count++;
        }

        var buffer = new byte[(int)Math.Min((long)count * blockLength, length - block * blockLength)];
        var got = await read(block * blockLength, buffer, cancellationToken).ConfigureAwait(false);
        BytesRead += got;
        byte[]? first = null;
        for (var index = 0; index < count; index++)
        {
            var start = Math.Min(index * blockLength, got);
            var data = buffer.AsSpan(start, Math.Min(blockLength, got - start)).ToArray();
            Keep(block + index, data);
            first ??= data;
        }

        return first!;
    }

    private void Keep(long block, byte[] data)
    {
        _hashes[block] = SHA256.HashData(data);
        _kept[block] = _order.AddFirst((block, data));
        if (_kept.Count > MostKept)
        {
            _kept.Remove(_order.Last!.Value.Index);
            _order.RemoveLast();
        }
    }
}
