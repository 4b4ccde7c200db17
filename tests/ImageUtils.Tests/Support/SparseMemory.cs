using ImageUtils.IO;

namespace ImageUtils.Tests.Support;

/// <summary>
/// A file in memory that takes up only what was written, however long it is. Can be full of old data, as a device is,
/// and can fail.
/// </summary>
internal sealed class SparseMemory(byte oldData = 0) : IByteSink, ISparseSource
{
    private const int PageSize = 1 << 16;
    private const long EndOfOldData = 1L << 46;

    private readonly SortedDictionary<long, byte[]> _pages = [];

    public long Length { get; private set; } = oldData == 0 ? 0 : EndOfOldData;

    public bool IsZeroed => oldData == 0;

    public long? Capacity { get; init; }

    /// <summary>Whether only the length is kept, as by a dry run.</summary>
    public bool ForgetsData { get; init; }

    /// <summary>How many calls that change the file succeed before all fail.</summary>
    public int CallsUntilFault { get; set; } = int.MaxValue;

    public int Calls { get; private set; }

    /// <summary>Every write, in order.</summary>
    public List<(long Offset, int Length)> Writes { get; } = [];

    public static SparseMemory Of(byte[] bytes)
    {
        var memory = new SparseMemory();
        memory.Put(0, bytes);
        return memory;
    }

    public void Put(long offset, ReadOnlySpan<byte> data)
    {
        Length = Math.Max(Length, offset + data.Length);
        while (data.Length > 0 && !ForgetsData)
        {
            var (page, within) = (offset / PageSize, (int)(offset % PageSize));
            var count = Math.Min(PageSize - within, data.Length);
            data[..count].CopyTo(PageAt(page).AsSpan(within));
            offset += count;
            data = data[count..];
        }
    }

    public byte[] Get(long offset, int length)
    {
        var bytes = new byte[length];
        Assert.Equal(length, ReadAsync(offset, bytes, default).AsTask().GetAwaiter().GetResult());
        return bytes;
    }

    /// <summary>All of a file that is not long.</summary>
    public byte[] ToArray() => Get(0, checked((int)Length));

    /// <summary>Two files that are alike, byte for byte.</summary>
    public void AssertSame(SparseMemory other)
    {
        Assert.Equal(Length, other.Length);
        foreach (var page in _pages.Keys.Union(other._pages.Keys))
        {
            var length = (int)Math.Min(PageSize, Length - page * PageSize);
            Assert.True(
                length <= 0 || Get(page * PageSize, length).AsSpan().SequenceEqual(other.Get(page * PageSize, length)),
                $"The files differ at {page * PageSize}.");
        }
    }

    public SparseMemory Copy()
    {
        var copy = new SparseMemory(oldData) { Capacity = Capacity, Length = Length };
        foreach (var (page, bytes) in _pages)
        {
            copy._pages[page] = (byte[])bytes.Clone();
        }

        return copy;
    }

    public void Save(string path)
    {
        using var file = File.Create(path);
        foreach (var (page, bytes) in _pages)
        {
            file.Position = page * PageSize;
            file.Write(bytes, 0, (int)Math.Clamp(Length - page * PageSize, 0, PageSize));
        }

        file.SetLength(Length);
    }

    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var total = (int)Math.Clamp(Length - offset, 0, buffer.Length);
        for (var done = 0; done < total;)
        {
            var (page, within) = ((offset + done) / PageSize, (int)((offset + done) % PageSize));
            var count = Math.Min(PageSize - within, total - done);
            var target = buffer.Span.Slice(done, count);
            if (_pages.TryGetValue(page, out var bytes))
            {
                bytes.AsSpan(within, count).CopyTo(target);
            }
            else
            {
                target.Fill(oldData);
            }

            done += count;
        }

        return ValueTask.FromResult(total);
    }

    public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var length = (int)Math.Min(buffer.Length, Length);
        return ReadAsync(Length - length, buffer[..length], cancellationToken);
    }

    public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) => ValueTask.FromResult(Length);

    public (long Start, long End) FindData(long offset, long end)
    {
        if (oldData != 0)
        {
            return (offset, end);
        }

        foreach (var page in _pages.Keys.Where(page => (page + 1) * PageSize > offset && page * PageSize < end))
        {
            return (Math.Max(offset, page * PageSize), Math.Min(end, (page + 1) * PageSize));
        }

        return (end, end);
    }

    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        Count();
        if (!ForgetsData)
        {
            Writes.Add((offset, data.Length));
        }

        Put(offset, data.Span);
        return ValueTask.CompletedTask;
    }

    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Count();
        for (var done = 0L; done < length;)
        {
            var count = (int)Math.Min(length - done, PageSize - (offset + done) % PageSize);
            if (IsZeroed && !_pages.ContainsKey((offset + done) / PageSize))
            {
                Length = Math.Max(Length, offset + done + count);
            }
            else
            {
                Put(offset + done, new byte[count]);
            }

            done += count;
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Count();
        Length = Math.Max(Length, offset + length);
        return ValueTask.CompletedTask;
    }

    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) =>
        WriteZeroesAsync(offset, length, cancellationToken);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        Count();
        Assert.True(Capacity is null || length <= Capacity, "The device is too small.");
        Length = length;
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    public ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    private void Count()
    {
        if (Calls++ >= CallsUntilFault)
        {
            throw new IOException("A fault was asked for.");
        }
    }

    private byte[] PageAt(long page)
    {
        if (!_pages.TryGetValue(page, out var bytes))
        {
            bytes = new byte[PageSize];
            bytes.AsSpan().Fill(oldData);
            _pages.Add(page, bytes);
        }

        return bytes;
    }
}
