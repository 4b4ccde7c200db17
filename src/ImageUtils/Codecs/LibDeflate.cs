using System.Reflection;
using System.Runtime.InteropServices;

namespace ImageUtils.Codecs;

/// <summary>
/// libdeflate's decompressor, where it is installed (Debian's <c>libdeflate0</c>): a quarter to a third faster than
/// zlib-ng. Only reading uses it: it cannot limit how far back a stream that it writes refers.
/// </summary>
internal static unsafe class LibDeflate
{
    /// <summary>LIBDEFLATE_SUCCESS.</summary>
    internal const int Success = 0;

    private static readonly delegate* unmanaged<nint> s_allocate;
    private static readonly delegate* unmanaged<nint, void> s_free;
    private static readonly delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nuint*, nuint*, int> s_deflate;
    private static readonly delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nuint*, nuint*, int> s_zlib;

    static LibDeflate()
    {
        var name = OperatingSystem.IsMacOS() ? "libdeflate.0.dylib" : "libdeflate.so.0";
        if (!NativeLibrary.TryLoad(name, Assembly.GetExecutingAssembly(), null, out var library))
        {
            return;
        }

        s_allocate = (delegate* unmanaged<nint>)Find("alloc_decompressor");
        s_free = (delegate* unmanaged<nint, void>)Find("free_decompressor");
        s_deflate = (delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nuint*, nuint*, int>)Find(
            "deflate_decompress_ex");
        s_zlib = (delegate* unmanaged<nint, byte*, nuint, byte*, nuint, nuint*, nuint*, int>)Find(
            "zlib_decompress_ex");
        IsAvailable = s_allocate != null && s_free != null && s_deflate != null && s_zlib != null;

        nint Find(string export) =>
            NativeLibrary.TryGetExport(library, $"libdeflate_{export}", out var address) ? address : 0;
    }

    internal static bool IsAvailable { get; }

    /// <summary>A decompressor, or 0 where there is no memory.</summary>
    internal static nint Allocate() => s_allocate();

    internal static void Free(nint decompressor) => s_free(decompressor);

    /// <summary>
    /// Whether the stream ends well, within the source, and gives exactly as many bytes as the target has. Where it
    /// does not, the target may have been written to.
    /// </summary>
    internal static bool TryDecode(nint decompressor, bool isZlib, ReadOnlySpan<byte> source, Span<byte> target)
    {
        nuint consumed;
        nuint produced;
        fixed (byte* sourceStart = source)
        fixed (byte* targetStart = target)
        {
            var (sourceLength, targetLength) = ((nuint)source.Length, (nuint)target.Length);
            var result = isZlib
                ? s_zlib(decompressor, sourceStart, sourceLength, targetStart, targetLength, &consumed, &produced)
                : s_deflate(decompressor, sourceStart, sourceLength, targetStart, targetLength, &consumed, &produced);
            return result == Success && produced == targetLength;
        }
    }
}
