using System.Runtime.InteropServices;
using ImageUtils.Codecs;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Wrappers;

/// <summary>
/// Zstandard (RFC 8878), frame after frame, skippable ones included. libzstd takes up 128 MiB at most: frames with a
/// larger window (<c>zstd --long=28</c> and up) are refused, as <c>zstd -d</c> does.
/// </summary>
internal sealed unsafe partial class ZstdDecoder : IStreamDecoder
{
    private nint _context;

    internal ZstdDecoder()
    {
        _context = LibZstd.IsAvailable ? LibZstd.CreateDecompressor() : throw new ZstdMissingException();
        if (_context == 0)
        {
            throw new InsufficientMemoryException("libzstd did not start.");
        }
    }

    public DecodeState Decode(
        ReadOnlySpan<byte> source, bool isLast, Span<byte> target, out int consumed, out int produced)
    {
        ObjectDisposedException.ThrowIf(_context == 0, this);
        fixed (byte* sourceStart = source)
        fixed (byte* targetStart = target)
        {
            var input = new Buffer { Start = sourceStart, Length = (nuint)source.Length };
            var output = new Buffer { Start = targetStart, Length = (nuint)target.Length };
            var result = DecompressStream(_context, &output, &input);
            consumed = (int)input.Position;
            produced = (int)output.Position;
            if (LibZstd.IsError(result))
            {
                throw WrappedImage.Damaged(ImageFormat.Zstd, Marshal.PtrToStringUTF8(GetErrorName(result)));
            }

            return result == 0 ? DecodeState.MemberEnd : DecodeState.Underway;
        }
    }

    public void Dispose()
    {
        if (_context != 0)
        {
            _ = LibZstd.FreeDecompressor(_context);
            _context = 0;
        }
    }

    [LibraryImport("libzstd.so.1", EntryPoint = "ZSTD_decompressStream")]
    private static partial nuint DecompressStream(nint context, Buffer* output, Buffer* input);

    [LibraryImport("libzstd.so.1", EntryPoint = "ZSTD_getErrorName")]
    private static partial nint GetErrorName(nuint result);

    // ZSTD_inBuffer and ZSTD_outBuffer are alike.
    private struct Buffer
    {
        public byte* Start;
        public nuint Length;
        public nuint Position;
    }
}
