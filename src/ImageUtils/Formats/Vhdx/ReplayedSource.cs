using System.Runtime.InteropServices;
using ImageUtils.IO;

namespace ImageUtils.Formats.Vhdx;

/// <summary>A file with the changes of its log laid over it.</summary>
/// <param name="inner">The file, which is not changed.</param>
/// <param name="length">How long it is once the log has been replayed; what it lacks reads as zeros.</param>
internal sealed class ReplayedSource(IByteSource inner, long length) : IByteSource
{
    private const int SectorSize = VhdxLogEntry.SectorSize;

    private readonly Dictionary<long, byte[]> _sectors = [];
    private readonly SortedSet<long> _order = [];
    private readonly List<(long Start, long End)> _zeros = [];
    private long _length = length;

    /// <summary>Changes a sector, after all changes so far.</summary>
    internal void Put(long offset, byte[] sector)
    {
        _sectors[offset] = sector;
        _order.Add(offset);
        _length = Math.Max(_length, offset + SectorSize);
    }

    /// <summary>Changes whole sectors to zeros, after all changes so far.</summary>
    internal void Clear(long offset, long length)
    {
        if (length <= 0)
        {
            return;
        }

        foreach (var sector in _order.GetViewBetween(offset, offset + length - 1).ToArray())
        {
            _sectors.Remove(sector);
            _order.Remove(sector);
        }

        _zeros.Add((offset, offset + length));
        _length = Math.Max(_length, offset + length);
    }

    /// <summary>Says that there are no more changes: ranges that touch become one, for reads to find them soon.</summary>
    internal void Seal()
    {
        _zeros.Sort();
        var count = 0;
        var zeros = CollectionsMarshal.AsSpan(_zeros);
        foreach (var range in zeros)
        {
            if (count > 0 && range.Start <= zeros[count - 1].End)
            {
                zeros[count - 1].End = Math.Max(zeros[count - 1].End, range.End);
            }
            else
            {
                // What is written over has been read.
                zeros[count++] = range;
            }
        }

        _zeros.RemoveRange(count, _zeros.Count - count);
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
        for (var index = FirstZeros(offset); index < _zeros.Count && _zeros[index].Start < end; index++)
        {
            var start = Math.Max(_zeros[index].Start, offset);
            buffer.Span[(int)(start - offset)..(int)(Math.Min(_zeros[index].End, end) - offset)].Clear();
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

    // The first range that ends behind an offset.
    private int FirstZeros(long offset)
    {
        var (low, high) = (0, _zeros.Count);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _zeros[middle].End <= offset ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var tail = (int)Math.Min(buffer.Length, _length);
        return ReadAsync(_length - tail, buffer[..tail], cancellationToken);
    }

    public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) => ValueTask.FromResult(_length);
}
