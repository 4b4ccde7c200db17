namespace ImageUtils.Mapping;

/// <summary>
/// Says where each byte of a guest's disk lives, without moving any. Tables are read as they are needed and a bounded
/// number is kept, so that a map takes little memory however large the disk is.
/// </summary>
/// <remarks>A map is walked by one caller at a time; what it yields may be read by many.</remarks>
public abstract class ImageMap
{
    /// <summary>The disk's size in bytes.</summary>
    public abstract long VirtualSize { get; }

    /// <summary>
    /// The extents of a range of the disk: ascending, without gaps, clipped to the range; neighbours that continue
    /// each other are one where that is cheap to see.
    /// </summary>
    /// <param name="guestOffset">Where to begin, in bytes.</param>
    /// <param name="length">How much, in bytes; the range ends at <see cref="VirtualSize"/> at the latest.</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    /// <exception cref="Errors.ImageFormatException">A table is malformed, or points outside the file.</exception>
    public abstract IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, CancellationToken cancellationToken);

    /// <summary>The extents of the whole disk.</summary>
    public IAsyncEnumerable<Extent> GetExtentsAsync(CancellationToken cancellationToken) =>
        GetExtentsAsync(0, VirtualSize, cancellationToken);
}
