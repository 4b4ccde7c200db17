using System.Buffers.Binary;
using System.IO.Compression;
using ImageUtils.Errors;

namespace ImageUtils.Codecs;

/// <summary>
/// Decompresses single units. One per thread: it keeps the engines' contexts, made when first needed, and is not to
/// be called from two threads at once. Nothing is allocated for a unit.
/// </summary>
/// <remarks>
/// libdeflate is asked first, where it is installed. What it does not take is left to zlib-ng, so that both accept
/// the same streams: those that fill the target, even where they would go on (as qemu does for qcow2). .NET's own
/// streams stand in where zlib-ng cannot be called; they refuse some streams that go on into damage, and miss a
/// checksum that is cut off.
/// </remarks>
/// <param name="engines">What may be used; tests leave engines out.</param>
internal sealed unsafe class UnitDecoder(CodecEngines engines = CodecEngines.All) : IDisposable
{
    private const string DataCheck = "data";
    private const uint ZstdMagic = 0xFD2F_B528;
    private const uint ZstdSkippableMagic = 0x184D_2A50;

    private readonly bool _usesLibDeflate = engines.HasFlag(CodecEngines.LibDeflate) && LibDeflate.IsAvailable;
    private readonly bool _usesZlib = engines.HasFlag(CodecEngines.RuntimeZlib) && RuntimeZlib.IsAvailable;
    private readonly bool _usesZstd = engines.HasFlag(CodecEngines.Zstd) && LibZstd.IsAvailable;
    private nint _libDeflate;
    private nint _zstd;
    private RuntimeZlib.Stream _zlib;
    private bool _isDisposed;

    /// <summary>Decompresses one unit.</summary>
    /// <param name="codec">How it is compressed.</param>
    /// <param name="source">
    /// The compressed stream; whatever follows its end is passed over, because qcow2 knows lengths only in sectors.
    /// </param>
    /// <param name="target">Filled from end to end. Its contents are undefined after an exception.</param>
    /// <exception cref="ImageFormatException">
    /// The data are damaged, or give fewer bytes than <paramref name="target"/> has.
    /// </exception>
    /// <exception cref="ZstdMissingException">zstd is asked for, and libzstd is not installed.</exception>
    public void Decode(UnitCodec codec, ReadOnlySpan<byte> source, Span<byte> target)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (target.IsEmpty)
        {
            return;
        }

        var isComplete = codec switch
        {
            UnitCodec.Zstd => DecodeZstd(source, target),
            _ => source.Length > 0 && DecodeDeflate(codec == UnitCodec.Zlib, source, target),
        };
        if (!isComplete)
        {
            throw new ImageFormatException(
                DataCheck,
                $"{source.Length} bytes compressed with {Name(codec)} are damaged: they do not give the "
                + $"{target.Length} bytes that they should.");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        if (_libDeflate != 0)
        {
            LibDeflate.Free(_libDeflate);
        }

        if (_zlib.InternalState != null)
        {
            fixed (RuntimeZlib.Stream* stream = &_zlib)
            {
                _ = RuntimeZlib.InflateEnd(stream);
            }
        }

        if (_zstd != 0)
        {
            _ = LibZstd.FreeDecompressor(_zstd);
        }
    }

    private static string Name(UnitCodec codec) => codec switch
    {
        UnitCodec.Deflate => "deflate",
        UnitCodec.Zlib => "zlib",
        _ => "zstd",
    };

    private bool DecodeDeflate(bool isZlib, ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (_usesLibDeflate)
        {
            if (_libDeflate == 0)
            {
                _libDeflate = LibDeflate.Allocate();
            }

            if (_libDeflate != 0 && LibDeflate.TryDecode(_libDeflate, isZlib, source, target))
            {
                return true;
            }
        }

        return _usesZlib ? DecodeByZlib(isZlib, source, target) : DecodeByStream(isZlib, source, target);
    }

    private bool DecodeByZlib(bool isZlib, ReadOnlySpan<byte> source, Span<byte> target)
    {
        var windowBits = isZlib ? RuntimeZlib.FullWindowBits : -RuntimeZlib.FullWindowBits;
        fixed (RuntimeZlib.Stream* stream = &_zlib)
        fixed (byte* sourceStart = source)
        fixed (byte* targetStart = target)
        {
            var result = stream->InternalState == null
                ? RuntimeZlib.InflateInit(stream, windowBits)
                : RuntimeZlib.InflateReset(stream, windowBits);
            if (result != RuntimeZlib.Ok)
            {
                throw new InsufficientMemoryException($"zlib did not start (error {result}).");
            }

            stream->Input(sourceStart, source.Length);
            stream->Output(targetStart, target.Length);
            result = RuntimeZlib.Inflate(stream);
            if (stream->AvailableOut != 0 || result is not (RuntimeZlib.StreamEnd or RuntimeZlib.BufferError))
            {
                return false;
            }

            // A stream that fills the target and has not ended: cut in its checksum, or longer than the target.
            return result == RuntimeZlib.StreamEnd || !isZlib || HasMore(stream);
        }
    }

    private static bool HasMore(RuntimeZlib.Stream* stream)
    {
        byte next;
        stream->Output(&next, 1);
        _ = RuntimeZlib.Inflate(stream);
        return stream->AvailableOut == 0;
    }

    private static bool DecodeByStream(bool isZlib, ReadOnlySpan<byte> source, Span<byte> target)
    {
        fixed (byte* sourceStart = source)
        {
            using var packed = new UnmanagedMemoryStream(sourceStart, source.Length);
            using Stream unpacked = isZlib
                ? new ZLibStream(packed, CompressionMode.Decompress)
                : new DeflateStream(packed, CompressionMode.Decompress);
            try
            {
                if (unpacked.ReadAtLeast(target, target.Length, throwOnEndOfStream: false) != target.Length)
                {
                    return false;
                }

                // Reading on compares the checksum.
                _ = isZlib ? unpacked.ReadByte() : 0;
                return true;
            }
            catch (Exception exception) when (exception is InvalidDataException or IOException)
            {
                // The second is what comes of a stream that asks for a dictionary.
                return false;
            }
        }
    }

    private bool DecodeZstd(ReadOnlySpan<byte> source, Span<byte> target)
    {
        if (!_usesZstd)
        {
            throw new ZstdMissingException();
        }

        if (_zstd == 0)
        {
            _zstd = LibZstd.CreateDecompressor();
            if (_zstd == 0)
            {
                throw new InsufficientMemoryException("libzstd made no decompressor.");
            }
        }

        // One call for a whole frame writes straight to the target, whatever window and size the frame declares.
        while (!target.IsEmpty)
        {
            if (source.Length < sizeof(uint) || !IsZstd(BinaryPrimitives.ReadUInt32LittleEndian(source)))
            {
                return false;
            }

            fixed (byte* sourceStart = source)
            fixed (byte* targetStart = target)
            {
                var frameLength = LibZstd.FindFrameLength(sourceStart, (nuint)source.Length);
                if (LibZstd.IsError(frameLength) || frameLength == 0 || frameLength > (nuint)source.Length)
                {
                    return false;
                }

                var produced = LibZstd.Decompress(
                    _zstd, targetStart, (nuint)target.Length, sourceStart, frameLength);
                if (LibZstd.IsError(produced) || produced > (nuint)target.Length)
                {
                    return false;
                }

                source = source[(int)frameLength..];
                target = target[(int)produced..];
            }
        }

        return true;

        // The library may read the frames of its first versions too; no image has them.
        static bool IsZstd(uint magic) => magic == ZstdMagic || (magic & 0xFFFF_FFF0) == ZstdSkippableMagic;
    }
}
