using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Tests.Support;

/// <summary>
/// A file in memory to write to: new, or a used device full of garbage; one that only counts; one that fails.
/// </summary>
internal sealed class ScratchSink : IByteSink
{
    private byte[] _bytes = [];
    private readonly bool _isCounting;
    private readonly int? _failAt;

    public ScratchSink(int? garbageLength = null, bool isCounting = false, int? failAt = null)
    {
        _isCounting = isCounting;
        _failAt = failAt;
        IsZeroed = garbageLength is null;
        if (garbageLength is { } length)
        {
            _bytes = new byte[length];
            _bytes.AsSpan().Fill(0xFF);
        }
    }

    public bool IsZeroed { get; }

    public long? Capacity => null;

    public long Length { get; private set; }

    public int Writes { get; private set; }

    public List<(long Offset, int Length)> Log { get; } = [];

    public byte[] ToArray() => _bytes.AsSpan(0, (int)Length).ToArray();

    /// <summary>All that there is, also behind the image's end on a device.</summary>
    public byte[] ToWholeArray() => IsZeroed ? ToArray() : (byte[])_bytes.Clone();

    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        Count();
        Log.Add((offset, data.Length));
        Grow(offset + data.Length);
        if (!_isCounting)
        {
            data.Span.CopyTo(_bytes.AsSpan((int)offset));
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken)
    {
        Count();
        Grow(offset + length);
        if (!_isCounting)
        {
            _bytes.AsSpan((int)offset, (int)length).Clear();
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken) =>
        WriteZeroesAsync(offset, length, cancellationToken);

    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) =>
        WriteZeroesAsync(offset, length, cancellationToken);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        Count();
        Grow(length);
        Length = length;
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    public ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    private void Count()
    {
        if (Writes++ == _failAt)
        {
            throw new ImageWriteException(ImageWriteProblem.NoSpace, "scratch", "It is full.");
        }
    }

    private void Grow(long length)
    {
        Length = Math.Max(Length, length);
        if (!_isCounting && length > _bytes.Length)
        {
            Array.Resize(ref _bytes, (int)Math.Max(length, _bytes.Length * 2L));
        }
    }
}
