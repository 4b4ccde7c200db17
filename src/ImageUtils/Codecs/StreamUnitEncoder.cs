using System.IO.Compression;

namespace ImageUtils.Codecs;

/// <summary>
/// Deflate by .NET's own streams, for a runtime whose zlib cannot be called directly. They have no say in the
/// window: for qcow2 each 4 KiB are compressed by themselves, so that nothing looks back further. The result is
/// larger, and always right.
/// </summary>
internal sealed class StreamUnitEncoder(UnitCodec codec, int level, int maximumUnitLength) : UnitEncoder
{
    private const int PieceLength = 1 << Qcow2WindowBits;

    private readonly ZLibCompressionOptions _options = new() { CompressionLevel = level };
    private readonly MemoryStream _packed = new(MaximumEncodedLength(maximumUnitLength));

    public override int Encode(ReadOnlySpan<byte> unit, Span<byte> target)
    {
        _packed.SetLength(0);
        var isZlib = codec == UnitCodec.Zlib;
        if (isZlib)
        {
            using var deflate = new ZLibStream(_packed, _options, leaveOpen: true);
            deflate.Write(unit);
        }
        else
        {
            WritePieces(unit);
        }

        if (_packed.Length == 0 || _packed.Length > target.Length)
        {
            return StoredBlocks.Write(unit, target, isZlib);
        }

        _packed.GetBuffer().AsSpan(0, (int)_packed.Length).CopyTo(target);
        return (int)_packed.Length;
    }

    protected override void Dispose(bool disposing) => _packed.Dispose();

    private void WritePieces(ReadOnlySpan<byte> unit)
    {
        while (!unit.IsEmpty)
        {
            var piece = unit[..Math.Min(unit.Length, PieceLength)];
            unit = unit[piece.Length..];
            long end;
            using (var deflate = new DeflateStream(_packed, _options, leaveOpen: true))
            {
                deflate.Write(piece);
                deflate.Flush();
                end = _packed.Length;
            }

            // A flush ends at a byte and leaves the stream open; what disposing added would end it.
            if (!unit.IsEmpty)
            {
                _packed.SetLength(end);
            }
        }
    }
}
