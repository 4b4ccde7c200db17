using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Tests.Support;

/// <summary>Has room for a number of writes only.</summary>
/// <param name="inner">What the writes go to.</param>
/// <param name="fullAt">The write, from 1, that finds no room any more.</param>
/// <param name="onWrite">Is called at each write.</param>
internal sealed class FullSink(IByteSink inner, int fullAt, Action? onWrite = null) : IByteSink
{
    private int _writes;

    public bool IsZeroed => inner.IsZeroed;

    public long? Capacity => inner.Capacity;

    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        onWrite?.Invoke();
        return Interlocked.Increment(ref _writes) >= fullAt
            ? throw new ImageWriteException(ImageWriteProblem.NoSpace, "x", "The file system is full.")
            : inner.WriteAsync(offset, data, cancellationToken);
    }

    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken) =>
        inner.WriteZeroesAsync(offset, length, cancellationToken);

    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken) =>
        inner.AllocateAsync(offset, length, cancellationToken);

    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) =>
        inner.FillAsync(offset, length, cancellationToken);

    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) =>
        inner.SetLengthAsync(length, cancellationToken);

    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
        inner.TryCloneAsync(source, sourceOffset, offset, length, cancellationToken);

    public ValueTask FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);
}
