using ImageUtils.IO;

namespace ImageUtils.Tests.Formats.Qcow2;

/// <summary>A target in memory: a new file, or a used device full of old bytes; it can fail at a chosen call.</summary>
internal sealed class MemorySink(bool isZeroed = true, int failAt = int.MaxValue) : IByteSink
{
    public const byte OldByte = 0xFF;

    private byte[] _bytes = [];
    private int _calls;

    /// <summary>What a reader finds.</summary>
    public byte[] Bytes => _bytes[..Length];

    public int Length { get; private set; }

    /// <summary>How many calls changed something.</summary>
    public int Calls => _calls;

    public bool IsZeroed => isZeroed;

    public long? Capacity => null;

    public MemorySink Copy() => new(isZeroed) { _bytes = (byte[])_bytes.Clone(), Length = Length };

    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        data.Span.CopyTo(Reach(offset, data.Length));
        return ValueTask.CompletedTask;
    }

    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Reach(offset, length).Clear();
        return ValueTask.CompletedTask;
    }

    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Reach(offset, length);
        return ValueTask.CompletedTask;
    }

    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) =>
        WriteZeroesAsync(offset, length, cancellationToken);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        Reach(0, length);
        Length = (int)length;
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    public ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    private Span<byte> Reach(long offset, long length)
    {
        if (_calls++ >= failAt)
        {
            throw new IOException("The medium fails, as it was told to.");
        }

        var end = checked((int)(offset + length));
        if (end > _bytes.Length)
        {
            var before = _bytes.Length;
            Array.Resize(ref _bytes, Math.Max(end, before * 2));
            _bytes.AsSpan(before).Fill(isZeroed ? (byte)0 : OldByte);
        }

        Length = Math.Max(Length, end);
        return _bytes.AsSpan((int)offset, (int)length);
    }
}
