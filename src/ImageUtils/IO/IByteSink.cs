namespace ImageUtils.IO;

/// <summary>Where an image's bytes go: a file, a block device, or nowhere but a count of them.</summary>
public interface IByteSink
{
    /// <summary>Whether bytes that were never written read as zero: a new file, not a used device.</summary>
    bool IsZeroed { get; }

    /// <summary>The most bytes that it holds; null where nothing but its file system limits it.</summary>
    long? Capacity { get; }

    /// <summary>Writes all of the bytes at an offset.</summary>
    /// <exception cref="Errors.ImageWriteException">The medium is full or failing.</exception>
    ValueTask WriteAsync(long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Makes a range read as zeros, in the cheapest way that is certain.</summary>
    ValueTask WriteZeroesAsync(long offset, long length, CancellationToken cancellationToken);

    /// <summary>Reserves space for a range that has not been written; its content stays zeros.</summary>
    ValueTask AllocateAsync(long offset, long length, CancellationToken cancellationToken);

    /// <summary>Writes zeros, block by block, so that the space is taken up and known to work.</summary>
    ValueTask FillAsync(long offset, long length, CancellationToken cancellationToken);

    /// <summary>
    /// Sets the length: a file grows by zeros or is cut, a device is seen to be large enough.
    /// </summary>
    ValueTask SetLengthAsync(long length, CancellationToken cancellationToken);

    /// <summary>
    /// Shares a range's blocks with another file (reflink) instead of copying it.
    /// </summary>
    /// <returns>False, with nothing changed, where the file systems do not do that for these offsets.</returns>
    ValueTask<bool> TryCloneAsync(
        IByteSource source, long sourceOffset, long offset, long length, CancellationToken cancellationToken);

    /// <summary>Returns once everything written is on the disk.</summary>
    ValueTask FlushAsync(CancellationToken cancellationToken);
}
