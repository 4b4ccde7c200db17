using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Inspection;
using ImageUtils.Streaming;

namespace ImageUtils.Remote;

/// <summary>
/// Says what an image in Glance or on the web is, from a few ranges of it. Where there are none it is read from front
/// to back, in bounded memory. The verdict is the one on the same bytes in a file.
/// </summary>
public static class RemoteInspector
{
    // Nearly all that is looked at is in the first of these, in the one that optical discs begin in, and in the last.
    private const int BlockLength = 16 << 10;
    private const int StreamLength = 256 << 10;

    /// <summary>Inspects an image in Glance.</summary>
    /// <param name="client">Glance.</param>
    /// <param name="image">The image.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Is told how far it is, where all of it is read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ImageUnacceptableException">
    /// The image is not active, or nobody knows what Glance says that it is.
    /// </exception>
    /// <exception cref="ImageFileException">It is empty, or not as long as Glance says.</exception>
    /// <exception cref="DownloadTooLongException">All of it would have to be read, which is too much.</exception>
    public static async Task<RemoteInspection> InspectAsync(
        GlanceClient client,
        GlanceImage image,
        RemoteInspectionOptions? options = null,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        ArgumentNullException.ThrowIfNull(image);
        options ??= new RemoteInspectionOptions();
        RemoteClaim.ThrowIfNotActive(image);
        if (image.Size == 0)
        {
            throw new ImageFileException(
                ImageFileProblem.Empty, image.Id, $"The image {image.Id} is empty. Upload its data, or remove it.");
        }

        using var file = new GlanceFile(client, image);
        return await InspectAsync(
            file,
            options is { Expected: ImageFormat.Unknown, HoldsAgainstClaim: true }
                ? options with { Expected = RemoteClaim.DataFormatOf(image) }
                : options,
            progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Inspects an image on the web.</summary>
    /// <param name="reader">Reads the web.</param>
    /// <param name="uri">The image's address.</param>
    /// <param name="options">How.</param>
    /// <param name="progress">Is told how far it is, where all of it is read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="WebAddressException">The address is not used, or leads where nobody is to be led.</exception>
    /// <exception cref="ServiceUnreachableException">There is no answer, or it was cut.</exception>
    /// <exception cref="ServiceResponseException">The answer is none that a file could be read from.</exception>
    /// <exception cref="ImageFileException">It is empty, or changed meanwhile.</exception>
    /// <exception cref="DownloadTooLongException">All of it would have to be read, which is too much.</exception>
    public static async Task<RemoteInspection> InspectAsync(
        WebReader reader,
        Uri uri,
        RemoteInspectionOptions? options = null,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(uri);
        using var file = await WebFile.OpenAsync(reader, uri, BlockLength, cancellationToken).ConfigureAwait(false);
        return await InspectAsync(file, options ?? new RemoteInspectionOptions(), progress, cancellationToken)
            .ConfigureAwait(false);
    }

    private static async Task<RemoteInspection> InspectAsync(
        IRemoteFile file,
        RemoteInspectionOptions options,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        var inspection = options.Inspection with
        {
            Path = file.Name,
            Policy = options.Inspection.Policy with { BackingFileDirectories = [], DataFileDirectories = [] },
        };
        ImageInspection? image = null;
        var isPartial = false;
        if (file.HasRanges || (options.KnownRaw && file.Length is not null))
        {
            try
            {
                var source = new RemoteSource(file.Length!.Value, file.ReadRangeAsync, BlockLength);
                image = options.KnownRaw
                    ? await new InspectionRun(source, inspection).RunAsRawAsync(cancellationToken).ConfigureAwait(false)
                    : await ImageInspector.InspectAsync(source, inspection, cancellationToken).ConfigureAwait(false);
            }
            catch (ImageRangesUnsupportedException)
            {
                // Of what its store cannot read from the middle.
            }
        }

        if (image is null)
        {
            (image, isPartial) = await InspectWholeAsync(
                file, options with { Inspection = inspection }, progress, cancellationToken).ConfigureAwait(false);
        }

        return new RemoteInspection(file.Name, image, options.Expected, file.BytesRead, file.Requests, isPartial);
    }

    private static async Task<(ImageInspection Image, bool IsPartial)> InspectWholeAsync(
        IRemoteFile file,
        RemoteInspectionOptions options,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        if (file.Length > options.MaximumDownload)
        {
            throw new DownloadTooLongException(file.Name, options.MaximumDownload, file.Length);
        }

        var inspector = new StreamInspector(options.Inspection, options.Expected);
        var buffer = new byte[StreamLength];
        var paced = new PacedProgress(progress);
        int got;
        while ((got = await file.ReadNextAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            inspector.Push(buffer.AsSpan(0, got));
            // Less than a bufferful is the end, and then all of it is known.
            if (options.StopsAtFailure && !options.KnownRaw && got == buffer.Length
                && inspector.DescribeRejected(file.Length) is { } rejected)
            {
                return (rejected, true);
            }

            if (inspector.Position > options.MaximumDownload)
            {
                throw new DownloadTooLongException(file.Name, options.MaximumDownload, null);
            }

            paced.Report(ConversionStage.Downloading, inspector.Position, file.Length ?? options.MaximumDownload);
        }

        if (inspector.Position == 0)
        {
            throw new ImageFileException(
                ImageFileProblem.Empty, file.Name, $"'{file.Name}' is empty. An image has at least one byte.");
        }

        return (options.KnownRaw ? await inspector.CompleteAsRawAsync(cancellationToken).ConfigureAwait(false)
            : inspector.Complete(), false);
    }
}
