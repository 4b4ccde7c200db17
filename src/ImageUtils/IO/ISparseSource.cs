namespace ImageUtils.IO;

/// <summary>A source that knows where it has holes, which read as zeros.</summary>
public interface ISparseSource : IByteSource
{
    /// <summary>Finds the next range that may hold data.</summary>
    /// <param name="offset">Where to look from, in bytes.</param>
    /// <param name="end">Where to stop looking.</param>
    /// <returns>
    /// The range, within what was asked; empty at <paramref name="end"/> where only holes are left. A source that
    /// does not know says that all is data.
    /// </returns>
    (long Start, long End) FindData(long offset, long end);
}
