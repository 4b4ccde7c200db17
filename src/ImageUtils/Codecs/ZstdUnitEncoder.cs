namespace ImageUtils.Codecs;

/// <summary>Zstandard by libzstd: one frame for a unit, its size declared, no checksum, as qemu writes it.</summary>
internal sealed unsafe class ZstdUnitEncoder : UnitEncoder
{
    private nint _context;

    internal ZstdUnitEncoder(int level)
    {
        _context = LibZstd.CreateCompressor();
        if (_context == 0 || LibZstd.IsError(
            LibZstd.SetParameter(_context, LibZstd.CompressionLevelParameter, level)))
        {
            Dispose();
            throw new InsufficientMemoryException("libzstd made no compressor.");
        }
    }

    public override int Encode(ReadOnlySpan<byte> unit, Span<byte> target)
    {
        ObjectDisposedException.ThrowIf(_context == 0, this);
        fixed (byte* unitStart = unit)
        fixed (byte* targetStart = target)
        {
            // The one error that can arise from a good context is that the target is too small.
            var length = LibZstd.Compress(_context, targetStart, (nuint)target.Length, unitStart, (nuint)unit.Length);
            return LibZstd.IsError(length) ? 0 : (int)length;
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (_context != 0)
        {
            _ = LibZstd.FreeCompressor(_context);
            _context = 0;
        }
    }
}
