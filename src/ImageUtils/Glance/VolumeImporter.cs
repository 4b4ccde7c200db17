using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Space;
using ImageUtils.Streaming;
using ImageUtils.XenServer;

namespace ImageUtils.Glance;

/// <summary>
/// Makes volumes of images. Where it can, the image passes once, and what is wrong with it is known before the volume is
/// visible; nothing else is written. Where it cannot, it goes through a file in the conversion directory.
/// </summary>
public static class VolumeImporter
{
    /// <summary>Makes one volume.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, at most five times a second.</param>
    /// <param name="cancellationToken">Ends it; nothing half-done is left.</param>
    /// <exception cref="ImageUnacceptableException">The image failed a check, or is not what it is said to be.</exception>
    /// <exception cref="ImageHashMismatchException">Its bytes are not those that Glance has the hash of.</exception>
    /// <exception cref="TruncatedImageException">There are not as many as there should be.</exception>
    /// <exception cref="ImageWriteException">The volume exists, is too small, or cannot be written.</exception>
    /// <exception cref="InsufficientSpaceException">There is not enough room.</exception>
    /// <exception cref="ConversionDisabledException">The configuration forbids a change of format.</exception>
    public static async Task<VolumeImportResult> ImportAsync(
        VolumeImportRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var image = await request.Client.FindAsync(request.Image, cancellationToken).ConfigureAwait(false);
        RemoteClaim.ThrowIfNotActive(image);
        var run = new Run(request, image, progress);
        try
        {
            return await run.ImportAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not TruncatedImageException and
            (ImageUnsafeException or ImageFormatException or ImageFormatMismatchException or UnsupportedImageException
            or XenServerImageException))
        {
            throw new ImageUnacceptableException(image.Id, exception.Message, exception);
        }
    }

    private sealed class Run(VolumeImportRequest request, GlanceImage image, IProgress<ConversionProgress>? progress)
    {
        private readonly long _started = Stopwatch.GetTimestamp();

        internal async Task<VolumeImportResult> ImportAsync(CancellationToken cancellationToken)
        {
            var claimed = RemoteClaim.DiskFormatOf(image);
            ImageConverter.ThrowIfDisabled(Conversion(image.Id), claimed);
            if (request.Saved is { } saved && saved.ImageId == image.Id)
            {
                return await ConvertAsync(saved, VolumeImportMethod.SavedFile, 0, cancellationToken).ConfigureAwait(false);
            }

            if (request.KeepSource)
            {
                return await ImportThroughFileAsync(cancellationToken).ConfigureAwait(false);
            }

            if (!RemoteClaim.IsWrapped(image)
                && await TryStreamAsync(claimed, cancellationToken).ConfigureAwait(false) is { } result)
            {
                return result;
            }

            // A raw disk needs nothing but its bytes in their order.
            return claimed.ToQemuName() == "raw" && request.Format.ToQemuName() == "raw"
                ? await StreamRawAsync(claimed, cancellationToken).ConfigureAwait(false)
                : await ImportThroughFileAsync(cancellationToken).ConfigureAwait(false);
        }

        // Null: it must be a file.
        private async Task<VolumeImportResult?> TryStreamAsync(ImageFormat claimed, CancellationToken cancellationToken)
        {
            if (image.Size is not > 0)
            {
                return null;
            }

            using var check = await ContentCheck
                .CreateAsync(image, request.Trust, request.RequiresSignature, cancellationToken).ConfigureAwait(false);
            var source = new RemoteSource(
                image.Size.Value,
                (offset, buffer, token) => request.Client.ReadRangeAsync(image.Id, offset, buffer, token));
            try
            {
                var inspection = await ImageInspector.InspectAsync(
                    source, request.Inspection with { Path = image.Id }, cancellationToken).ConfigureAwait(false);
                RemoteClaim.ThrowIfRefused(image, claimed, inspection);
                ThrowIfTooLarge(inspection.VirtualSize);
                var conversion = new StreamedConversion(Conversion(image.Id), source, inspection)
                {
                    OpenAsync = async token =>
                        (await request.Client.OpenReadAsync(image.Id, 0, null, token).ConfigureAwait(false)).Stream,
                    OnPassed = check.Append,
                    Verify = check.Verify,
                    Progress = progress,
                };
                return await conversion.RunAsync(cancellationToken).ConfigureAwait(false) is { } result
                    ? ToStreamed(result, check)
                    : null;
            }
            catch (ImageRangesUnsupportedException)
            {
                return null;
            }
        }

        private async Task<VolumeImportResult> StreamRawAsync(ImageFormat claimed, CancellationToken cancellationToken)
        {
            using var check = await ContentCheck
                .CreateAsync(image, request.Trust, request.RequiresSignature, cancellationToken).ConfigureAwait(false);
            var conversion = Conversion(image.Id);
            var isCompressed = RemoteClaim.IsCompressed(image);
            var outer = new StreamInspector(
                RemoteClaim.InspectionOf(image, request.Inspection), RemoteClaim.FormatOf(image));
            if (image.Size is { } size && conversion.CheckSpace)
            {
                // What is compressed has no more than its own length for certain.
                SpaceCheck.ThrowIfShort(new SpaceRequirement(
                    SpaceKind.Destination, Destination.Resolve(conversion.DestinationPath), size));
            }

            var disk = new StreamedRawDisk(conversion, claimed)
            {
                OpenAsync = async token =>
                    (await request.Client.OpenReadAsync(image.Id, 0, null, token).ConfigureAwait(false)).Stream,
                IsCompressed = isCompressed,
                Length = image.Size,
                OnPassed = bytes =>
                {
                    check.Append(bytes);
                    outer.Push(bytes);
                },
                OnSize = length => ThrowIfTooLarge(length),
                Verify = inspection =>
                {
                    RemoteClaim.ThrowIfRefused(image, RemoteClaim.FormatOf(image), outer.Complete());
                    RemoteClaim.ThrowIfRefused(image, claimed, inspection);
                    check.Verify();
                },
                Progress = progress,
            };
            try
            {
                return ToStreamed(await disk.RunAsync(cancellationToken).ConfigureAwait(false), check);
            }
            catch (TruncatedImageException exception) when (check.Length == image.Size)
            {
                // All came that there is: getting it again would not help.
                throw new ImageUnacceptableException(image.Id, exception.Message, exception);
            }
        }

        private async Task<VolumeImportResult> ImportThroughFileAsync(CancellationToken cancellationToken)
        {
            var path = NewTemporaryPath();
            if (image.Size is { } size)
            {
                SpaceCheck.ThrowIfShort(new SpaceRequirement(SpaceKind.Temporary, request.ConversionDirectory, size));
            }

            var keeps = false;
            try
            {
                var saved = await ImageSaver.SaveAsync(
                    new ImageSaveRequest
                    {
                        Client = request.Client,
                        Image = image.Id,
                        Destination = path,
                        Inspection = request.Inspection,
                        Trust = request.Trust,
                        RequiresSignature = request.RequiresSignature,
                    },
                    image, progress, cancellationToken).ConfigureAwait(false);
                ThrowIfTooLarge(RemoteClaim.IsWrapped(image) ? null : saved.VirtualSize);
                var result = await ConvertAsync(saved, VolumeImportMethod.TemporaryFile, saved.Size, cancellationToken)
                    .ConfigureAwait(false);
                keeps = request.KeepSource;
                return result with { Source = keeps ? saved : null };
            }
            finally
            {
                if (!keeps)
                {
                    File.Delete(path);
                }
            }
        }

        private async Task<VolumeImportResult> ConvertAsync(
            SavedGlanceImage saved, VolumeImportMethod method, long temporaryBytes, CancellationToken cancellationToken)
        {
            var conversion = Conversion(saved.Path);
            if (XenServerImage.IsXenServerImage(image.DiskFormat, image.ContainerFormat))
            {
                var expanded = await XenServerImage.ExpandAsync(
                    new XenServerImageRequest
                    {
                        Path = saved.Path,
                        Destination = conversion.DestinationPath,
                        Format = request.Format,
                        Inspection = request.Inspection,
                        Overwrite = request.Overwrite,
                        ConversionDisabled = request.ConversionDisabled,
                        UnpackDirectory = NewTemporaryPath(),
                    },
                    progress, cancellationToken).ConfigureAwait(false);
                return WithHash(
                    new VolumeImportResult
                    {
                        ImageId = image.Id,
                        Name = image.Name,
                        Destination = expanded.Destination,
                        SourceFormat = ImageFormat.Vhd,
                        DestinationFormat = expanded.Format,
                        VirtualSize = expanded.VirtualSize,
                        FileSize = expanded.FileSize,
                        ImageSize = saved.Size,
                        Method = method,
                        TemporaryBytes = temporaryBytes + expanded.UnpackedBytes,
                        Duration = Stopwatch.GetElapsedTime(_started),
                    },
                    saved);
            }

            // What is unpacked is held against its disk format, and looked at, as what came as it is.
            var result = await ImageConverter.ConvertAsync(
                RemoteClaim.IsCompressed(image) ? LimitToVolume(conversion) : conversion, progress, cancellationToken)
                .ConfigureAwait(false);
            return WithHash(
                ToResult(result, saved.Size, method, temporaryBytes + result.TemporaryBytes), saved);
        }

        // The size of a disk that is compressed as a whole is known only once it is unpacked.
        private ConversionRequest LimitToVolume(ConversionRequest conversion)
        {
            var policy = request.Inspection.Policy;
            return request.VolumeSizeGiB is not { } volume ? conversion : conversion with
            {
                Source = conversion.Source with
                {
                    Inspection = request.Inspection with
                    {
                        Policy = policy with
                        {
                            MaximumVirtualSize = Math.Min(
                                policy.MaximumVirtualSize ?? long.MaxValue, Math.Min(volume, long.MaxValue >> 30) << 30),
                        },
                    },
                },
            };
        }

        private string NewTemporaryPath() => ImageTemporaryFile.NewPath(
            Path.GetFullPath(request.ConversionDirectory), request.Client.Session.ProjectId, image.Id);

        private ConversionRequest Conversion(string source) => new()
        {
            SourcePath = source,
            DestinationPath = Path.GetFullPath(request.Destination),
            DestinationFormat = request.Format,
            Target = request.Target,
            Overwrite = request.Overwrite,
            Source = new OpenOptions
            {
                Inspection = request.Inspection,
                ClaimedFormat = RemoteClaim.DiskFormatOf(image),
            },
            ConversionDisabled = request.ConversionDisabled,
            TemporaryDirectory = request.ConversionDirectory,
            Qemu = request.Qemu,
        };

        private void ThrowIfTooLarge(long? virtualSize)
        {
            if (request.VolumeSizeGiB is { } volume && virtualSize is { } size
                && SpaceCheck.CheckVolume(size, volume, image.Id) is { IsEnough: false })
            {
                throw new ImageUnacceptableException(
                    image.Id, $"Its disk has {size} bytes, more than the volume's {volume} GiB. Make a larger volume.");
            }
        }

        private VolumeImportResult ToResult(
            ImageConversionResult result, long imageSize, VolumeImportMethod method, long temporaryBytes) => new()
            {
                ImageId = image.Id,
                Name = image.Name,
                Destination = result.Destination,
                SourceFormat = result.SourceFormat,
                DestinationFormat = result.DestinationFormat,
                Subformat = result.Subformat,
                VirtualSize = result.VirtualSize,
                FileSize = result.FileSize,
                ImageSize = imageSize,
                Method = method,
                TemporaryBytes = temporaryBytes,
                Duration = Stopwatch.GetElapsedTime(_started),
            };

        private VolumeImportResult ToStreamed(ImageConversionResult result, ContentCheck check) =>
            ToResult(result, check.Length, VolumeImportMethod.Streamed, 0) with
            {
                HashAlgorithm = check.HashAlgorithm,
                HashValue = check.HashValue,
                SignatureVerified = check.IsSigned,
            };

        private static VolumeImportResult WithHash(VolumeImportResult result, SavedGlanceImage saved) => result with
        {
            HashAlgorithm = saved.HashAlgorithm,
            HashValue = saved.HashValue,
            SignatureVerified = saved.SignatureVerified,
        };
    }
}
