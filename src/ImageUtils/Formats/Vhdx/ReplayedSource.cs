using ImageUtils.IO;

namespace ImageUtils.Formats.Vhdx;

/// <summary>A file with the changes of its log laid over it.</summary>
/// <param name="inner">The file, which is not changed.</param>
/// <param name="length">How long it is once the log has been replayed; what it lacks reads as zeros.</param>
internal sealed class ReplayedSource(IByteSource inner, long length) : IByteSource
{
    private const int SectorSize = VhdxLogEntry.SectorSize;

    private readonly Dictionary<long, byte[]> _sectors = [];
    private readonly List<(long Start, long End)> _zeros = [];
    private long _length = length;

    /// <summary>Changes a sector, after all changes so far.</summary>
    internal void Put(long offset, byte[] sector)
    {
        _sectors[offset] = sector;
        _length = Math.Max(_length, offset + SectorSize);
    }

    /// <summary>Changes whole sectors to zeros, after all changes so far.</summary>
    internal void Clear(long offset, long length)
    {
        foreach (var sector in _sectors.Keys.Where(sector => sector >= offset && sector < offset + length).ToArray())
        {
            _sectors.Remove(sector);
        }

        if (length > 0)
        {
            _zeros.Add((offset, offset + length));
            _length = Math.Max(_length, offset + length);
        }
    }

    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        buffer = buffer[..(int)Math.Clamp(_length - offset, 0, buffer.Length)];
        if (buffer.Length == 0)
        {
            return 0;
        }

        var read = await inner.ReadAsync(offset, buffer, cancellationToken).ConfigureAwait(false);
        buffer.Span[read..].Clear();
        var end = offset + buffer.Length;
        foreach (var (zeroStart, zeroEnd) in _zeros)
        {
            var start = Math.Max(zeroStart, offset);
            if (start < Math.Min(zeroEnd, end))
            {
                buffer.Span[(int)(start - offset)..(int)(Math.Min(zeroEnd, end) - offset)].Clear();
            }
        }

        for (var sector = offset / SectorSize * SectorSize; sector < end; sector += SectorSize)
        {
            if (_sectors.TryGetValue(sector, out var bytes))
            {
                var start = Math.Max(sector, offset);
                bytes.AsSpan((int)(start - sector), (int)(Math.Min(sector + SectorSize, end) - start))
                    .CopyTo(buffer.Span[(int)(start - offset)..]);
            }
        }

        return buffer.Length;
    }

    public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var tail = (int)Math.Min(buffer.Length, _length);
        return ReadAsync(_length - tail, buffer[..tail], cancellationToken);
    }

    public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) => ValueTask.FromResult(_length);
}
