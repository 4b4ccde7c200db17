namespace ImageUtils.Codecs;

/// <summary>Deflate by .NET's zlib-ng: bare with a 4 KiB window for qcow2, or in zlib's frame with 32 KiB.</summary>
internal sealed unsafe class ZlibUnitEncoder(UnitCodec codec, int level) : UnitEncoder
{
    // The size of blocks, in effect: 8 K symbols. Smaller blocks follow mixed contents better, and units are short.
    private const int MemoryLevel = 7;

    private readonly bool _isZlib = codec == UnitCodec.Zlib;
    private RuntimeZlib.Stream _stream;
    private bool _isDisposed;

    public override int Encode(ReadOnlySpan<byte> unit, Span<byte> target)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        fixed (RuntimeZlib.Stream* stream = &_stream)
        fixed (byte* unitStart = unit)
        fixed (byte* targetStart = target)
        {
            Start(stream);
            stream->Input(unitStart, unit.Length);
            stream->Output(targetStart, target.Length);
            var isComplete = RuntimeZlib.Deflate(stream) == RuntimeZlib.StreamEnd;
            var length = target.Length - (int)stream->AvailableOut;
            if (!RuntimeZlib.CanResetDeflate)
            {
                End(stream);
            }

            return isComplete ? length : StoredBlocks.Write(unit, target, _isZlib);
        }
    }

    protected override void Dispose(bool disposing)
    {
        _isDisposed = true;
        fixed (RuntimeZlib.Stream* stream = &_stream)
        {
            End(stream);
        }
    }

    private void Start(RuntimeZlib.Stream* stream)
    {
        var result = stream->InternalState != null
            ? RuntimeZlib.DeflateReset(stream)
            : RuntimeZlib.DeflateInit(
                stream, level, _isZlib ? RuntimeZlib.FullWindowBits : -Qcow2WindowBits, MemoryLevel);
        if (result != RuntimeZlib.Ok)
        {
            throw new InsufficientMemoryException($"zlib did not start (error {result}).");
        }
    }

    private static void End(RuntimeZlib.Stream* stream)
    {
        if (stream->InternalState != null)
        {
            _ = RuntimeZlib.DeflateEnd(stream);
            *stream = default;
        }
    }
}
