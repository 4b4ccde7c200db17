using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using ImageUtils.Mapping;

namespace ImageUtils.Streaming;

/// <summary>
/// Sends a file from its first byte to its last: somebody says what it is made of, workers fetch and compress that in
/// parallel, one task writes it out in order, and others hash it beside that. A bounded number of blocks is under way.
/// However it ends, all tasks have ended when it returns.
/// </summary>
internal sealed class SendLine
{
    // Cutting a unit of a compressed source has it decompressed twice.
    private const int GuestAlignment = 64 << 10;

    private const int MostWorkers = 8;

    // Those that are being written, hashed and filled.
    private const int Spare = 4;

    private readonly Channel<SendBlock> _free = Channel.CreateUnbounded<SendBlock>();
    private readonly Channel<SendBlock> _work = Channel.CreateUnbounded<SendBlock>();
    private readonly Channel<SendBlock> _line = Channel.CreateUnbounded<SendBlock>();
    private readonly List<Channel<SendBlock>> _observed;
    private readonly Stream _target;
    private SendBlock? _open;
    private bool _hasBegun;

    private SendLine(Stream target, int observers)
    {
        _target = target;
        _observed = [.. Enumerable.Range(0, observers).Select(_ => Channel.CreateUnbounded<SendBlock>())];
    }

    /// <summary>How much of the file has been described, in bytes.</summary>
    internal long Position { get; private set; }

    private GzipLine? Gzip { get; init; }

    private Action? BeforeLast { get; init; }

    private Action<long>? OnSent { get; init; }

    /// <summary>Sends a file.</summary>
    /// <param name="target">Where it goes; it is flushed, and stays open.</param>
    /// <param name="describe">Adds what the file is made of.</param>
    /// <param name="gzip">Compresses it; null: it goes as it is.</param>
    /// <param name="observers">Are given all that goes out, each on a thread of its own.</param>
    /// <param name="beforeLast">
    /// Is called before the last bytes go out; what it throws leaves the receiver without them.
    /// </param>
    /// <param name="onSent">Is told how many bytes went out.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>How many bytes went out.</returns>
    internal static async Task<long> RunAsync(
        Stream target,
        Func<SendLine, CancellationToken, Task> describe,
        GzipLine? gzip,
        IReadOnlyList<SentBytes> observers,
        Action? beforeLast,
        Action<long>? onSent,
        CancellationToken cancellationToken)
    {
        var self = new SendLine(target, observers.Count) { Gzip = gzip, BeforeLast = beforeLast, OnSent = onSent };
        var workers = Math.Clamp(Environment.ProcessorCount, 1, MostWorkers);
        var blocks = Enumerable.Range(0, workers + Spare).Select(_ => new SendBlock()).ToList();
        blocks.ForEach(block => self._free.Writer.TryWrite(block));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Exception? first = null;
        var sent = 0L;
        var tasks = new List<Task>
        {
            Guard(token => self.DescribeAsync(describe, token)),
            Guard(async token => sent = await self.SendAsync(token).ConfigureAwait(false)),
        };
        tasks.AddRange(Enumerable.Range(0, workers).Select(_ => Guard(self.WorkAsync)));
        tasks.AddRange(observers.Select(
            (observer, index) => Guard(token => self.ObserveAsync(index, observer, token))));
        await Task.WhenAll(tasks).ConfigureAwait(false);
        blocks.ForEach(block => block.Dispose());
        cancellationToken.ThrowIfCancellationRequested();
        if (first is not null)
        {
            ExceptionDispatchInfo.Throw(first);
        }

        return sent;

        // The first failure stops all; those that it stops are not failures of their own.
        async Task Guard(Func<CancellationToken, Task> work)
        {
            try
            {
                await Task.Run(() => work(stop.Token), CancellationToken.None).ConfigureAwait(false);
            }
            catch (Exception exception)
            {
                Interlocked.CompareExchange(ref first, exception, null);
                await stop.CancelAsync().ConfigureAwait(false);
            }
        }
    }

    /// <summary>Adds zeros.</summary>
    internal async ValueTask AddZeroesAsync(long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            var block = await OpenAsync(cancellationToken).ConfigureAwait(false);
            var count = (int)Math.Min(length, block.Room);
            block.AddZeroes(count);
            Position += count;
            length -= count;
        }
    }

    /// <summary>Adds bytes, which are copied.</summary>
    internal async ValueTask AddBytesAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            var block = await OpenAsync(cancellationToken).ConfigureAwait(false);
            var count = Math.Min(bytes.Length, block.Room);
            block.AddBytes(bytes.Span[..count]);
            Position += count;
            bytes = bytes[count..];
        }
    }

    /// <summary>Adds a range of the guest's disk.</summary>
    internal async ValueTask AddGuestAsync(
        ExtentCursor cursor, long guestOffset, long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            var block = await OpenAsync(cancellationToken).ConfigureAwait(false);
            var count = (int)Math.Min(length, block.Room);
            var cut = (int)((guestOffset + count) % GuestAlignment);
            var isCut = count < length && cut > 0 && cut < count;
            count -= isCut ? cut : 0;
            block.AddGuest(
                guestOffset, count, await cursor.TakeAsync(guestOffset, guestOffset + count).ConfigureAwait(false));
            if (isCut)
            {
                block.Close();
            }

            Position += count;
            guestOffset += count;
            length -= count;
        }
    }

    // A block goes on its way when there are bytes for the next, so that the last one is known to be the last.
    private async ValueTask<SendBlock> OpenAsync(CancellationToken cancellationToken)
    {
        if (_open is { Room: 0 } full)
        {
            Submit(full);
            _open = null;
        }

        if (_open is null)
        {
            _open = await _free.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            _open.Begin(isFirst: !_hasBegun);
            _hasBegun = true;
        }

        return _open;
    }

    private void Submit(SendBlock block)
    {
        _line.Writer.TryWrite(block);
        _work.Writer.TryWrite(block);
    }

    private async Task DescribeAsync(
        Func<SendLine, CancellationToken, Task> describe, CancellationToken cancellationToken)
    {
        await describe(this, cancellationToken).ConfigureAwait(false);
        var last = _open ?? await OpenAsync(cancellationToken).ConfigureAwait(false);
        last.IsLast = true;
        Submit(last);
        _line.Writer.Complete();
        _work.Writer.Complete();
    }

    private async Task WorkAsync(CancellationToken cancellationToken)
    {
        using var reader = new ExtentReader();
        await foreach (var block in _work.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            await block.FetchAsync(reader, cancellationToken).ConfigureAwait(false);
            if (Gzip is null)
            {
                block.Output = block.Data;
            }
            else
            {
                Gzip.Pack(block);
            }

            block.SetReady();
        }
    }

    private async Task<long> SendAsync(CancellationToken cancellationToken)
    {
        var sent = 0L;
        await foreach (var block in _line.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            await block.Ready.WaitAsync(cancellationToken).ConfigureAwait(false);
            Gzip?.Append(block);
            if (block.IsLast)
            {
                BeforeLast?.Invoke();
            }

            block.Share(1 + _observed.Count);
            foreach (var observed in _observed)
            {
                observed.Writer.TryWrite(block);
            }

            await _target.WriteAsync(block.Output, cancellationToken).ConfigureAwait(false);
            sent += block.Output.Length;
            OnSent?.Invoke(sent);
            Release(block);
        }

        _observed.ForEach(observed => observed.Writer.Complete());
        await _target.FlushAsync(cancellationToken).ConfigureAwait(false);
        return sent;
    }

    private async Task ObserveAsync(int index, SentBytes observer, CancellationToken cancellationToken)
    {
        await foreach (var block in _observed[index].Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            observer(block.Output.Span);
            Release(block);
        }
    }

    private void Release(SendBlock block)
    {
        if (block.Release())
        {
            _free.Writer.TryWrite(block);
        }
    }
}
