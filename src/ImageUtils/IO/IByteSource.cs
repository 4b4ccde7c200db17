namespace ImageUtils.IO;

/// <summary>
/// Bytes that can be read: a file, a forward-only stream, a range of a remote object, or a decrypted view of another
/// source. A source is safe to read from several places at once unless it says otherwise.
/// </summary>
public interface IByteSource
{
    /// <summary>Reads from <paramref name="offset"/> on until the buffer is full or the data ends.</summary>
    /// <param name="offset">Where to begin, in bytes from the start of the source.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    /// <returns>How many bytes were read; fewer than asked for only at the end of the data.</returns>
    ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>Reads the last bytes of the source: as many as fit the buffer, or all there are.</summary>
    /// <returns>How many bytes were read. They end at the end of the data and begin at the buffer's start.</returns>
    ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken);

    /// <summary>The source's length in bytes. A forward-only source knows it only once it has passed.</summary>
    ValueTask<long> GetLengthAsync(CancellationToken cancellationToken);
}
