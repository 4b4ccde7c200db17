using System.Runtime.CompilerServices;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Mapping;

/// <summary>Shows where the guest's disk lives in an image and all that it is based on.</summary>
public static class DiskImageMap
{
    /// <summary>
    /// Walks the extents of a disk, ascending and without gaps. None is kept: the disk may have any number of them.
    /// </summary>
    /// <param name="image">The image.</param>
    /// <param name="start">Where on the guest's disk to begin, in bytes.</param>
    /// <param name="length">How much of it, in bytes; null: to its end.</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    /// <exception cref="ImageOptionException"><paramref name="start"/> lies beyond the disk.</exception>
    /// <exception cref="ImageFormatException">A table is malformed.</exception>
    public static IAsyncEnumerable<DiskImageExtent> WalkAsync(
        OpenedImage image, long start = 0, long? length = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(image);
        return WalkCoreAsync(image, start, ClipLength(image, start, length), cancellationToken);
    }

    /// <summary>How much of a range lies on the disk, in bytes.</summary>
    /// <inheritdoc cref="WalkAsync"/>
    public static long ClipLength(OpenedImage image, long start, long? length)
    {
        ArgumentNullException.ThrowIfNull(image);
        var size = image.Map.VirtualSize;
        return start >= 0 && start <= size
            ? Math.Min(length ?? long.MaxValue, size - start)
            : throw new ImageOptionException(
                "Start", $"'{image.Path}' has a disk of {size} bytes, which has no byte {start}. Start within it.");
    }

    private static async IAsyncEnumerable<DiskImageExtent> WalkCoreAsync(
        OpenedImage image, long start, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        DiskImageExtent? pending = null;
        await foreach (var extent in image.Map.GetExtentsAsync(start, length, cancellationToken).ConfigureAwait(false))
        {
            var next = ToExtent(image, extent);
            if (pending is not null && !pending.IsContinuedBy(next))
            {
                yield return pending;
                pending = null;
            }

            pending = pending is null ? next : pending.With(next);
        }

        if (pending is not null)
        {
            yield return pending;
        }
    }

    private static DiskImageExtent ToExtent(OpenedImage image, in Extent extent) => new()
    {
        Path = image.Path,
        Start = extent.GuestOffset,
        Length = extent.Length,
        Kind = extent.Kind switch
        {
            ExtentKind.Stored => DiskExtentKind.Data,
            ExtentKind.Compressed => DiskExtentKind.Compressed,
            ExtentKind.Zero => DiskExtentKind.Zero,
            _ => DiskExtentKind.Hole,
        },
        File = extent.IsEmpty ? null : (extent.Source as FileByteSource)?.Path ?? image.Path,
        HostOffset = extent.IsEmpty ? null : extent.HostOffset,
        HostLength = extent.Kind switch
        {
            ExtentKind.Stored => extent.Length,
            ExtentKind.Compressed => extent.HostLength,
            _ => null,
        },
        Depth = image.DepthOf(extent.Source),
    };
}
