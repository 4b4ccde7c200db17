namespace ImageUtils.VhdChains;

/// <summary>
/// A disk that the data of its children is written into, in place. As long as the children are there they hide what is
/// written; what they do not hide reads as before at every moment, whatever was flushed and whatever was not.
/// </summary>
internal interface IMergeTarget : IDisposable
{
    /// <summary>The disk's size in bytes.</summary>
    long VirtualSize { get; }

    /// <summary>Whether zeros must be written where nothing was yet: something else would show through.</summary>
    bool NeedsZeros { get; }

    /// <summary>
    /// Makes ready for a larger disk. It may be larger at once, by zeros, where it has no parent; else it is once it is
    /// finished, because its parent could show through before zeros are written.
    /// </summary>
    ValueTask PrepareGrowthAsync(long size, CancellationToken cancellationToken);

    /// <summary>Makes the disk smaller; what is behind its new end is gone. All that was written has been flushed.</summary>
    ValueTask ShrinkAsync(long size, CancellationToken cancellationToken);

    /// <summary>Makes room, before anything is written, for all ranges that will be.</summary>
    /// <param name="ranges">Guest ranges, ascending: where each begins and ends.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    ValueTask ReserveAsync(IAsyncEnumerable<(long Start, long End)> ranges, CancellationToken cancellationToken);

    /// <summary>Writes data; ascending, whole sectors but at the disk's end.</summary>
    ValueTask WriteAsync(long guestOffset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken);

    /// <summary>Has a range read as zeros; ascending with the data.</summary>
    ValueTask WriteZeroesAsync(long guestOffset, long length, CancellationToken cancellationToken);

    /// <summary>Returns once everything is on the disk, and the image is valid by all its structures.</summary>
    ValueTask FinishAsync(CancellationToken cancellationToken);
}
