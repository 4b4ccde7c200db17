using System.IO.Compression;
using System.Runtime.InteropServices;

namespace ImageUtils.Codecs;

/// <summary>
/// The zlib-ng that .NET ships for its own streams, called directly: DeflateStream knows no window size, allocates
/// for each unit and copies all bytes twice. The functions and their structure are those of
/// <c>System.IO.Compression.Native/pal_zlib.h</c> in dotnet/runtime; they are no promise of .NET's, so they are tried
/// once before they are used.
/// </summary>
internal static unsafe class RuntimeZlib
{
    internal const int Ok = 0;
    internal const int StreamEnd = 1;
    internal const int BufferError = -5;
    internal const int Finish = 4;

    /// <summary>zlib's largest window, 32 KiB, as its window bits.</summary>
    internal const int FullWindowBits = 15;

    private const int DeflatedMethod = 8;
    private const int DefaultStrategy = 0;

    private static readonly delegate* unmanaged<Stream*, int, int, int, int, int, int> s_deflateInit;
    private static readonly delegate* unmanaged<Stream*, int, int> s_deflate;
    private static readonly delegate* unmanaged<Stream*, int> s_deflateEnd;
    private static readonly delegate* unmanaged<Stream*, int> s_deflateReset;
    private static readonly delegate* unmanaged<Stream*, int, int> s_inflateInit;
    private static readonly delegate* unmanaged<Stream*, int, int> s_inflate;
    private static readonly delegate* unmanaged<Stream*, int, int> s_inflateReset;
    private static readonly delegate* unmanaged<Stream*, int> s_inflateEnd;

    static RuntimeZlib()
    {
        // .NET finds it beside System.IO.Compression.dll or in the host's list of native directories, whether the
        // runtime is shared or the program's own. In a single file it is linked in, and not to be found.
        var assembly = typeof(DeflateStream).Assembly;
        if (!NativeLibrary.TryLoad("libSystem.IO.Compression.Native", assembly, null, out var library)
            && !NativeLibrary.TryLoad("System.IO.Compression.Native", assembly, null, out library))
        {
            return;
        }

        s_deflateInit = (delegate* unmanaged<Stream*, int, int, int, int, int, int>)Find("DeflateInit2_");
        s_deflate = (delegate* unmanaged<Stream*, int, int>)Find("Deflate");
        s_deflateEnd = (delegate* unmanaged<Stream*, int>)Find("DeflateEnd");
        s_deflateReset = (delegate* unmanaged<Stream*, int>)Find("DeflateReset");
        s_inflateInit = (delegate* unmanaged<Stream*, int, int>)Find("InflateInit2_");
        s_inflate = (delegate* unmanaged<Stream*, int, int>)Find("Inflate");
        s_inflateReset = (delegate* unmanaged<Stream*, int, int>)Find("InflateReset2_");
        s_inflateEnd = (delegate* unmanaged<Stream*, int>)Find("InflateEnd");
        IsAvailable = s_deflateInit != null && s_deflate != null && s_deflateEnd != null && s_inflateInit != null
            && s_inflate != null && s_inflateReset != null && s_inflateEnd != null && Works();

        nint Find(string name) =>
            NativeLibrary.TryGetExport(library, $"CompressionNative_{name}", out var address) ? address : 0;
    }

    /// <summary>Whether it was found and does what is expected of it.</summary>
    internal static bool IsAvailable { get; }

    /// <summary>Whether a compressor can be used again; .NET 10 has no such call, later ones do.</summary>
    internal static bool CanResetDeflate => s_deflateReset != null;

    internal static int DeflateInit(Stream* stream, int level, int windowBits, int memoryLevel) =>
        s_deflateInit(stream, level, DeflatedMethod, windowBits, memoryLevel, DefaultStrategy);

    internal static int Deflate(Stream* stream) => s_deflate(stream, Finish);

    internal static int DeflateReset(Stream* stream) => s_deflateReset(stream);

    internal static int DeflateEnd(Stream* stream) => s_deflateEnd(stream);

    internal static int InflateInit(Stream* stream, int windowBits) => s_inflateInit(stream, windowBits);

    internal static int Inflate(Stream* stream, int flush = Finish) => s_inflate(stream, flush);

    internal static int InflateReset(Stream* stream, int windowBits) => s_inflateReset(stream, windowBits);

    internal static int InflateEnd(Stream* stream) => s_inflateEnd(stream);

    private static bool Works()
    {
        var (unit, packed, back) = (new byte[64], new byte[128], new byte[64]);
        fixed (byte* unitStart = unit)
        fixed (byte* packedStart = packed)
        fixed (byte* backStart = back)
        {
            unit.AsSpan().Fill((byte)'i');
            Stream stream = default;
            if (DeflateInit(&stream, 6, -12, 8) != Ok)
            {
                return false;
            }

            stream.Input(unitStart, unit.Length);
            stream.Output(packedStart, packed.Length);
            var isPacked = Deflate(&stream) == StreamEnd;
            var packedLength = packed.Length - (int)stream.AvailableOut;
            if (DeflateEnd(&stream) != Ok || !isPacked || packedLength is < 2 or > 32)
            {
                return false;
            }

            stream = default;
            if (InflateInit(&stream, -FullWindowBits) != Ok)
            {
                return false;
            }

            stream.Input(packedStart, packedLength);
            stream.Output(backStart, back.Length);
            var isBack = Inflate(&stream) == StreamEnd && stream.AvailableOut == 0;
            return InflateEnd(&stream) == Ok && isBack && back.AsSpan().SequenceEqual(unit);
        }
    }

    /// <summary>PAL_ZStream: where the next bytes are read and written. Moved on by each call.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Stream
    {
        internal byte* NextIn;
        internal byte* NextOut;
        internal byte* Message;
        internal void* InternalState;
        internal uint AvailableIn;
        internal uint AvailableOut;

        // Room that no known runtime uses, should a later one have a longer structure.
        private fixed ulong _reserve[8];

        internal void Input(byte* start, int length)
        {
            NextIn = start;
            AvailableIn = (uint)length;
        }

        internal void Output(byte* start, int length)
        {
            NextOut = start;
            AvailableOut = (uint)length;
        }
    }
}
