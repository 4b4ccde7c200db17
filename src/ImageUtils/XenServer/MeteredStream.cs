namespace ImageUtils.XenServer;

/// <summary>
/// Reads a stream from front to back, and no further than was allowed last: a reader of archives that takes an entry's
/// extended header into memory, whatever length that states, is stopped.
/// </summary>
/// <param name="inner">What is read; it is left open.</param>
/// <param name="exceeded">Makes the exception that is thrown when more is read.</param>
internal sealed class MeteredStream(Stream inner, Func<Exception> exceeded) : Stream
{
    private long _left;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Allows so many bytes from here on.</summary>
    internal void Allow(long bytes) => _left = bytes;

    public override async ValueTask<int> ReadAsync(
        Memory<byte> buffer, CancellationToken cancellationToken = default) =>
        Count(await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => Count(inner.Read(buffer, offset, count));

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    private int Count(int read)
    {
        _left -= read;
        return _left >= 0 ? read : throw exceeded();
    }
}
