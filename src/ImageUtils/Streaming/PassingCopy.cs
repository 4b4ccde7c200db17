using System.Runtime.ExceptionServices;
using System.Security.Cryptography;
using System.Threading.Channels;
using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Safety;

namespace ImageUtils.Streaming;

/// <summary>Is given all bytes of a file that passes, in order.</summary>
internal delegate void PassedBytes(ReadOnlySpan<byte> bytes);

/// <summary>
/// Takes a disk out of a file that passes once, from front to back, in whatever order its data lies there: each piece goes
/// to its place in the target when its bytes are there. All bytes are hashed on the way, and what was read of the file
/// before must be in it.
/// </summary>
internal sealed class PassingCopy
{
    private const int Blocks = 8;
    private const int LongestWrite = 2 << 20;

    private readonly RemoteSource _source;
    private readonly List<PassingPiece> _pieces;
    private readonly PlacedTarget _target;
    private readonly Channel<PassingBlock> _free = Channel.CreateUnbounded<PassingBlock>();
    private readonly Channel<PassingBlock> _toHash = Channel.CreateUnbounded<PassingBlock>();
    private readonly Channel<PassingBlock> _toCopy = Channel.CreateUnbounded<PassingBlock>();
    private readonly List<PassingPiece> _open = [];
    private int _next;

    /// <param name="source">The file, as far as it has been read.</param>
    /// <param name="pieces">Its pieces, by host offset.</param>
    /// <param name="target">Where they go.</param>
    internal PassingCopy(RemoteSource source, List<PassingPiece> pieces, PlacedTarget target)
    {
        _source = source;
        _pieces = pieces;
        _target = target;
        for (var index = 0; index < Blocks; index++)
        {
            _free.Writer.TryWrite(new PassingBlock());
        }
    }

    /// <summary>Is given every byte of the file, in order.</summary>
    internal PassedBytes? OnPassed { get; init; }

    /// <summary>Is told how much of the file has passed.</summary>
    internal Action<long>? OnPosition { get; init; }

    /// <summary>Copies everything; nothing is at work any more when this returns.</summary>
    /// <param name="stream">The file, from its first byte on.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFormatException">Compressed data is corrupt, or a table is not what it was before.</exception>
    /// <exception cref="TruncatedImageException">The stream ends too early.</exception>
    internal async Task RunAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var works = new List<Task> { Guard(ReadAsync), Guard(HashAsync) };
        for (var worker = 0; worker < Math.Max(1, Environment.ProcessorCount); worker++)
        {
            works.Add(Guard(CopyAsync));
        }

        // The first failure is the reason; the others were stopped by it.
        var failure = default(Exception);
        await foreach (var work in Task.WhenEach(works).ConfigureAwait(false))
        {
            failure ??= work.Exception?.InnerException;
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (failure is not null)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        Task Guard(Func<Stream, CancellationToken, Task> work) => Task.Run(
            async () =>
            {
                try
                {
                    await work(stream, stop.Token).ConfigureAwait(false);
                }
                catch
                {
                    await stop.CancelAsync().ConfigureAwait(false);
                    throw;
                }
            },
            CancellationToken.None);
    }

    private async Task ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        try
        {
            var position = 0L;
            var kept = Array.Empty<byte>();
            while (position < _source.Length)
            {
                var block = await _free.Reader.ReadAsync(cancellationToken).ConfigureAwait(false);
                block.Begin(position, kept);
                block.NewLength = await stream.ReadAtLeastAsync(
                    block.Room[..(int)Math.Min(PassingBlock.Length, _source.Length - position)],
                    (int)Math.Min(PassingBlock.Length, _source.Length - position), throwOnEndOfStream: false,
                    cancellationToken).ConfigureAwait(false);
                position = block.HostEnd;
                if (block.NewLength < PassingBlock.Length && position < _source.Length)
                {
                    throw new TruncatedImageException(
                        $"The image should have {_source.Length} bytes, but its data ended after {position}. Get it again.");
                }

                TakePieces(block);
                kept = KeepFrom(block);
                block.Share(2);
                await _toHash.Writer.WriteAsync(block, cancellationToken).ConfigureAwait(false);
                await _toCopy.Writer.WriteAsync(block, cancellationToken).ConfigureAwait(false);
                OnPosition?.Invoke(position);
            }

            if (await stream.ReadAsync(new byte[1], cancellationToken).ConfigureAwait(false) > 0)
            {
                throw new ImageFormatException(
                    CheckNames.Truncated, $"The image should have {_source.Length} bytes, but its data goes on after them.");
            }

            if (_next < _pieces.Count || _open.Count > 0)
            {
                throw new TruncatedImageException(
                    $"The image's tables promise data behind its end at byte {_source.Length}. Get it again.");
            }
        }
        finally
        {
            _toHash.Writer.TryComplete();
            _toCopy.Writer.TryComplete();
        }
    }

    // What can be had now: the parts of stored pieces that have come, and units that have come whole.
    private void TakePieces(PassingBlock block)
    {
        var end = block.HostEnd;
        var isLast = end == _source.Length;
        while (_next < _pieces.Count && _pieces[_next].HostOffset < end)
        {
            _open.Add(_pieces[_next++]);
        }

        for (var index = 0; index < _open.Count; index++)
        {
            var piece = _open[index];
            if (piece.IsCompressed)
            {
                // Formats round the last unit's length up, past the end of the file.
                if (piece.HostEnd <= end || isLast)
                {
                    block.Pieces.Add(piece with { HostLength = (int)Math.Min(piece.HostLength, end - piece.HostOffset) });
                }
            }
            else
            {
                var start = Math.Max(piece.HostOffset, block.NewOffset);
                var length = (int)(Math.Min(piece.HostEnd, end) - start);
                block.Pieces.Add(piece with
                {
                    HostOffset = start,
                    GuestOffset = piece.GuestOffset + (start - piece.HostOffset),
                    Length = length,
                    HostLength = length,
                });
            }
        }

        _open.RemoveAll(piece => piece.HostEnd <= end || (isLast && piece.IsCompressed));
    }

    // The beginnings of units that end in a later block.
    private byte[] KeepFrom(PassingBlock block)
    {
        var from = block.HostEnd;
        foreach (var piece in _open)
        {
            from = piece.IsCompressed ? Math.Min(from, piece.HostOffset) : from;
        }

        return block[from, (int)(block.HostEnd - from)].ToArray();
    }

    private async Task HashAsync(Stream stream, CancellationToken cancellationToken)
    {
        await foreach (var block in _toHash.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            OnPassed?.Invoke(block.New.Span);
            ThrowIfChanged(block);
            Release(block);
        }
    }

    // Whoever answers a request for a range with other bytes than it sends at last could have anything pass.
    private void ThrowIfChanged(PassingBlock block)
    {
        for (var at = 0; at < block.NewLength; at += RemoteSource.BlockLength)
        {
            var data = block.New.Span[at..Math.Min(block.NewLength, at + RemoteSource.BlockLength)];
            if (_source.FindHash((block.NewOffset + at) / RemoteSource.BlockLength) is { } before
                && !SHA256.HashData(data).AsSpan().SequenceEqual(before))
            {
                throw new ImageFormatException(
                    CheckNames.Tables,
                    $"The bytes from {block.NewOffset + at} on are not those that were there when the image's tables were "
                    + "read: it was changed meanwhile, or somebody tampers with it. Nothing of it is used.");
            }
        }
    }

    private async Task CopyAsync(Stream stream, CancellationToken cancellationToken)
    {
        using var decoder = new UnitDecoder();
        var cut = new List<Piece>();
        var buffer = Array.Empty<byte>();
        await foreach (var block in _toCopy.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
        {
            var (start, filled) = (0L, 0);
            foreach (var piece in block.Pieces)
            {
                // Units that follow each other on the disk are written together.
                if (filled > 0
                    && (!piece.IsCompressed || piece.GuestOffset != start + filled || filled + piece.UnitLength > buffer.Length))
                {
                    await _target.WriteAsync(start, buffer.AsMemory(0, filled), cut, cancellationToken).ConfigureAwait(false);
                    filled = 0;
                }

                var bytes = block[piece.HostOffset, piece.HostLength];
                if (!piece.IsCompressed)
                {
                    await _target.WriteAsync(piece.GuestOffset, bytes, cut, cancellationToken).ConfigureAwait(false);
                    continue;
                }

                if (buffer.Length < Math.Max(piece.UnitLength, LongestWrite))
                {
                    buffer = GC.AllocateUninitializedArray<byte>(Math.Max(piece.UnitLength, LongestWrite));
                }

                start = filled == 0 ? piece.GuestOffset : start;
                Decode(decoder, piece, bytes.Span, buffer.AsSpan(filled, piece.UnitLength));
                filled += piece.Length;
                cancellationToken.ThrowIfCancellationRequested();
            }

            if (filled > 0)
            {
                await _target.WriteAsync(start, buffer.AsMemory(0, filled), cut, cancellationToken).ConfigureAwait(false);
            }

            Release(block);
        }
    }

    private static void Decode(UnitDecoder decoder, in PassingPiece piece, ReadOnlySpan<byte> bytes, Span<byte> unit)
    {
        try
        {
            decoder.Decode(piece.Codec, bytes, unit);
        }
        catch (ImageFormatException exception)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The compressed data at host offset {piece.HostOffset}, of the guest's bytes from {piece.GuestOffset} on, is "
                + $"corrupt: {exception.Message}");
        }
    }

    private void Release(PassingBlock block)
    {
        if (block.Release())
        {
            _free.Writer.TryWrite(block);
        }
    }
}
