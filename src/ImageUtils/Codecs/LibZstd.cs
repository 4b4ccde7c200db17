using System.Reflection;
using System.Runtime.InteropServices;

namespace ImageUtils.Codecs;

/// <summary>
/// Zstandard by its reference library (1.4 or later), where it is installed: Debian's <c>libzstd1</c>. .NET 10 has
/// none of its own. Results are lengths, or error codes that <see cref="IsError"/> knows.
/// </summary>
internal static partial class LibZstd
{
    /// <summary>ZSTD_c_compressionLevel.</summary>
    internal const int CompressionLevelParameter = 100;

    private const string Library = "libzstd.so.1";

    /// <summary>Whether the library is installed.</summary>
    internal static bool IsAvailable { get; } =
        NativeLibrary.TryLoad(Library, Assembly.GetExecutingAssembly(), null, out _);

    [LibraryImport(Library, EntryPoint = "ZSTD_createCCtx")]
    internal static partial nint CreateCompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeCCtx")]
    internal static partial nuint FreeCompressor(nint context);

    [LibraryImport(Library, EntryPoint = "ZSTD_CCtx_setParameter")]
    internal static partial nuint SetParameter(nint context, int parameter, int value);

    [LibraryImport(Library, EntryPoint = "ZSTD_compress2")]
    internal static unsafe partial nuint Compress(
        nint context, byte* target, nuint targetLength, byte* source, nuint sourceLength);

    [LibraryImport(Library, EntryPoint = "ZSTD_createDCtx")]
    internal static partial nint CreateDecompressor();

    [LibraryImport(Library, EntryPoint = "ZSTD_freeDCtx")]
    internal static partial nuint FreeDecompressor(nint context);

    /// <summary>Where the first frame ends, known from its headers alone.</summary>
    [LibraryImport(Library, EntryPoint = "ZSTD_findFrameCompressedSize")]
    internal static unsafe partial nuint FindFrameLength(byte* source, nuint sourceLength);

    [LibraryImport(Library, EntryPoint = "ZSTD_decompressDCtx")]
    internal static unsafe partial nuint Decompress(
        nint context, byte* target, nuint targetLength, byte* source, nuint sourceLength);

    [LibraryImport(Library, EntryPoint = "ZSTD_isError")]
    private static partial uint IsErrorCode(nuint result);

    internal static bool IsError(nuint result) => IsErrorCode(result) != 0;
}
