using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>
/// Goes through two disks side by side. One task walks both maps and cuts them into windows, workers fetch and compare
/// these in parallel; a bounded number is under way. What is found first on the disk counts, not what is found first in
/// time, so that the same two images always give the same answer.
/// </summary>
internal sealed class ComparisonWalk(
    OpenedImage image, OpenedImage reference, IProgress<ConversionProgress>? progress)
{
    private const int MostWorkers = 8;
    private const int Spare = 2;

    private readonly Lock _lock = new();
    private ExceptionDispatchInfo? _failure;
    private long _end = long.MaxValue;
    private long _bytesCompared;
    private readonly PacedProgress _progress = new(progress);

    /// <summary>The guest offset of the first byte that is not the same.</summary>
    internal long? FirstDifference => _end == long.MaxValue ? null : _end;

    internal long BytesCompared => Interlocked.Read(ref _bytesCompared);

    /// <summary>Compares; all tasks have ended when it returns.</summary>
    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        var workers = Math.Clamp(Environment.ProcessorCount, 1, MostWorkers);
        var free = Channel.CreateUnbounded<Pair>();
        var work = Channel.CreateUnbounded<Pair>(new UnboundedChannelOptions { SingleWriter = true });
        var pairs = Enumerable.Range(0, workers + Spare).Select(_ => new Pair()).ToList();
        pairs.ForEach(pair => free.Writer.TryWrite(pair));
        var tasks = new List<Task>
        {
            Task.Run(() => ProduceAsync(free.Reader, work.Writer, cancellationToken), CancellationToken.None),
        };
        for (var index = 0; index < workers; index++)
        {
            tasks.Add(Task.Run(
                () => WorkAsync(work.Reader, free.Writer, cancellationToken), CancellationToken.None));
        }

        try
        {
            await Task.WhenAll(tasks).ConfigureAwait(false);
        }
        finally
        {
            pairs.ForEach(pair => pair.Dispose());
        }

        _failure?.Throw();
    }

    private async Task ProduceAsync(
        ChannelReader<Pair> free, ChannelWriter<Pair> work, CancellationToken cancellationToken)
    {
        var at = 0L;
        try
        {
            var left = new DataCursor(image.Map, cancellationToken);
            await using var ofLeft = left.ConfigureAwait(false);
            var right = new DataCursor(reference.Map, cancellationToken);
            await using var ofRight = right.ConfigureAwait(false);
            while (true)
            {
                var next = Math.Min(
                    await Named(image, left.FindAsync()).ConfigureAwait(false),
                    await Named(reference, right.FindAsync()).ConfigureAwait(false));
                if (next >= Volatile.Read(ref _end))
                {
                    return;
                }

                at = next - next % Chunk.Size;
                Report(at);
                var pair = await free.ReadAsync(cancellationToken).ConfigureAwait(false);
                pair.Reset(at);
                await Named(image, left.TakeAsync(pair.Left)).ConfigureAwait(false);
                await Named(reference, right.TakeAsync(pair.Right)).ConfigureAwait(false);
                work.TryWrite(pair);
                at = pair.Left.GuestEnd;
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Found(at, exception);
        }
        finally
        {
            work.Complete();
        }
    }

    private async Task WorkAsync(
        ChannelReader<Pair> work, ChannelWriter<Pair> free, CancellationToken cancellationToken)
    {
        using var reader = new ExtentReader();
        await foreach (var pair in work.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            var start = pair.Left.GuestOffset;
            try
            {
                if (start < Volatile.Read(ref _end) && !IsShared(pair)
                    && await FindDifferenceAsync(reader, pair, cancellationToken).ConfigureAwait(false) is { } offset)
                {
                    Found(offset, null);
                }
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                Found(start, exception);
            }

            free.TryWrite(pair);
        }
    }

    private async ValueTask<long?> FindDifferenceAsync(
        ExtentReader reader, Pair pair, CancellationToken cancellationToken)
    {
        var (left, right) = (pair.Left, pair.Right);
        Interlocked.Add(ref _bytesCompared, UnionLength(left.Extents, right.Extents));
        if (left.IsEmpty || right.IsEmpty)
        {
            var (chunk, opened) = left.IsEmpty ? (right, reference) : (left, image);
            await Named(opened, reader.ReadAsync(chunk.Extents, chunk.GuestOffset, chunk.Data, cancellationToken))
                .ConfigureAwait(false);
            return FindNonZero(chunk);
        }

        await Named(image, left.FetchAsync(reader, cancellationToken)).ConfigureAwait(false);
        await Named(reference, right.FetchAsync(reader, cancellationToken)).ConfigureAwait(false);
        var same = left.Data.Span[..Chunk.Size].CommonPrefixLength(right.Data.Span[..Chunk.Size]);
        return same < Chunk.Size ? left.GuestOffset + same : null;
    }

    private static long? FindNonZero(Chunk chunk)
    {
        foreach (var extent in chunk.Extents)
        {
            var data = chunk.Data.Span.Slice((int)(extent.GuestOffset - chunk.GuestOffset), (int)extent.Length);
            if (data.IndexOfAnyExcept((byte)0) is >= 0 and var index)
            {
                return extent.GuestOffset + index;
            }
        }

        return null;
    }

    // Overlays of one backing file, above all, have most of their bytes in the same place.
    private static bool IsShared(Pair pair)
    {
        var (left, right) = (pair.Left.Extents, pair.Right.Extents);
        return left.Count == right.Count && left.Zip(right).All(both =>
            both.First.GuestOffset == both.Second.GuestOffset && both.First.Length == both.Second.Length
            && both.First.Kind == both.Second.Kind && both.First.HostOffset == both.Second.HostOffset
            && both.First.UnitOffset == both.Second.UnitOffset && both.First.UnitLength == both.Second.UnitLength
            && both.First.Codec == both.Second.Codec
            && both.First.Source is FileByteSource first && both.Second.Source is FileByteSource second
            && first.Path == second.Path);
    }

    private static long UnionLength(List<Extent> left, List<Extent> right)
    {
        long total = 0;
        var end = long.MinValue;
        var (i, j) = (0, 0);
        while (i < left.Count || j < right.Count)
        {
            var next = j == right.Count || (i < left.Count && left[i].GuestOffset <= right[j].GuestOffset)
                ? left[i++]
                : right[j++];
            total += Math.Max(0, next.GuestEnd - Math.Max(end, next.GuestOffset));
            end = Math.Max(end, next.GuestEnd);
        }

        return total;
    }

    private static async ValueTask Named(OpenedImage opened, ValueTask work)
    {
        try
        {
            await work.ConfigureAwait(false);
        }
        catch (ImageFormatException exception)
        {
            throw WithPath(opened, exception);
        }
    }

    // Of two images, the error has to say which.
    private static async ValueTask<T> Named<T>(OpenedImage opened, ValueTask<T> work)
    {
        try
        {
            return await work.ConfigureAwait(false);
        }
        catch (ImageFormatException exception)
        {
            throw WithPath(opened, exception);
        }
    }

    private static ImageFormatException WithPath(OpenedImage opened, ImageFormatException exception)
    {
        var message = $"'{opened.Path}' cannot be compared. {exception.Message}";
        return exception is TruncatedImageException
            ? new TruncatedImageException(message)
            : new ImageFormatException(exception.Check, message);
    }

    private void Found(long guestOffset, Exception? failure)
    {
        lock (_lock)
        {
            if (guestOffset < _end)
            {
                _failure = failure is null ? null : ExceptionDispatchInfo.Capture(failure);
                Volatile.Write(ref _end, guestOffset);
            }
        }
    }

    private void Report(long position) => _progress.Report(
        ConversionStage.Comparing, position, Math.Max(image.Map.VirtualSize, reference.Map.VirtualSize));

    /// <summary>The same window of both disks.</summary>
    private sealed class Pair : IDisposable
    {
        internal Chunk Left { get; } = new();

        internal Chunk Right { get; } = new();

        internal void Reset(long guestOffset)
        {
            Left.Reset(guestOffset);
            Left.Length = Chunk.Size;
            Right.Reset(guestOffset);
            Right.Length = Chunk.Size;
        }

        public void Dispose()
        {
            Left.Dispose();
            Right.Dispose();
        }
    }
}
