using System.Threading.Tasks.Sources;
using ImageUtils.Errors;

namespace ImageUtils.IO;

/// <summary>
/// A source whose bytes pass once, pushed in chunks of any size. Reads wait until their bytes have passed, and go on
/// inside the call that pushed the last of them. The first 64 KiB and the last 4 KiB are kept; nothing else is,
/// except what somebody waits for.
/// </summary>
/// <remarks>
/// What a reader is given does not depend on how the bytes are cut into chunks: reads that are due are served in the
/// order of the byte at which they end, and one that is asked for at that moment can still begin there.
/// Not for use from several threads at once, nor inside a task of a scheduler other than the default one.
/// </remarks>
public sealed class ForwardOnlySource : IByteSource
{
    private readonly byte[] _head = new byte[ForwardReader.HeadLength];
    private readonly byte[] _tail = new byte[ForwardReader.TailLength];
    private readonly List<PendingRead> _pending = [];
    private readonly List<TaskCompletionSource> _waitingForEnd = [];
    private long _position;

    /// <summary>How many bytes have passed.</summary>
    public long Position => _position;

    /// <summary>Whether the end has been announced.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>How many bytes are held in memory: head, tail, and the buffers of reads that wait.</summary>
    public long HeldBytes => _head.Length + _tail.Length + _pending.Sum(read => (long)read.Buffer.Length);

    /// <summary>Passes the next bytes. Reads that they complete go on before this returns.</summary>
    public void Push(ReadOnlySpan<byte> chunk)
    {
        if (IsComplete)
        {
            throw new InvalidOperationException("The end of the stream has been announced already.");
        }

        using var inline = new InlineContinuations();
        var chunkEnd = _position + chunk.Length;
        while (TakeNextEndingBy(chunkEnd) is { } read)
        {
            chunk = chunk[Advance(chunk, (int)(read.End - _position), read)..];
            read.Complete();
        }

        Advance(chunk, chunk.Length, null);
    }

    /// <summary>Announces the end of the data. Reads that wait for more are given what there was.</summary>
    public void Complete()
    {
        using var inline = new InlineContinuations();
        IsComplete = true;
        while (TakeNextEndingBy(long.MaxValue) is { } read)
        {
            read.Complete();
        }

        // One source for each: a task that several wait for goes on in one of them only, and leaves the rest to the
        // pool.
        foreach (var waiting in _waitingForEnd)
        {
            waiting.SetResult();
        }
    }

    /// <inheritdoc/>
    /// <exception cref="BackwardReadException">The bytes have passed and were not kept.</exception>
    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var end = offset + buffer.Length;
        if (offset < _position && end > _head.Length)
        {
            throw new BackwardReadException(offset, _position);
        }

        if (end <= _position || (IsComplete && offset < _position))
        {
            var kept = (int)(Math.Min(end, _position) - offset);
            _head.AsMemory((int)offset, kept).CopyTo(buffer);
            return kept;
        }

        if (IsComplete || buffer.Length == 0)
        {
            return 0;
        }

        var read = new PendingRead(offset, buffer);
        if (offset < _position)
        {
            read.Filled = (int)(_position - offset);
            _head.AsMemory((int)offset, read.Filled).CopyTo(buffer);
        }

        _pending.Add(read);
        return await read.AsValueTask().ConfigureAwait(false);
    }

    /// <inheritdoc/>
    public async ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(buffer.Length, _tail.Length);
        await WaitForEndAsync().ConfigureAwait(false);
        var length = (int)Math.Min(buffer.Length, _position);
        for (var index = 0; index < length; index++)
        {
            buffer.Span[index] = _tail[(_position - length + index) % _tail.Length];
        }

        return length;
    }

    /// <inheritdoc/>
    public async ValueTask<long> GetLengthAsync(CancellationToken cancellationToken)
    {
        await WaitForEndAsync().ConfigureAwait(false);
        return _position;
    }

    private Task WaitForEndAsync()
    {
        if (IsComplete)
        {
            return Task.CompletedTask;
        }

        var waiting = new TaskCompletionSource();
        _waitingForEnd.Add(waiting);
        return waiting.Task;
    }

    private PendingRead? TakeNextEndingBy(long end)
    {
        PendingRead? next = null;
        foreach (var read in _pending)
        {
            if (read.End <= end && (next is null || read.End < next.End))
            {
                next = read;
            }
        }

        if (next is not null)
        {
            _pending.Remove(next);
        }

        return next;
    }

    // Moves the position on by `length` bytes of the chunk, and gives them to all who want them.
    private int Advance(ReadOnlySpan<byte> chunk, int length, PendingRead? due)
    {
        if (length == 0)
        {
            return 0;
        }

        var passed = chunk[..length];
        due?.Fill(passed, _position);
        foreach (var read in _pending)
        {
            read.Fill(passed, _position);
        }

        if (_position < _head.Length)
        {
            passed[..(int)Math.Min(length, _head.Length - _position)].CopyTo(_head.AsSpan((int)_position));
        }

        // Only the last bytes of a long stretch can be in the tail.
        var skipped = Math.Max(0, length - _tail.Length);
        for (var index = skipped; index < length;)
        {
            var at = (int)((_position + index) % _tail.Length);
            var piece = Math.Min(length - index, _tail.Length - at);
            passed.Slice(index, piece).CopyTo(_tail.AsSpan(at));
            index += piece;
        }

        _position += length;
        return length;
    }

    /// <summary>
    /// Continuations of tasks run inside the call that completes them only where no synchronization context is set.
    /// </summary>
    private readonly ref struct InlineContinuations
    {
        private readonly SynchronizationContext? _context = SynchronizationContext.Current;

        public InlineContinuations() => SynchronizationContext.SetSynchronizationContext(null);

        public void Dispose() => SynchronizationContext.SetSynchronizationContext(_context);
    }

    /// <summary>
    /// A read that waits. Its continuation runs inside <see cref="Complete"/>, never on another thread.
    /// </summary>
    private sealed class PendingRead(long offset, Memory<byte> buffer) : IValueTaskSource<int>
    {
        private ManualResetValueTaskSourceCore<int> _core;

        public Memory<byte> Buffer => buffer;

        public long End => offset + buffer.Length;

        public int Filled { get; set; }

        public ValueTask<int> AsValueTask() => new(this, _core.Version);

        public void Fill(ReadOnlySpan<byte> passed, long position)
        {
            var from = Math.Max(position, offset);
            var to = Math.Min(position + passed.Length, End);
            if (from < to)
            {
                passed[(int)(from - position)..(int)(to - position)].CopyTo(buffer.Span[(int)(from - offset)..]);
                Filled += (int)(to - from);
            }
        }

        public void Complete() => _core.SetResult(Filled);

        public int GetResult(short token) => _core.GetResult(token);

        public ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(
            Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags & ~ValueTaskSourceOnCompletedFlags.UseSchedulingContext);
    }
}
