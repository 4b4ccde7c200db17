using System.Threading.Channels;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>
/// Walks a disk in chunks: one task cuts the map into windows, workers prepare them in parallel, and the caller takes
/// them in order. A bounded number is under way. However it ends, all tasks have ended when it returns.
/// </summary>
internal static class ChunkLine
{
    // Enough for every core to have one, and for those that wait for their turn.
    private const int Spare = 4;
    private const int MostWorkers = 16;

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
        var workers = Math.Clamp(Environment.ProcessorCount, 1, MostWorkers);
        var chunks = new List<Chunk>();
        var free = Channel.CreateUnbounded<Chunk>();
        for (var index = 0; index < workers + Spare; index++)
        {
            chunks.Add(new Chunk());
            free.Writer.TryWrite(chunks[index]);
        }

        var work = Channel.CreateUnbounded<Chunk>(new UnboundedChannelOptions { SingleWriter = true });
        var line = Channel.CreateUnbounded<Chunk>(
            new UnboundedChannelOptions { SingleWriter = true, SingleReader = true });
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Exception? first = null;
        var tasks = new List<Task>
        {
            Guard(token => ProduceAsync(map, start, free.Reader, work.Writer, line.Writer, takeExtent, token)),
            Guard(token => TakeAsync(line.Reader, free.Writer, take, token)),
        };
        for (var index = 0; index < workers; index++)
        {
            tasks.Add(Guard(token => WorkAsync(work.Reader, makeWorker, token)));
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

    private static async Task ProduceAsync(
        ImageMap map,
        long start,
        ChannelReader<Chunk> free,
        ChannelWriter<Chunk> work,
        ChannelWriter<Chunk> line,
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
                    Send(open);
                    open = null;
                }
            }

            while (rest.Length > 0)
            {
                if (open is null)
                {
                    open = await free.ReadAsync(cancellationToken).ConfigureAwait(false);
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
                    Send(open);
                    open = null;
                }

                rest = rest.Slice(part.Length, rest.Length - part.Length);
            }
        }

        if (open is not null)
        {
            Send(open);
        }

        work.Complete();
        line.Complete();

        void Send(Chunk chunk)
        {
            if (chunk.IsEmpty)
            {
                chunk.Pieces.Add(new Piece(PieceKind.Zero, chunk.GuestOffset, chunk.Length, 0));
                chunk.Ready.SetResult();
            }
            else
            {
                work.TryWrite(chunk);
            }

            line.TryWrite(chunk);
        }
    }

    private static async Task WorkAsync(
        ChannelReader<Chunk> work, Func<IWorker> makeWorker, CancellationToken cancellationToken)
    {
        using var worker = makeWorker();
        await foreach (var chunk in work.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            await worker.PrepareAsync(chunk, cancellationToken).ConfigureAwait(false);
            chunk.Ready.SetResult();
        }
    }

    private static async Task TakeAsync(
        ChannelReader<Chunk> line,
        ChannelWriter<Chunk> free,
        Func<Chunk, CancellationToken, ValueTask> take,
        CancellationToken cancellationToken)
    {
        await foreach (var chunk in line.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            await chunk.Ready.Task.WaitAsync(cancellationToken).ConfigureAwait(false);
            await take(chunk, cancellationToken).ConfigureAwait(false);
            free.TryWrite(chunk);
        }
    }
}
