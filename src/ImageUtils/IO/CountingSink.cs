namespace ImageUtils.IO;

/// <summary>Keeps nothing but the length that a file would have: a dry run.</summary>
/// <param name="isZeroed">Whether it behaves as a new file; else as a used device.</param>
public sealed class CountingSink(bool isZeroed = true) : IByteSink
{
    /// <summary>The length that the file would have, in bytes.</summary>
    public long Length { get; private set; }

    /// <summary>How many bytes would be written or reserved; the rest of the length is holes.</summary>
    public long BytesWritten { get; private set; }

    /// <inheritdoc/>
    public bool IsZeroed => isZeroed;

    /// <inheritdoc/>
    public long? Capacity => null;

    /// <inheritdoc/>
    public ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        CountAsync(offset, data.Length, cancellationToken);

    /// <inheritdoc/>
    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken) =>
        CountAsync(offset, length, cancellationToken);

    /// <inheritdoc/>
    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken) =>
        CountAsync(offset, length, cancellationToken);

    /// <inheritdoc/>
    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) =>
        CountAsync(offset, length, cancellationToken);

    /// <inheritdoc/>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken)
    {
        Length = length;
        return ValueTask.CompletedTask;
    }

    /// <inheritdoc/>
    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    private ValueTask CountAsync(long offset, long length, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        BytesWritten += length;
        Length = Math.Max(Length, offset + length);
        return ValueTask.CompletedTask;
    }
}
