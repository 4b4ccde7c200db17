using ImageUtils.Codecs;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Wrappers;

/// <summary>
/// gzip (RFC 1952) by the runtime's zlib-ng, which checks each member's checksum. GZipStream would pass over what
/// follows the last member, whatever it is.
/// </summary>
internal sealed unsafe class GzipDecoder : IStreamDecoder
{
    // zlib's window bits of a stream in gzip's wrapping.
    private const int GzipWindowBits = 16 + RuntimeZlib.FullWindowBits;
    private const int NoFlush = 0;

    private RuntimeZlib.Stream _zlib;
    private bool _isBetweenMembers;

    internal GzipDecoder()
    {
        fixed (RuntimeZlib.Stream* stream = &_zlib)
        {
            if (!RuntimeZlib.IsAvailable || RuntimeZlib.InflateInit(stream, GzipWindowBits) != RuntimeZlib.Ok)
            {
                throw new UnsupportedImageException(
                    "gzip is unpacked by the .NET runtime's own zlib, which was not found or did not start. "
                    + "Unpack the file with 'gunzip -k' first.");
            }
        }
    }

    public DecodeState Decode(
        ReadOnlySpan<byte> source, bool isLast, Span<byte> target, out int consumed, out int produced)
    {
        fixed (RuntimeZlib.Stream* stream = &_zlib)
        fixed (byte* sourceStart = source)
        fixed (byte* targetStart = target)
        {
            if (_isBetweenMembers)
            {
                _ = RuntimeZlib.InflateReset(stream, GzipWindowBits);
                _isBetweenMembers = false;
            }

            stream->Input(sourceStart, source.Length);
            stream->Output(targetStart, target.Length);
            var result = RuntimeZlib.Inflate(stream, NoFlush);
            consumed = source.Length - (int)stream->AvailableIn;
            produced = target.Length - (int)stream->AvailableOut;
            if (result == RuntimeZlib.StreamEnd)
            {
                _isBetweenMembers = true;
                return DecodeState.MemberEnd;
            }

            return result is RuntimeZlib.Ok or RuntimeZlib.BufferError
                ? DecodeState.Underway
                : throw WrappedImage.Damaged(ImageFormat.Gzip, $"zlib's error {result}");
        }
    }

    public void Dispose()
    {
        fixed (RuntimeZlib.Stream* stream = &_zlib)
        {
            if (stream->InternalState != null)
            {
                _ = RuntimeZlib.InflateEnd(stream);
                stream->InternalState = null;
            }
        }
    }
}
