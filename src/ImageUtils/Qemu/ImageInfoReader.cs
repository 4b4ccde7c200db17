using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>Describes images as <c>qemu-img info</c> does, natively or with qemu-img.</summary>
/// <param name="options">How.</param>
public sealed class ImageInfoReader(ImageInfoOptions options)
{
    private QemuImg? _qemuImg;

    /// <summary>Describes one image. The native engine describes unsafe images as well, and names what failed.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFileException">The file cannot be read.</exception>
    /// <exception cref="ImageFormatMismatchException">It is not of the format that the options demand.</exception>
    /// <exception cref="ImageFormatException">It is too malformed to be described.</exception>
    /// <exception cref="ImageUnsafeException">It, or one below it, is unsafe, and was to be handed to qemu-img or followed.</exception>
    /// <exception cref="QemuImgNotFoundException">qemu-img was asked for and is not installed.</exception>
    public async Task<QemuImageInfo> ReadAsync(string path, CancellationToken cancellationToken = default)
    {
        var knownRaw = options.Format == ImageFormat.Raw;
        if (options.Engine != InfoEngineChoice.Qemu && !options.BackingChain)
        {
            var inspection = await ImageInspector
                .InspectFileAsync(path, options.Inspection, knownRaw, cancellationToken).ConfigureAwait(false);
            return Describe(path, inspection);
        }

        var image = options.BackingChain
            ? await VettedImage.VetChainAsync(path, options.Inspection, knownRaw, cancellationToken).ConfigureAwait(false)
            : await VettedImage.VetAsync(path, options.Inspection, knownRaw, cancellationToken).ConfigureAwait(false);
        ThrowIfMismatched(path, image.Inspection);
        if (options.Engine != InfoEngineChoice.Qemu)
        {
            return QemuImageInfo.FromInspection(path, image.Inspection) with
            {
                BackingChain = [.. image.BackingChain!.Select(
                    below => QemuImageInfo.FromInspection(below.Path, below.Inspection))],
            };
        }

        _qemuImg ??= QemuImg.Find();
        return await _qemuImg.InfoAsync(
            image,
            new QemuInfoOptions
            {
                ForceShare = options.ForceShare,
                BackingChain = options.BackingChain,
                Limits = options.Limits,
            },
            cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Describes an image that somebody else has inspected natively, such as one on another machine.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="inspection">What was found.</param>
    /// <exception cref="ImageFormatMismatchException">It is not of the format that the options demand.</exception>
    /// <exception cref="ImageFormatException">It is too malformed to be described.</exception>
    public QemuImageInfo Describe(string name, ImageInspection inspection)
    {
        ThrowIfMismatched(name, inspection);
        return QemuImageInfo.FromInspection(name, ThrowIfUndescribed(inspection));
    }

    private void ThrowIfMismatched(string path, ImageInspection inspection)
    {
        if (options.Format != ImageFormat.Unknown && !options.Format.Accepts(inspection.Format))
        {
            throw new ImageFormatMismatchException(path, options.Format, inspection.Format);
        }
    }

    // A header that could not even be read whole leaves nothing worth showing.
    private static ImageInspection ThrowIfUndescribed(ImageInspection inspection)
    {
        if (inspection.VirtualSize is null && inspection.FormatVersion is null
            && inspection.Failures.FirstOrDefault(failure =>
                failure.Name is Safety.CheckNames.Truncated or Safety.CheckNames.Tables) is { } failure)
        {
            throw failure.Name == Safety.CheckNames.Truncated
                ? new TruncatedImageException(failure.Message)
                : new ImageFormatException(failure.Name, failure.Message);
        }

        return inspection;
    }
}
