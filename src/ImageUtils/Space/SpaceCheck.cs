using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.Space;

/// <summary>Room that something takes.</summary>
/// <param name="Kind">What for.</param>
/// <param name="Path">A directory, a file that is there or will be in a directory that is, or a block device.</param>
/// <param name="RequiredBytes">How much.</param>
/// <param name="PlannedBytes">How much more is to be written on the same file system before it.</param>
public sealed record SpaceRequirement(SpaceKind Kind, string Path, long RequiredBytes, long PlannedBytes = 0);

/// <summary>Compares the room that there is with the room that is needed.</summary>
public static class SpaceCheck
{
    internal const string BlockDevice = "block device";

    private const long BytesPerGiB = 1L << 30;

    /// <summary>
    /// Looks at each place. What goes to the same file system adds up, under whatever names it is mounted.
    /// </summary>
    /// <returns>One report for each requirement, in the same order.</returns>
    /// <exception cref="ImageFileException">There is no such directory, or it can hold no image.</exception>
    public static IReadOnlyList<ImageSpaceReport> Check(params IReadOnlyList<SpaceRequirement> requirements)
    {
        ArgumentNullException.ThrowIfNull(requirements);
        var places = requirements.Select(requirement => StoragePlace.Find(requirement.Path)).ToList();
        return [.. requirements.Zip(places, (requirement, place) =>
        {
            ArgumentOutOfRangeException.ThrowIfNegative(requirement.RequiredBytes);
            ArgumentOutOfRangeException.ThrowIfNegative(requirement.PlannedBytes);
            var total = requirements.Zip(places).Where(pair => pair.Second.Identity == place.Identity).Aggregate(
                0L, (sum, pair) => Add(Add(sum, pair.First.RequiredBytes), pair.First.PlannedBytes));
            return ToReport(requirement, place, total);
        })];
    }

    /// <summary>Looks at each place, as <see cref="Check"/> does.</summary>
    /// <exception cref="InsufficientSpaceException">There is not enough room.</exception>
    /// <exception cref="ImageFileException">There is no such directory, or it can hold no image.</exception>
    public static void ThrowIfShort(params IReadOnlyList<SpaceRequirement> requirements)
    {
        var reports = Check(requirements);
        if (reports.Any(report => !report.IsEnough))
        {
            throw new InsufficientSpaceException(reports);
        }
    }

    /// <summary>
    /// Compares an image with a volume as Cinder does (<c>check_virtual_size</c>): the virtual size is rounded up to
    /// whole GiB, and must not be more than the volume's.
    /// </summary>
    /// <param name="virtualSize">The image's virtual size, in bytes.</param>
    /// <param name="volumeSizeGiB">The volume's size, in GiB.</param>
    /// <param name="image">The image, for messages.</param>
    public static ImageSpaceReport CheckVolume(long virtualSize, long volumeSizeGiB, string? image = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(virtualSize);
        ArgumentOutOfRangeException.ThrowIfNegative(volumeSizeGiB);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(volumeSizeGiB, long.MaxValue / BytesPerGiB);
        var neededGiB = RoundUpToGiB(virtualSize);
        var isEnough = neededGiB <= volumeSizeGiB;
        return new ImageSpaceReport
        {
            Image = image,
            Kind = SpaceKind.Volume,
            AvailableBytes = volumeSizeGiB * BytesPerGiB,
            RequiredBytes = virtualSize,
            TotalRequiredBytes = virtualSize,
            IsEnough = isEnough,
            Message = isEnough
                ? ""
                : $"{(image is null ? "The image" : $"'{Printable.Text(image)}'")} has a virtual size of {virtualSize} "
                + $"bytes, for which a volume must have {neededGiB} GiB; it has {volumeSizeGiB} GiB.",
        };
    }

    /// <summary>Compares an image with a volume, as <see cref="CheckVolume"/> does.</summary>
    /// <returns>The least size, in GiB, of a volume that holds the image.</returns>
    /// <exception cref="ImageTooLargeForVolumeException">The volume is too small.</exception>
    public static long ThrowIfTooLargeForVolume(long virtualSize, long volumeSizeGiB, string? image = null)
    {
        var report = CheckVolume(virtualSize, volumeSizeGiB, image);
        return report.IsEnough ? RoundUpToGiB(virtualSize) : throw new ImageTooLargeForVolumeException(report);
    }

    /// <summary>
    /// The room that a conversion of an image takes at most, where no plan says it exactly: all of its virtual size, as
    /// Cinder reckons. A planned conversion asks its plan instead.
    /// </summary>
    /// <param name="path">The image, for messages.</param>
    /// <param name="inspection">What was found in it.</param>
    /// <exception cref="VirtualSizeUnknownException">The image does not say its virtual size.</exception>
    public static long GetRequiredBytes(string path, ImageInspection inspection)
    {
        ArgumentNullException.ThrowIfNull(inspection);
        return inspection.VirtualSize ?? throw new VirtualSizeUnknownException(path, inspection.Format);
    }

    /// <summary>
    /// The room that a planned conversion takes: on a block device the image's length, on a file system what is not holes.
    /// </summary>
    /// <param name="plan">The plan.</param>
    /// <param name="destination">Where to; null where that is not known yet.</param>
    public static long GetRequiredBytes(ImageMeasurement plan, string? destination)
    {
        ArgumentNullException.ThrowIfNull(plan);
        return destination is not null && Destination.IsBlockDevice(destination) ? plan.RequiredBytes : plan.DataBytes;
    }

    /// <summary>Whether an error on writing means that the file system, or the user's share of it, is full.</summary>
    public static bool IsNoSpace(IOException exception)
    {
        ArgumentNullException.ThrowIfNull(exception);

        // Unix: ENOSPC, and EDQUOT of Linux. Windows: ERROR_DISK_FULL and ERROR_HANDLE_DISK_FULL.
        return OperatingSystem.IsWindows()
            ? exception.HResult is unchecked((int)0x80070070) or unchecked((int)0x80070027)
            : exception.HResult is 28 or 122;
    }

    /// <summary>The error for a write that found no space left; it names the file system.</summary>
    /// <param name="path">What was written.</param>
    /// <param name="requiredBytes">How many bytes of it there should have been.</param>
    /// <param name="exception">What the operating system said.</param>
    public static InsufficientSpaceException ToNoSpace(string path, long requiredBytes, IOException exception) =>
        new(Check(new SpaceRequirement(SpaceKind.Destination, path, requiredBytes))[0], exception);

    private static ImageSpaceReport ToReport(SpaceRequirement requirement, StoragePlace place, long total)
    {
        var isEnough = place.IsBlockDevice ? total <= place.AvailableBytes : total == 0 || total < place.AvailableBytes;
        var report = new ImageSpaceReport
        {
            Kind = requirement.Kind,
            Directory = place.Path,
            FileSystem = place.FileSystem,
            MountPoint = place.MountPoint,
            Device = place.Device,
            AvailableBytes = place.AvailableBytes,
            RequiredBytes = requirement.RequiredBytes,
            TotalRequiredBytes = total,
            IsEnough = isEnough,
        };
        return isEnough ? report : report with
        {
            Message = $"'{Printable.Text(place.Path)}' is on {report.FileSystemText} with {place.AvailableBytes} bytes "
                + $"({ByteSize.ToText(place.AvailableBytes)}) available; {total} bytes ({ByteSize.ToText(total)}) "
                + (total == requirement.RequiredBytes ? "are needed." : "are needed there altogether."),
        };
    }

    private static long RoundUpToGiB(long bytes) => (bytes / BytesPerGiB) + (bytes % BytesPerGiB == 0 ? 0 : 1);

    // Nothing has room for what does not fit in 63 bits.
    private static long Add(long left, long right) => left > long.MaxValue - right ? long.MaxValue : left + right;
}
