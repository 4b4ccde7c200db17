using System.Collections;
using System.Diagnostics;
using System.Net;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Space;
using ImageUtils.XenServer;

namespace ImageUtils.Glance;

/// <summary>
/// Makes images anew in another format, as Glance's conversion does within an import: the original is fetched,
/// checked, converted on the way into the upload, and left as it is until the new image is complete. What fails leaves
/// the original as it was, and no other image.
/// </summary>
public static class GlanceImageConverter
{
    // Of any disk: only the options are looked at.
    private const long AnySize = 1 << 20;

    // What Nova's VMware driver is to know of a VMDK's own kind.
    private static readonly string[] s_ofTheOldFile = ["vmware_disktype"];

    /// <summary>Converts one image.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, at most five times a second.</param>
    /// <param name="cancellationToken">Ends it; a new image is deleted.</param>
    /// <exception cref="ImageUnacceptableException">The image failed a check, or is not what it is said to
    /// be.</exception>
    /// <exception cref="ImageProtectedException">The original is to be removed, but is protected.</exception>
    /// <exception cref="UnsupportedImageException">The format is not written, or the original's not read.</exception>
    /// <exception cref="ImageHashMismatchException">The original's bytes, or the new image's, are not those that Glance
    /// has the hash of.</exception>
    /// <exception cref="TruncatedImageException">There are not as many as there should be.</exception>
    /// <exception cref="InsufficientSpaceException">There is not enough room.</exception>
    /// <exception cref="ConversionDisabledException">The configuration forbids a change of format.</exception>
    /// <exception cref="OriginalImageException">The original could not be hidden or removed.</exception>
    public static async Task<GlanceConversionResult> ConvertAsync(
        GlanceConversionRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        var started = Stopwatch.GetTimestamp();
        var image = await request.Client.FindAsync(request.Image, cancellationToken).ConfigureAwait(false);
        RemoteClaim.ThrowIfNotActive(image);
        var claimed = RemoteClaim.DiskFormatOf(image);
        if (!request.Always && IsAlready(request, image, claimed))
        {
            return new GlanceConversionResult
            {
                ImageId = image.Id,
                Name = image.Name,
                OriginalId = image.Id,
                Converted = false,
                SourceFormat = claimed,
                DiskFormat = image.DiskFormat,
                ContainerFormat = image.ContainerFormat,
                VirtualSize = image.VirtualSize,
                OriginalSize = image.Size ?? 0,
                Size = image.Size ?? 0,
                Duration = Stopwatch.GetElapsedTime(started),
            };
        }

        ThrowIfImpossible(request, image, claimed);
        if (request.StoreId is { } store)
        {
            await request.Client.ValidateStoreAsync(store, cancellationToken).ConfigureAwait(false);
        }

        try
        {
            return await new Run(request, image, claimed, progress).ConvertAsync(started, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is not TruncatedImageException and
            (ImageUnsafeException or ImageFormatException or ImageFormatMismatchException or UnsupportedImageException
            or XenServerImageException))
        {
            throw new ImageUnacceptableException(image.Id, exception.Message, exception);
        }
    }

    // By what Glance says; as Glance's own conversion leaves such images alone.
    private static bool IsAlready(GlanceConversionRequest request, GlanceImage image, ImageFormat claimed) =>
        claimed == request.Format && request.Target is { Subformat: null, Compress: false }
        && string.Equals(
            image.ContainerFormat, request.Gzip is null ? "bare" : "compressed", StringComparison.OrdinalIgnoreCase);

    // All that can be known before anything is fetched.
    private static void ThrowIfImpossible(GlanceConversionRequest request, GlanceImage image, ImageFormat claimed)
    {
        if (request.Original == OriginalImage.Removed && image.Protected)
        {
            throw new ImageProtectedException(
                image.Id,
                $"Image '{image.Id}' is protected, and so cannot be removed once it is converted. Nothing was done. Take "
                + "its protection away, or keep or hide it.",
                HttpStatusCode.Forbidden, null);
        }

        if (image.Size is 0)
        {
            throw new ImageUnacceptableException(
                image.Id, "It has no data; a snapshot of a server that is on volumes has none, for instance.");
        }

        // Discs are no disks, whatever their bytes; and kernels and ramdisks are neither.
        if (ImageOpener.FindReader(claimed) is null
            || claimed is ImageFormat.Iso or ImageFormat.Aki or ImageFormat.Ari)
        {
            throw new UnsupportedImageException(
                $"The image {image.Id} is {claimed.ToName()}, which is not converted. Images that are raw, qcow2, vhd, "
                + "vhdx, vmdk or vdi are.");
        }

        ImageConverter.ThrowIfDisabled(
            new ConversionRequest
            {
                SourcePath = image.Id,
                DestinationPath = "",
                DestinationFormat = request.Format,
                ConversionDisabled = request.ConversionDisabled,
            },
            claimed);
        if (!ImageConverter.WritableFormats.Contains(request.Format))
        {
            // A disk that is called a disc would be taken for one.
            throw new UnsupportedImageException(
                $"Images are not made to be {request.Format.ToName()}. Name one of "
                + $"{string.Join(", ", ImageConverter.WritableFormats.Select(one => one.ToName()))}.");
        }

        ImageConverter.GetWriter(request.Format).CreateWriter(request.Target with { VirtualSize = AnySize });
    }

    private sealed class Run(
        GlanceConversionRequest request,
        GlanceImage image,
        ImageFormat claimed,
        IProgress<ConversionProgress>? progress)
    {
        private GlanceClient Client => request.Client;

        internal async Task<GlanceConversionResult> ConvertAsync(long started, CancellationToken cancellationToken)
        {
            if (request.Saved is { } saved && saved.ImageId == image.Id)
            {
                return await PublishAsync(saved, 0, started, cancellationToken).ConfigureAwait(false);
            }

            var path = NewTemporaryPath();
            if (image.Size is { } size)
            {
                SpaceCheck.ThrowIfShort(new SpaceRequirement(SpaceKind.Temporary, request.ConversionDirectory, size));
            }

            try
            {
                saved = await ImageSaver.SaveAsync(
                    new ImageSaveRequest
                    {
                        Client = Client,
                        Image = image.Id,
                        Destination = path,
                        Inspection = request.Inspection,
                        Trust = request.Trust,
                        RequiresSignature = request.RequiresSignature,
                        CheckSpace = false,
                    },
                    image, progress, cancellationToken).ConfigureAwait(false);
                return await PublishAsync(saved, saved.Size, started, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                File.Delete(path);
            }
        }

        private async Task<GlanceConversionResult> PublishAsync(
            SavedGlanceImage saved, long temporaryBytes, long started, CancellationToken cancellationToken)
        {
            if (XenServerImage.IsXenServerImage(image.DiskFormat, image.ContainerFormat))
            {
                return await XenServerImage.ReadAsync(
                    new XenServerImageRequest
                    {
                        Path = saved.Path,
                        Inspection = request.Inspection,
                        UnpackDirectory = NewTemporaryPath(),
                    },
                    (disk, _, chain) => PublishAsync(disk, temporaryBytes + chain),
                    progress, cancellationToken).ConfigureAwait(false);
            }

            // What is raw was looked at when it came, and is not taken for anything else now.
            using var source = await ImageOpener.OpenAsync(
                saved.Path,
                new OpenOptions
                {
                    ClaimedFormat = claimed,
                    KnownRaw = claimed.ToQemuName() == "raw" && !RemoteClaim.IsCompressed(image),
                    Inspection = request.Inspection,
                    TemporaryDirectory = request.ConversionDirectory,
                },
                cancellationToken).ConfigureAwait(false);
            return await PublishAsync(source, temporaryBytes + source.UnpackedBytes).ConfigureAwait(false);

            async Task<GlanceConversionResult> PublishAsync(OpenedImage disk, long bytes)
            {
                var published = await VolumePublisher
                    .PublishAsync(Publication(saved.Path), disk, progress, cancellationToken).ConfigureAwait(false);
                return new GlanceConversionResult
                {
                    ImageId = published.ImageId,
                    Name = published.Name,
                    OriginalId = image.Id,
                    Original = request.Original,
                    Converted = true,
                    SourceFormat = claimed,
                    DiskFormat = published.DiskFormat,
                    ContainerFormat = published.ContainerFormat,
                    VirtualSize = published.VirtualSize,
                    OriginalSize = saved.Size,
                    Size = published.Size,
                    SignatureVerified = saved.SignatureVerified,
                    HashAlgorithm = published.HashAlgorithm,
                    HashValue = published.HashValue,
                    HashVerified = published.HashVerified,
                    Signed = published.Signed,
                    TemporaryBytes = bytes + published.TemporaryBytes,
                    Duration = Stopwatch.GetElapsedTime(started),
                };
            }
        }

        private string NewTemporaryPath() => ImageTemporaryFile.NewPath(
            Path.GetFullPath(request.ConversionDirectory), Client.Session.ProjectId, image.Id);

        private VolumePublishRequest Publication(string path) => new()
        {
            Client = Client,
            Path = path,
            Image = Describe(),
            Format = request.Format,
            Target = request.Target,
            Gzip = request.Gzip,
            StoreId = request.StoreId,
            Signer = request.Signer,
            TemporaryDirectory = request.ConversionDirectory,
            MinDisk = SmallestDisk,
            Finish = (published, token) => new OriginalImageChange(request, image, published.ImageId)
                .RunAsync(published.HashVerified, token),
        };

        private NewGlanceImage Describe()
        {
            var own = Client.Session.ProjectId;
            var takesPlace = request.Original != OriginalImage.Kept;
            var hasSameOwner = takesPlace || own is null || image.Owner is null || image.Owner == own;
            return new NewGlanceImage
            {
                Name = request.Name ?? image.Name,

                // Somebody else's image that stays is copied, and the copy is no more public than any new one is.
                Visibility = request.Visibility ?? (hasSameOwner ? image.Visibility : null),
                Owner = takesPlace && image.Owner != own ? image.Owner : null,
                OsHidden = image.OsHidden ? true : null,
                MinRam = image.MinRam,
                Tags = request.Tags ?? image.Tags,
                Properties = [.. Properties()],
            };
        }

        private Dictionary<string, string> Properties()
        {
            var properties = new Dictionary<string, string>();
            foreach (DictionaryEntry entry in ImagePropertyFilter.Select(
                image.Properties.Where(one => one.Value is not null && !s_ofTheOldFile.Contains(one.Key))
                    .Select(one => KeyValuePair.Create(one.Key, (object?)one.Value)),
                request.ReservedNamespaces))
            {
                properties[(string)entry.Key] = (string)entry.Value!;
            }

            foreach (var (name, value) in request.Properties)
            {
                properties[name] = value;
            }

            return properties;
        }

        // 0 says that nobody knows. What somebody said must hold for the new disk too, which some formats round up.
        private int SmallestDisk(long virtualSize) => image.MinDisk == 0
            ? 0
            : (int)Math.Clamp((virtualSize - 1 >> 30) + 1, image.MinDisk, int.MaxValue);
    }
}
