using System.Threading.Channels;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>
/// Walks a disk in chunks: one task cuts the map into windows, workers prepare them in parallel, and each is taken in the
/// disk's order, one at a time. A bounded number is under way. However it ends, all tasks have ended when it returns.
/// </summary>
/// <remarks>
/// Chunks are taken by whoever has prepared one and finds nobody at it; he goes on as long as the next is ready, while
/// the others prepare more. A task of its own for that would be one more than there are processors, and handing over
/// each chunk would take a wake-up each.
/// </remarks>
internal sealed class ChunkLine
{
    // Enough for every core to have one, and for those that wait for their turn.
    private const int Spare = 4;
    private const int MostWorkers = 16;

    private readonly Lock _lock = new();
    private readonly Queue<Chunk> _line = new();
    private readonly Channel<Chunk> _free = Channel.CreateUnbounded<Chunk>();
    private readonly Channel<Chunk> _work =
        Channel.CreateUnbounded<Chunk>(new UnboundedChannelOptions { SingleWriter = true });

    private readonly Func<Chunk, CancellationToken, ValueTask> _take;
    private bool _isTaking;

    private ChunkLine(Func<Chunk, CancellationToken, ValueTask> take) => _take = take;

    /// <summary>What a worker does with a chunk that is not empty; each worker has its own.</summary>
    internal interface IWorker : IDisposable
    {
        ValueTask PrepareAsync(Chunk chunk, CancellationToken cancellationToken);
    }

    /// <summary>Walks a disk.</summary>
    /// <param name="map">The disk.</param>
    /// <param name="start">Where to begin, a multiple of <see cref="Chunk.Size"/>.</param>
    /// <param name="makeWorker">Makes each worker's own state.</param>
    /// <param name="takeExtent">
    /// Is offered each extent before it is cut up, and says how many of its first bytes need nothing more; or null.
    /// </param>
    /// <param name="take">Takes the chunks in order; an empty one stands for any length.</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    internal static async Task RunAsync(
        ImageMap map,
        long start,
        Func<IWorker> makeWorker,
        Func<Extent, CancellationToken, ValueTask<long>>? takeExtent,
        Func<Chunk, CancellationToken, ValueTask> take,
        CancellationToken cancellationToken)
    {
        var self = new ChunkLine(take);
        var workers = Math.Clamp(Environment.ProcessorCount, 1, MostWorkers);
        var chunks = new List<Chunk>();
        for (var index = 0; index < workers + Spare; index++)
        {
            chunks.Add(new Chunk());
            self._free.Writer.TryWrite(chunks[index]);
        }

        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Exception? first = null;
        var tasks = new List<Task> { Guard(token => self.ProduceAsync(map, start, takeExtent, token)) };
        for (var index = 0; index < workers; index++)
        {
            tasks.Add(Guard(token => self.WorkAsync(makeWorker, token)));
        }

        await Task.WhenAll(tasks).ConfigureAwait(false);
        foreach (var chunk in chunks)
        {
            chunk.Dispose();
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (first is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(first);
        }

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

    private async Task ProduceAsync(
        ImageMap map,
        long start,
        Func<Extent, CancellationToken, ValueTask<long>>? takeExtent,
        CancellationToken cancellationToken)
    {
        Chunk? open = null;
        await foreach (var whole in map.GetExtentsAsync(start, map.VirtualSize - start, cancellationToken)
            .ConfigureAwait(false))
        {
            var rest = whole;
            if (takeExtent is not null && !whole.IsEmpty
                && await takeExtent(whole, cancellationToken).ConfigureAwait(false) is > 0 and var taken)
            {
                rest = whole.Slice(taken, whole.Length - taken);
                if (open is not null)
                {
                    await SendAsync(open, cancellationToken).ConfigureAwait(false);
                    open = null;
                }
            }

            while (rest.Length > 0)
            {
                if (open is null)
                {
                    open = await _free.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                    open.Reset(rest.GuestOffset);
                }

                var windowEnd = open.GuestOffset - open.GuestOffset % Chunk.Size + Chunk.Size;

                // An empty range goes as it is, however long, but ends where the window of what follows it begins.
                var end = rest.IsEmpty && open.IsEmpty && rest.GuestEnd > windowEnd
                    ? rest.GuestEnd - rest.GuestEnd % Chunk.Size
                    : Math.Min(rest.GuestEnd, windowEnd);
                var part = rest.Slice(0, end - rest.GuestOffset);
                if (!part.IsEmpty)
                {
                    open.Extents.Add(part);
                }

                open.Length = end - open.GuestOffset;
                if (end >= windowEnd)
                {
                    await SendAsync(open, cancellationToken).ConfigureAwait(false);
                    open = null;
                }

                rest = rest.Slice(part.Length, rest.Length - part.Length);
            }
        }

        if (open is not null)
        {
            await SendAsync(open, cancellationToken).ConfigureAwait(false);
        }

        _work.Writer.Complete();
    }

    private async ValueTask SendAsync(Chunk chunk, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _line.Enqueue(chunk);
        }

        if (!chunk.IsEmpty)
        {
            _work.Writer.TryWrite(chunk);
            return;
        }

        chunk.Pieces.Add(new Piece(PieceKind.Zero, chunk.GuestOffset, chunk.Length, 0));
        await TakeAsync(chunk, cancellationToken).ConfigureAwait(false);
    }

    private async Task WorkAsync(Func<IWorker> makeWorker, CancellationToken cancellationToken)
    {
        using var worker = makeWorker();
        await foreach (var chunk in _work.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            await worker.PrepareAsync(chunk, cancellationToken).ConfigureAwait(false);
            await TakeAsync(chunk, cancellationToken).ConfigureAwait(false);
        }
    }

    // Says that a chunk is ready, and takes those whose turn has come, unless somebody is at that already.
    private async ValueTask TakeAsync(Chunk ready, CancellationToken cancellationToken)
    {
        for (var next = FindNext(ready); next is not null; next = FindNext(null))
        {
            cancellationToken.ThrowIfCancellationRequested();
            await _take(next, cancellationToken).ConfigureAwait(false);
            _free.Writer.TryWrite(next);
        }
    }

    // With a chunk that has become ready: begins to take, if nobody does. Without: goes on, or ends.
    private Chunk? FindNext(Chunk? ready)
    {
        lock (_lock)
        {
            if (ready is not null)
            {
                ready.IsReady = true;
                if (_isTaking)
                {
                    return null;
                }
            }

            _isTaking = _line.TryPeek(out var next) && next.IsReady;
            return _isTaking ? _line.Dequeue() : null;
        }
    }
}
