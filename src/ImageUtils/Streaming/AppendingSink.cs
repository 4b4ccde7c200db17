using ImageUtils.IO;

namespace ImageUtils.Streaming;

/// <summary>
/// Where a writer writes that writes in ascending order: what comes goes out at once, and zeros between.
/// </summary>
/// <param name="line">Where it goes out.</param>
internal sealed class AppendingSink(SendLine line) : IByteSink
{
    /// <inheritdoc/>
    public bool IsZeroed => true;

    /// <inheritdoc/>
    public long? Capacity => null;

    /// <summary>The file's length, as far as it is known, in bytes.</summary>
    internal long Length { get; private set; }

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The place has gone out already.</exception>
    public async ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (offset < line.Position)
        {
            throw new InvalidOperationException(
                $"The writer goes back to host offset {offset}, but {line.Position} bytes have gone out already.");
        }

        await line.AddZeroesAsync(offset - line.Position, cancellationToken).ConfigureAwait(false);
        await line.AddBytesAsync(data, cancellationToken).ConfigureAwait(false);
        Length = Math.Max(Length, offset + data.Length);
    }

    /// <inheritdoc/>
    public ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken) =>
        Grow(offset + length);

    /// <inheritdoc/>
    public ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken) =>
        Grow(offset + length);

    /// <inheritdoc/>
    public ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken) => Grow(offset + length);

    /// <inheritdoc/>
    public ValueTask SetLengthAsync(long length, CancellationToken cancellationToken) => Grow(length);

    /// <inheritdoc/>
    public ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken) =>
        ValueTask.FromResult(false);

    /// <inheritdoc/>
    public ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    private ValueTask Grow(long length)
    {
        Length = Math.Max(Length, length);
        return ValueTask.CompletedTask;
    }
}
