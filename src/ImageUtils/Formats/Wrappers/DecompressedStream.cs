using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Wrappers;

/// <summary>
/// What is inside a compressed file, from front to back. Every member is unpacked; nothing else may follow.
/// </summary>
internal sealed class DecompressedStream : Stream
{
    private const int BufferLength = 256 * 1024;

    private readonly IByteSource _source;
    private readonly ImageFormat _wrapper;
    private readonly IStreamDecoder _decoder;
    private readonly long _maximumLength;
    private readonly byte[] _buffer = new byte[BufferLength];
    private long _sourceOffset;
    private int _start;
    private int _end;
    private bool _isSourceAtEnd;
    private bool _isComplete;
    private DecodeState _state = DecodeState.Underway;
    private long _position;

    internal DecompressedStream(IByteSource source, ImageFormat wrapper, IStreamDecoder decoder, long maximumLength)
    {
        _source = source;
        _wrapper = wrapper;
        _decoder = decoder;
        _maximumLength = maximumLength;
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    /// <summary>How much came out so far, in bytes.</summary>
    public override long Position
    {
        get => _position;
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(
        Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (!_isComplete && buffer.Length > 0)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_start == _end && !_isSourceAtEnd)
            {
                _end = await _source.ReadAsync(_sourceOffset, _buffer, cancellationToken).ConfigureAwait(false);
                _start = 0;
                _sourceOffset += _end;
                _isSourceAtEnd = _end < _buffer.Length;
            }

            if (_start == _end && _isSourceAtEnd && _state == DecodeState.MemberEnd)
            {
                _isComplete = true;
                break;
            }

            _state = _decoder.Decode(
                _buffer.AsSpan(_start, _end - _start), _isSourceAtEnd, buffer.Span, out var consumed, out var produced);
            _start += consumed;
            _position += produced;
            if (_position > _maximumLength)
            {
                throw new ImageFormatException(
                    CheckNames.Expansion,
                    $"The {_wrapper.ToName()} file unpacks to more than the {_maximumLength} bytes that are allowed.");
            }

            if (produced > 0)
            {
                return produced;
            }

            if (consumed == 0 && _start == _end && _isSourceAtEnd && _state == DecodeState.Underway)
            {
                throw new TruncatedImageException(
                    $"The {_wrapper.ToName()} file ends at byte {_sourceOffset} within its compressed data, after "
                    + $"{_position} bytes of its content: it is cut short.");
            }

            if (consumed == 0 && _start < _end && _state == DecodeState.Underway)
            {
                throw WrappedImage.Damaged(_wrapper, $"no progress at byte {_sourceOffset - (_end - _start)}");
            }
        }

        return 0;
    }

    public override int Read(byte[] buffer, int offset, int count) =>
        ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _decoder.Dispose();
        }

        base.Dispose(disposing);
    }
}
