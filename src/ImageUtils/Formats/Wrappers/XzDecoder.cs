using System.Reflection;
using System.Runtime.InteropServices;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Wrappers;

/// <summary>
/// The .xz format by liblzma (5.0 or later), stream after stream, with the padding that may follow each.
/// </summary>
internal sealed unsafe partial class XzDecoder : IStreamDecoder
{
    private const string Library = "liblzma.so.5";

    // xz -9 needs 65 MiB for unpacking; a file may ask for 4 GiB.
    private const ulong MemoryLimit = 128 << 20;

    private const uint Concatenated = 0x08;
    private const int ActionRun = 0;
    private const int ActionFinish = 3;
    private const int Ok = 0;
    private const int StreamEnd = 1;
    private const int MemoryLimitError = 6;
    private const int OptionsError = 8;
    private const int BufferError = 10;

    private static readonly bool s_isAvailable =
        NativeLibrary.TryLoad(Library, Assembly.GetExecutingAssembly(), null, out _);

    // liblzma keeps no pointer to it, but checks that its own part is passed back.
    private LzmaStream _lzma;
    private bool _isOpen;

    internal XzDecoder()
    {
        if (!s_isAvailable)
        {
            throw new UnsupportedImageException(
                "Unpacking xz needs the library liblzma.so.5, which was not found. Install it (Debian and Ubuntu: "
                + "liblzma5; Fedora and RHEL: xz-libs), or unpack the file with 'xz -dk' first.");
        }

        fixed (LzmaStream* stream = &_lzma)
        {
            var result = CreateDecoder(stream, MemoryLimit, Concatenated);
            _isOpen = result == Ok ? true : throw new InsufficientMemoryException($"liblzma did not start (error {result}).");
        }
    }

    public DecodeState Decode(
        ReadOnlySpan<byte> source, bool isLast, Span<byte> target, out int consumed, out int produced)
    {
        ObjectDisposedException.ThrowIf(!_isOpen, this);
        fixed (LzmaStream* stream = &_lzma)
        fixed (byte* sourceStart = source)
        fixed (byte* targetStart = target)
        {
            stream->NextIn = sourceStart;
            stream->AvailableIn = (nuint)source.Length;
            stream->NextOut = targetStart;
            stream->AvailableOut = (nuint)target.Length;
            var result = Code(stream, isLast ? ActionFinish : ActionRun);
            consumed = source.Length - (int)stream->AvailableIn;
            produced = target.Length - (int)stream->AvailableOut;
            return result switch
            {
                Ok or BufferError => DecodeState.Underway,
                StreamEnd => DecodeState.MemberEnd,
                MemoryLimitError => throw new UnsupportedImageException(
                    $"The xz file needs more than {MemoryLimit >> 20} MiB of memory to be unpacked. "
                    + "Unpack it with 'xz -dk' first."),
                OptionsError => throw new UnsupportedImageException(
                    "The xz file has options that the installed liblzma does not know."),
                _ => throw WrappedImage.Damaged(ImageFormat.Xz, $"liblzma's error {result}"),
            };
        }
    }

    public void Dispose()
    {
        if (!_isOpen)
        {
            return;
        }

        _isOpen = false;
        fixed (LzmaStream* stream = &_lzma)
        {
            End(stream);
        }
    }

    [LibraryImport(Library, EntryPoint = "lzma_stream_decoder")]
    private static partial int CreateDecoder(LzmaStream* stream, ulong memoryLimit, uint flags);

    [LibraryImport(Library, EntryPoint = "lzma_code")]
    private static partial int Code(LzmaStream* stream, int action);

    [LibraryImport(Library, EntryPoint = "lzma_end")]
    private static partial void End(LzmaStream* stream);

    // lzma/base.h, lzma_stream.
    [StructLayout(LayoutKind.Sequential)]
    private struct LzmaStream
    {
        public byte* NextIn;
        public nuint AvailableIn;
        public ulong TotalIn;
        public byte* NextOut;
        public nuint AvailableOut;
        public ulong TotalOut;
        public void* Allocator;
        public void* Internal;
        public fixed ulong Reserved[12];
    }
}
