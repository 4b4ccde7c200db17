using System.Diagnostics;
using ImageUtils.Codecs;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>
/// Moves a guest's disk from a map to a writer: the one place where data is moved. Chunks are fetched, searched for
/// zeros and compressed in parallel, and written in order.
/// </summary>
internal sealed class CopyPump
{
    // Shorter runs of zeros are written with the data around them: a hole costs more than it saves.
    private const int LeastGap = 16 << 10;

    // What a file system allocates; zeros are looked for in such pieces.
    private const int Granule = 4096;

    // Sharing blocks costs a call for each extent, which only pays for long ones.
    private const long LeastClone = 256 << 10;
    private const long CloneAlignment = 4096;

    private readonly ImageMap _map;
    private readonly ImageWriter _writer;
    private readonly IByteSink _sink;
    private readonly UnitCompression? _compression;
    private readonly int _granule;
    private readonly int _leastGap;
    private bool _mayClone;
    private long _bytesRead;
    private long _nextCheckpoint;

    internal CopyPump(ImageMap map, ImageWriter writer, IByteSink sink)
    {
        _map = map;
        _writer = writer;
        _sink = sink;
        _compression = writer.Compression;
        _granule = (int)Math.Min(Granule, writer.UnitSize);
        _leastGap = (int)Math.Min(LeastGap, writer.UnitSize);
    }

    /// <summary>Shares blocks with the source where both ends can.</summary>
    internal bool AllowClone { init => _mayClone = value && _writer.LinearOffset is not null; }

    /// <summary>The hash of what is fetched, made on the way; null where nobody asks for it.</summary>
    internal GuestDigest? Digest { get; init; }

    /// <summary>The rate of writing; null: as fast as it goes.</summary>
    internal TokenBucket? Limiter { get; init; }

    /// <summary>Is told how far on the guest's disk the target is complete.</summary>
    internal Action<long>? OnPosition { get; init; }

    /// <summary>Is called at intervals, when all before a guest offset has been given to the sink.</summary>
    internal Func<long, CancellationToken, ValueTask>? Checkpoint { get; init; }

    /// <summary>How often <see cref="Checkpoint"/> is called.</summary>
    internal TimeSpan CheckpointInterval { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How many bytes were read from the source's files.</summary>
    internal long BytesRead => Interlocked.Read(ref _bytesRead);

    /// <summary>How many bytes of the source share their blocks with the target.</summary>
    internal long BytesCloned { get; private set; }

    /// <summary>Moves everything from a guest offset on; the writer has begun.</summary>
    /// <param name="start">A multiple of <see cref="Chunk.Size"/>.</param>
    /// <param name="cancellationToken">Ends the work; nothing is at work any more when this returns.</param>
    internal async Task RunAsync(long start, CancellationToken cancellationToken)
    {
        _nextCheckpoint = Stopwatch.GetTimestamp();
        AdvanceCheckpoint();
        await ChunkLine.RunAsync(
            _map, start, () => new Worker(this), _mayClone ? TryCloneAsync : null, WriteAsync, cancellationToken)
            .ConfigureAwait(false);
        if (_writer.VirtualSize > _map.VirtualSize)
        {
            await _writer.WriteZeroesAsync(
                _map.VirtualSize, _writer.VirtualSize - _map.VirtualSize, cancellationToken).ConfigureAwait(false);
        }
    }

    private async ValueTask WriteAsync(Chunk chunk, CancellationToken cancellationToken)
    {
        foreach (var piece in chunk.Pieces)
        {
            if (piece.Kind == PieceKind.Zero)
            {
                await _writer.WriteZeroesAsync(piece.GuestOffset, piece.Length, cancellationToken)
                    .ConfigureAwait(false);
                continue;
            }

            if (Limiter is not null)
            {
                await Limiter.TakeAsync(piece.Length, cancellationToken).ConfigureAwait(false);
            }

            var from = piece.Kind == PieceKind.Data ? chunk.Data : chunk.Encoded;
            var bytes = from.Slice(piece.Start, (int)piece.Length);
            var write = piece.Kind == PieceKind.Data
                ? _writer.WriteAsync(piece.GuestOffset, bytes, cancellationToken)
                : _writer.WriteCompressedAsync(piece.GuestOffset, bytes, cancellationToken);
            await write.ConfigureAwait(false);
        }

        Digest?.Add(chunk.Hash);
        OnPosition?.Invoke(chunk.GuestEnd);
        if (Checkpoint is not null && chunk.GuestEnd % Chunk.Size == 0
            && Stopwatch.GetTimestamp() >= _nextCheckpoint)
        {
            await Checkpoint(chunk.GuestEnd, cancellationToken).ConfigureAwait(false);
            AdvanceCheckpoint();
        }
    }

    private void AdvanceCheckpoint() => _nextCheckpoint =
        Stopwatch.GetTimestamp() + (long)(CheckpointInterval.TotalSeconds * Stopwatch.Frequency);

    private async ValueTask<long> TryCloneAsync(Extent extent, CancellationToken cancellationToken)
    {
        // Whole blocks are shared, and the last one of a file with the last one of a file.
        var isTail = _writer.UnitSize == long.MaxValue && extent.GuestEnd == _writer.VirtualSize
            && extent.Source is FileByteSource file && extent.HostOffset + extent.Length == file.Length;
        var length = isTail ? extent.Length : extent.Length - extent.Length % CloneAlignment;
        if (!_mayClone || extent.Kind != ExtentKind.Stored || length < LeastClone)
        {
            return 0;
        }

        _mayClone = await _sink.TryCloneAsync(
            extent.Source!, extent.HostOffset, _writer.LinearOffset!.Value + extent.GuestOffset, length,
            cancellationToken).ConfigureAwait(false);
        if (!_mayClone)
        {
            return 0;
        }

        BytesCloned += length;
        return length;
    }

    private sealed class Worker : ChunkLine.IWorker
    {
        private readonly CopyPump _pump;
        private readonly ExtentReader _reader = new();
        private readonly UnitEncoder? _encoder;

        internal Worker(CopyPump pump)
        {
            _pump = pump;
            _encoder = pump._compression is { } compression
                ? UnitEncoder.Create(compression.Codec, compression.Level, compression.UnitLength)
                : null;
        }

        public async ValueTask PrepareAsync(Chunk chunk, CancellationToken cancellationToken)
        {
            var before = _reader.BytesRead;
            if (_encoder is not null || _pump.Digest is not null)
            {
                await chunk.FetchAsync(_reader, cancellationToken).ConfigureAwait(false);
                chunk.Hash = _pump.Digest is null
                    ? null
                    : GuestDigest.HashOf(chunk.GuestOffset, chunk.Data.Span[..(int)chunk.Length]);
            }
            else
            {
                await _reader.ReadAsync(chunk.Extents, chunk.GuestOffset, chunk.Data, cancellationToken)
                    .ConfigureAwait(false);
            }

            Interlocked.Add(ref _pump._bytesRead, _reader.BytesRead - before);
            if (_encoder is not null)
            {
                Encode(chunk);
            }
            else
            {
                Cut(chunk);
            }
        }

        public void Dispose()
        {
            _reader.Dispose();
            _encoder?.Dispose();
        }

        private void Cut(Chunk chunk)
        {
            var at = chunk.GuestOffset;
            for (var index = 0; index < chunk.Extents.Count; index++)
            {
                var start = chunk.Extents[index].GuestOffset;
                AddZero(at, start);

                // Extents that touch are one run of bytes, wherever they came from.
                at = chunk.Extents[index].GuestEnd;
                while (index + 1 < chunk.Extents.Count && chunk.Extents[index + 1].GuestOffset == at)
                {
                    at = chunk.Extents[++index].GuestEnd;
                }

                var from = (int)(start - chunk.GuestOffset);
                ZeroScan.Cut(
                    chunk.Data.Span.Slice(from, (int)(at - start)), start, from, _pump._granule, _pump._leastGap,
                    chunk.Pieces);
            }

            AddZero(at, chunk.GuestEnd);

            void AddZero(long from, long to)
            {
                if (to > from)
                {
                    chunk.Pieces.Add(new Piece(PieceKind.Zero, from, to - from, 0));
                }
            }
        }

        private void Encode(Chunk chunk)
        {
            var compression = _pump._compression!;
            var unitLength = compression.UnitLength;
            var slack = unitLength / 256 + 128;
            chunk.Reserve(Chunk.Size + Chunk.Size / unitLength * slack);
            var data = chunk.Data.Span;
            var encoded = chunk.Encoded.Span;
            var position = 0;
            var next = 0;
            for (var start = 0; start < chunk.Length; start += unitLength)
            {
                while (next < chunk.Extents.Count && chunk.Extents[next].GuestEnd <= chunk.GuestOffset + start)
                {
                    next++;
                }

                if (next == chunk.Extents.Count)
                {
                    break;
                }

                var unit = data.Slice(start, unitLength);
                if (chunk.Extents[next].GuestOffset >= chunk.GuestOffset + start + unitLength || ZeroScan.IsZero(unit))
                {
                    continue;
                }

                var room = encoded.Slice(position, compression.IsOptional ? unitLength - 1 : unitLength + slack);
                var length = _encoder!.Encode(unit, room);
                var guestOffset = chunk.GuestOffset + start;
                chunk.Pieces.Add(length > 0
                    ? new Piece(PieceKind.Compressed, guestOffset, length, position)
                    : new Piece(PieceKind.Data, guestOffset, Math.Min(unitLength, chunk.Length - start), start));
                position += length;
            }
        }
    }
}
