using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Space;

namespace ImageUtils.Glance;

/// <summary>
/// Downloads images: what comes is written, hashed, verified and inspected in one pass, which is cut off as soon as it can no
/// longer be what it should. The file is complete and right, or not there.
/// </summary>
public static class ImageSaver
{
    private const int BufferLength = 1 << 20;

    /// <summary>Downloads one image.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, at most five times a second.</param>
    /// <param name="cancellationToken">Ends it; the partial file stays where resuming was asked for.</param>
    /// <exception cref="ImageUnacceptableException">The image failed a check, or is not what it is said to be.</exception>
    /// <exception cref="ImageHashMismatchException">Its bytes are not those that Glance has the hash of.</exception>
    /// <exception cref="TruncatedImageException">There are not as many as there should be.</exception>
    /// <exception cref="ImageWriteException">The file exists, or cannot be written.</exception>
    /// <exception cref="InsufficientSpaceException">There is not enough room.</exception>
    public static async Task<SavedGlanceImage> SaveAsync(
        ImageSaveRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var image = await request.Client.FindAsync(request.Image, cancellationToken).ConfigureAwait(false);
        return await SaveAsync(request, image, progress, cancellationToken).ConfigureAwait(false);
    }

    internal static async Task<SavedGlanceImage> SaveAsync(
        ImageSaveRequest request,
        GlanceImage image,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        RemoteClaim.ThrowIfNotActive(image);
        var started = Stopwatch.GetTimestamp();
        var path = Destination.Resolve(request.Destination);
        var claimed = RemoteClaim.FormatOf(image);
        if (request.CheckSpace && image.Size is { } size)
        {
            SpaceCheck.ThrowIfShort(new SpaceRequirement(SpaceKind.Destination, path, size));
        }

        using var destination = request.Resume
            ? Destination.OpenPartial(path, request.Overwrite)
            : Destination.Create(path, request.Overwrite);
        var run = new Run(request, image, claimed, destination, progress);
        try
        {
            var (check, inspection, resumedAt) = await run.DownloadAsync(cancellationToken).ConfigureAwait(false);
            await Completion.FlushAsync(destination.Sink, cancellationToken).ConfigureAwait(false);
            destination.Commit();
            return new SavedGlanceImage
            {
                ImageId = image.Id,
                Name = image.Name,
                Path = destination.Path,
                Size = check.Length,
                DiskFormat = image.DiskFormat,
                ContainerFormat = image.ContainerFormat,
                Format = inspection.Format,
                VirtualSize = inspection.VirtualSize,
                HashAlgorithm = check.HashAlgorithm,
                HashValue = check.HashValue,
                SignatureVerified = check.IsSigned,
                ResumedAt = resumedAt,
                LastWriteTimeUtc = File.GetLastWriteTimeUtc(destination.Path),
                Duration = Stopwatch.GetElapsedTime(started),
            };
        }
        catch (Exception exception) when (exception is ImageUnacceptableException or ImageHashMismatchException
            or ImageSignatureMismatchException)
        {
            // Going on from what is wrong would never come to an end.
            destination.DoNotKeep();
            throw;
        }
    }

    private sealed class Run(
        ImageSaveRequest request,
        GlanceImage image,
        ImageFormat claimed,
        Destination destination,
        IProgress<ConversionProgress>? progress)
    {
        private readonly byte[] _buffer = new byte[BufferLength];
        private readonly PacedProgress _progress = new(progress);

        internal async Task<(ContentCheck Check, ImageInspection Inspection, long ResumedAt)> DownloadAsync(
            CancellationToken cancellationToken)
        {
            var start = image.Size is { } size && destination.PartLength <= size ? destination.PartLength : 0;
            try
            {
                return await DownloadAsync(start, cancellationToken).ConfigureAwait(false);
            }
            catch (ImageRangesUnsupportedException) when (start > 0)
            {
                return await DownloadAsync(0, cancellationToken).ConfigureAwait(false);
            }
        }

        private async Task<(ContentCheck Check, ImageInspection Inspection, long ResumedAt)> DownloadAsync(
            long start, CancellationToken cancellationToken)
        {
            using var check = await ContentCheck
                .CreateAsync(image, request.Trust, request.RequiresSignature, cancellationToken).ConfigureAwait(false);
            var inspector = new StreamInspector(RemoteClaim.InspectionOf(image, request.Inspection), claimed);
            await destination.Sink.SetLengthAsync(start, cancellationToken).ConfigureAwait(false);
            if (start > 0)
            {
                await TakePartAsync(start, check, inspector, cancellationToken).ConfigureAwait(false);
            }

            if (start < image.Size || image.Size is null)
            {
                await TakeRestAsync(start, check, inspector, cancellationToken).ConfigureAwait(false);
            }

            var inspection = inspector.Complete();
            RemoteClaim.ThrowIfRefused(image, claimed, inspection);
            check.Verify();
            return (check, inspection, start);
        }

        // What an earlier run wrote is hashed and looked at as if it came now.
        private async Task TakePartAsync(
            long length, ContentCheck check, StreamInspector inspector, CancellationToken cancellationToken)
        {
            using var part = FileByteSource.Open(destination.ReadablePath);
            for (var at = 0L; at < length;)
            {
                var read = await part.ReadAsync(
                    at, _buffer.AsMemory(0, (int)Math.Min(_buffer.Length, length - at)), cancellationToken)
                    .ConfigureAwait(false);
                if (read == 0)
                {
                    throw new TruncatedImageException($"'{destination.Path}': its partial file became shorter meanwhile.");
                }

                Take(_buffer.AsSpan(0, read), check, inspector);
                at += read;
                Report(ConversionStage.Hashing, at);
            }
        }

        private async Task TakeRestAsync(
            long start, ContentCheck check, StreamInspector inspector, CancellationToken cancellationToken)
        {
            var download = await request.Client.OpenReadAsync(image.Id, start, null, cancellationToken).ConfigureAwait(false);
            await using (download.ConfigureAwait(false))
            {
                var position = start;
                int read;
                while ((read = await download.Stream.ReadAtLeastAsync(
                    _buffer, _buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false)) > 0)
                {
                    Take(_buffer.AsSpan(0, read), check, inspector);
                    await destination.Sink.WriteAsync(position, _buffer.AsMemory(0, read), cancellationToken)
                        .ConfigureAwait(false);
                    position += read;
                    Report(ConversionStage.Downloading, position);
                }
            }
        }

        private void Take(ReadOnlySpan<byte> bytes, ContentCheck check, StreamInspector inspector)
        {
            check.Append(bytes);
            inspector.Push(bytes);
            if (inspector.IsRejected)
            {
                throw new ImageUnacceptableException(
                    image.Id,
                    inspector.Failures.Count > 0
                        ? string.Join(" ", inspector.Failures.Select(failure => $"{failure.Name}: {failure.Message}"))
                        : $"Glance says that it is {claimed.ToName()}, but after {inspector.Position} bytes it can no longer be "
                            + "that. Have its disk_format set right, if you trust whoever made it.");
            }
        }

        private void Report(ConversionStage stage, long position) =>
            _progress.Report(stage, position, image.Size ?? position);
    }
}
