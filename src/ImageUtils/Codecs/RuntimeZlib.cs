using System.IO.Compression;
using System.Runtime.InteropServices;

namespace ImageUtils.Codecs;

/// <summary>
/// The inflater that .NET ships for its own streams, zlib-ng, called directly: DeflateStream allocates for each unit
/// and copies bytes twice. The functions and their structure are those of
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

        s_inflateInit = (delegate* unmanaged<Stream*, int, int>)Find("InflateInit2_");
        s_inflate = (delegate* unmanaged<Stream*, int, int>)Find("Inflate");
        s_inflateReset = (delegate* unmanaged<Stream*, int, int>)Find("InflateReset2_");
        s_inflateEnd = (delegate* unmanaged<Stream*, int>)Find("InflateEnd");
        IsAvailable = s_inflateInit != null && s_inflate != null && s_inflateReset != null && s_inflateEnd != null
            && Works();

        nint Find(string name) =>
            NativeLibrary.TryGetExport(library, $"CompressionNative_{name}", out var address) ? address : 0;
    }

    /// <summary>Whether it was found and does what is expected of it.</summary>
    internal static bool IsAvailable { get; }

    internal static int InflateInit(Stream* stream, int windowBits) => s_inflateInit(stream, windowBits);

    internal static int Inflate(Stream* stream, int flush = Finish) => s_inflate(stream, flush);

    internal static int InflateReset(Stream* stream, int windowBits) => s_inflateReset(stream, windowBits);

    internal static int InflateEnd(Stream* stream) => s_inflateEnd(stream);

    private static bool Works()
    {
        // One stored block of three bytes (RFC 1951, section 3.2.4), and one byte that is not the stream's.
        ReadOnlySpan<byte> packed = [1, 3, 0, 0xFC, 0xFF, (byte)'i', (byte)'m', (byte)'g', 0x55];
        Span<byte> back = stackalloc byte[8];
        back.Clear();
        fixed (byte* packedStart = packed)
        fixed (byte* backStart = back)
        {
            Stream stream = default;
            if (InflateInit(&stream, -FullWindowBits) != Ok)
            {
                return false;
            }

            stream.Input(packedStart, packed.Length);
            stream.Output(backStart, back.Length);
            var isRead = Inflate(&stream) == StreamEnd && stream.AvailableIn == 1 && stream.AvailableOut == 5;
            return InflateEnd(&stream) == Ok && isRead && back.SequenceEqual("img\0\0\0\0\0"u8);
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
