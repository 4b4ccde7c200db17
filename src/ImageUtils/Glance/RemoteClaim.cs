using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Glance;

/// <summary>What Glance says that an image is, held against what it is.</summary>
internal static class RemoteClaim
{
    private const string Active = "active";
    private const string Compressed = "compressed";

    /// <summary>Whether the data is an image that was compressed as a whole.</summary>
    internal static bool IsCompressed(GlanceImage image) =>
        string.Equals(image.ContainerFormat, Compressed, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether the data is in something else than the disk format's own file.</summary>
    internal static bool IsWrapped(GlanceImage image) =>
        IsCompressed(image) || XenServer.XenServerImage.IsXenServerImage(image.DiskFormat, image.ContainerFormat);

    /// <summary>The format that the data itself is claimed to have; unknown where that is nobody's claim.</summary>
    /// <exception cref="ImageUnacceptableException">Nobody knows the disk format.</exception>
    internal static ImageFormat FormatOf(GlanceImage image) =>
        IsCompressed(image) ? ImageFormat.Gzip
        : IsWrapped(image) ? ImageFormat.Unknown
        : DiskFormatOf(image);

    /// <summary>
    /// The format that the data is held against where it is only looked at: the wrapper's, where one is named that is a
    /// format; unknown where nothing is said, or the data is an archive by agreement of few.
    /// </summary>
    /// <exception cref="ImageUnacceptableException">Nobody knows the disk format.</exception>
    internal static ImageFormat DataFormatOf(GlanceImage image) => image switch
    {
        { ContainerFormat: { } container } when container.Equals("ova", StringComparison.OrdinalIgnoreCase) =>
            ImageFormat.Ova,
        _ when IsCompressed(image) => ImageFormat.Gzip,
        { DiskFormat: null or "" } => ImageFormat.Unknown,
        _ => FormatOf(image),
    };

    /// <summary>The format that the disk is claimed to have, be it wrapped or not.</summary>
    /// <exception cref="ImageUnacceptableException">Nobody knows it.</exception>
    internal static ImageFormat DiskFormatOf(GlanceImage image) => image.DiskFormat switch
    {
        null or "" => throw new ImageUnacceptableException(
            image.Id, "It has no disk_format. Set the one that it has (Set-GlanceImage)."),
        { } name => ImageFormatNames.TryParse(name, out var format) && format != ImageFormat.Unknown
            ? format
            : throw new ImageUnacceptableException(
                image.Id, $"Its disk_format is '{Printable.Text(name)}', which is not known here."),
    };

    /// <summary>What the inspection of the data itself is told.</summary>
    internal static InspectionOptions InspectionOf(GlanceImage image, InspectionOptions given) => given with
    {
        Path = image.Id,

        // How large a wrapped disk is, is seen once it is unpacked, and held against the limits then.
        Policy = IsWrapped(image)
            ? given.Policy with { MaximumVirtualSize = null, MaximumExpansionRatio = null }
            : given.Policy,
    };

    /// <exception cref="ImageUnacceptableException">It cannot be downloaded.</exception>
    internal static void ThrowIfNotActive(GlanceImage image)
    {
        if (image.Status != Active)
        {
            throw new ImageUnacceptableException(
                image.Id, $"Its status is {Printable.Text(image.Status)}; only what is active can be downloaded.");
        }
    }

    /// <summary>Refuses what failed a check, and what is not what it is said to be.</summary>
    /// <exception cref="ImageUnacceptableException">It is that.</exception>
    internal static void ThrowIfRefused(GlanceImage image, ImageFormat claimed, ImageInspection found)
    {
        if (found.Failures.Any())
        {
            throw new ImageUnacceptableException(
                image.Id, string.Join(" ", found.Failures.Select(failure => $"{failure.Name}: {failure.Message}")));
        }

        if (claimed != ImageFormat.Unknown && !claimed.Accepts(found.Format))
        {
            throw new ImageUnacceptableException(
                image.Id,
                $"Glance says that it is {claimed.ToName()}, but it is {found.Format.ToName()}. Have its disk_format set right, if "
                + "you trust whoever made it.");
        }
    }
}
