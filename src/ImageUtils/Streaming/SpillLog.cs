using ImageUtils.IO;

namespace ImageUtils.Streaming;

/// <summary>
/// Bytes that are only added at the end: in memory up to a limit, behind that in a temporary file without a name.
/// </summary>
/// <param name="directory">Where the file would be.</param>
/// <param name="limit">How much is kept in memory, in bytes, a multiple of <see cref="BlockLength"/>.</param>
internal sealed class SpillLog(string directory, long limit) : IDisposable
{
    internal const int BlockLength = 64 << 10;

    private readonly List<byte[]> _blocks = [];
    private byte[] _tail = [];
    private UnnamedFile? _file;

    /// <summary>How much was added, in bytes.</summary>
    internal long Length { get; private set; }

    /// <summary>How much of it is in a temporary file, in bytes.</summary>
    internal long TemporaryBytes { get; private set; }

    /// <summary>Adds bytes.</summary>
    /// <exception cref="Errors.ImageWriteException">The temporary file cannot be made, or its file system is
    /// full.</exception>
    internal async ValueTask AppendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            var within = (int)(Length % BlockLength);
            if (within == 0)
            {
                await BeginBlockAsync(cancellationToken).ConfigureAwait(false);
            }

            var count = Math.Min(bytes.Length, BlockLength - within);
            bytes.Span[..count].CopyTo(_tail.AsSpan(within));
            bytes = bytes[count..];
            Length += count;
        }
    }

    /// <summary>Reads what was added; nothing is added from then on.</summary>
    internal Reader Read() => new(this);

    /// <inheritdoc/>
    public void Dispose() => _file?.Dispose();

    private async ValueTask BeginBlockAsync(CancellationToken cancellationToken)
    {
        if (Length < limit)
        {
            _tail = new byte[BlockLength];
            _blocks.Add(_tail);
            return;
        }

        // The last block in memory stays where it is; one more is used for all that goes to the file.
        var behind = Length - limit;
        if (behind == 0)
        {
            _tail = new byte[BlockLength];
            return;
        }

        _file ??= UnnamedFile.Create(directory);
        await _file.Sink.WriteAsync(behind - BlockLength, _tail, cancellationToken).ConfigureAwait(false);
        TemporaryBytes = behind;
    }

    /// <summary>Reads forward, from any place.</summary>
    internal sealed class Reader : IDisposable
    {
        private readonly SpillLog _log;
        private readonly FileByteSource? _file;
        private readonly byte[] _buffer;
        private byte[] _block = [];
        private long _blockIndex = -1;

        internal Reader(SpillLog log)
        {
            _log = log;
            _file = log._file is { } file ? FileByteSource.Open(file.ReadablePath) : null;
            _buffer = _file is null ? [] : new byte[BlockLength];
        }

        /// <summary>Where the next byte is read.</summary>
        internal long Position { get; set; }

        /// <summary>Whether all has been read.</summary>
        internal bool IsAtEnd => Position >= _log.Length;

        /// <summary>Reads bytes that are there.</summary>
        internal async ValueTask ReadAsync(Memory<byte> target, CancellationToken cancellationToken)
        {
            while (target.Length > 0)
            {
                await EnterAsync(cancellationToken).ConfigureAwait(false);
                var within = (int)(Position % BlockLength);
                var count = Math.Min(target.Length, BlockLength - within);
                _block.AsSpan(within, count).CopyTo(target.Span);
                target = target[count..];
                Position += count;
            }
        }

        /// <summary>Reads a number that <see cref="VariableNumber"/> wrote.</summary>
        internal async ValueTask<long> ReadNumberAsync(CancellationToken cancellationToken)
        {
            var value = 0L;
            for (var shift = 0; ; shift += 7)
            {
                await EnterAsync(cancellationToken).ConfigureAwait(false);
                var part = _block[(int)(Position++ % BlockLength)];
                value |= (long)(part & 0x7F) << shift;
                if (part < 0x80)
                {
                    return value;
                }
            }
        }

        /// <inheritdoc/>
        public void Dispose() => _file?.Dispose();

        private async ValueTask EnterAsync(CancellationToken cancellationToken)
        {
            var index = Position / BlockLength;
            if (index == _blockIndex)
            {
                return;
            }

            _blockIndex = index;
            var start = index * BlockLength;
            if (index < _log._blocks.Count)
            {
                _block = _log._blocks[(int)index];
            }
            else if (start >= (_log.Length - 1) / BlockLength * BlockLength)
            {
                _block = _log._tail;
            }
            else
            {
                _block = _buffer;
                await _file!.ReadAsync(start - limitOf(_log), _buffer, cancellationToken).ConfigureAwait(false);
            }

            static long limitOf(SpillLog log) => (long)log._blocks.Count * BlockLength;
        }
    }
}
