using System.Diagnostics;
using System.Security.Cryptography;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Streaming;

namespace ImageUtils.Glance;

/// <summary>
/// Makes images of volumes: inspected, converted on the way into the upload, hashed as it is sent, and compared with what
/// Glance has then. What fails leaves no image of this call's.
/// </summary>
public static class VolumePublisher
{
    // Glance's default.
    private const string UsualAlgorithm = "sha512";
    private const string Queued = "queued";
    private const string Active = "active";

    /// <summary>Makes one image.</summary>
    /// <param name="request">What is asked for.</param>
    /// <param name="progress">Is told how far it is, at most five times a second.</param>
    /// <param name="cancellationToken">Ends it; an image that was registered is deleted.</param>
    /// <exception cref="ImageUnsafeException">The volume failed a check, such as that it has no backing file.</exception>
    /// <exception cref="ImageFormatMismatchException">It is not what it is claimed to be.</exception>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    /// <exception cref="GlanceStoreNotFoundException">There is no such store.</exception>
    /// <exception cref="GlanceStoreReadOnlyException">The store is read-only.</exception>
    /// <exception cref="ImageUploadCutException">The connection was cut.</exception>
    /// <exception cref="ImageHashMismatchException">Glance has other bytes than were sent; a new image is deleted.</exception>
    /// <exception cref="ImageUnacceptableException">
    /// The same for an image that was there before, which is deactivated; or it is not queued.
    /// </exception>
    public static async Task<VolumePublishResult> PublishAsync(
        VolumePublishRequest request,
        IProgress<ConversionProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);

        // What a guest wrote into a device is no claim of what the device is.
        var options = request.Source.ClaimedFormat == ImageFormat.Unknown && Destination.IsBlockDevice(request.Path)
            ? request.Source with { KnownRaw = true }
            : request.Source;
        using var source = await ImageOpener.OpenAsync(request.Path, options, cancellationToken).ConfigureAwait(false);
        return await PublishAsync(request, source, progress, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Makes one image of what is open already; the path is not looked at.</summary>
    internal static async Task<VolumePublishResult> PublishAsync(
        VolumePublishRequest request,
        OpenedImage source,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var client = request.Client;
        if (request.StoreId is { } store)
        {
            await client.ValidateStoreAsync(store, cancellationToken).ConfigureAwait(false);
        }

        using var target = await StreamedTarget.PlanAsync(
            source,
            new StreamedTargetRequest
            {
                Format = request.Format,
                Target = request.Target,
                Gzip = request.Gzip,
                TemporaryDirectory = request.TemporaryDirectory,
            },
            cancellationToken).ConfigureAwait(false);
        var algorithm = await FindAlgorithmAsync(client, cancellationToken).ConfigureAwait(false);

        // Not cancelled half-way: Glance might come to it only after nobody is there to delete it.
        var image = request.ImageId is { } id
            ? await FindQueuedAsync(client, id, cancellationToken).ConfigureAwait(false)
            : await client.CreateAsync(Describe(request, target.VirtualSize), CancellationToken.None)
                .ConfigureAwait(false);
        var (sent, hash) = (0L, default(string));
        try
        {
            cancellationToken.ThrowIfCancellationRequested();
            (sent, hash) = await SendAsync(
                request, target, image, algorithm, progress, cancellationToken).ConfigureAwait(false);
            var (result, isVerified) = await ConfirmAsync(client, image.Id, sent, algorithm, hash, cancellationToken)
                .ConfigureAwait(false);
            if (request.Signer is { } signer)
            {
                var change = new GlanceImageChange();
                foreach (var (name, value) in signer.Sign().Property)
                {
                    change.Set(name, value);
                }

                result = await client.UpdateAsync(image.Id, change, cancellationToken).ConfigureAwait(false);
            }

            var published = new VolumePublishResult
            {
                ImageId = result.Id,
                Name = result.Name,
                Source = source.Path,
                DiskFormat = result.DiskFormat,
                ContainerFormat = result.ContainerFormat,
                VirtualSize = target.VirtualSize,
                Size = sent,
                HashAlgorithm = algorithm,
                HashValue = hash,
                HashVerified = isVerified,
                Signed = request.Signer is not null,
                TemporaryBytes = target.TemporaryBytes,
                Duration = Stopwatch.GetElapsedTime(started),
            };
            if (request.Finish is { } finish)
            {
                await finish(published, cancellationToken).ConfigureAwait(false);
            }

            return published;
        }
        catch (Exception exception) when (exception is not OriginalImageException { IsNewImageKept: true })
        {
            if (request.ImageId is null)
            {
                await UndoAsync(client, image.Id, exception).ConfigureAwait(false);
            }
            else if (hash is not null && exception is ImageUtilsException reason)
            {
                await WithdrawAsync(client, image.Id, $"{algorithm} {hash}", reason).ConfigureAwait(false);
            }

            throw;
        }
    }

    // Glance does not say by which algorithm it will hash (its option hashing_algorithm); its newest image does.
    private static async Task<string> FindAlgorithmAsync(GlanceClient client, CancellationToken cancellationToken)
    {
        var newest = new GlanceImageFilter { Status = Active, Sort = "created_at:desc", PageSize = 1 };
        await foreach (var image in client.ListAsync(newest, cancellationToken).ConfigureAwait(false))
        {
            return ContentCheck.FindAlgorithm(image.OsHashAlgo) is null
                ? UsualAlgorithm
                : image.OsHashAlgo!.ToLowerInvariant();
        }

        return UsualAlgorithm;
    }

    private static NewGlanceImage Describe(VolumePublishRequest request, long virtualSize) => request.Image with
    {
        MinDisk = request.MinDisk is { } smallest ? smallest(virtualSize) : request.Image.MinDisk,
        DiskFormat = request.Image.DiskFormat ?? request.Format.ToName(),
        ContainerFormat = request.Image.ContainerFormat ?? (request.Gzip is null ? "bare" : "compressed"),
    };

    private static async Task<GlanceImage> FindQueuedAsync(
        GlanceClient client, string id, CancellationToken cancellationToken)
    {
        var image = await client.GetAsync(id, cancellationToken).ConfigureAwait(false);
        return image.Status == Queued
            ? image
            : throw new ImageUnacceptableException(
                image.Id, $"Its status is {image.Status}; only an image that is queued can be given data. Publish a new one.");
    }

    private static async Task<(long Sent, string Hash)> SendAsync(
        VolumePublishRequest request,
        StreamedTarget target,
        GlanceImage image,
        string algorithm,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(ContentCheck.FindAlgorithm(algorithm)!.Value);
        var observers = new List<SentBytes> { hash.AppendData };
        if (request.Signer is { } signer)
        {
            observers.Add(signer.Append);
        }

        var paced = new PacedProgress(progress);
        async Task WriteAsync(Stream stream, CancellationToken token) =>
            await target.WriteToAsync(stream, observers, Report, token).ConfigureAwait(false);

        long sent;
        if (request.UsesImport)
        {
            sent = await request.Client.StageAsync(image.Id, WriteAsync, target.Length, cancellationToken)
                .ConfigureAwait(false);
            var ticket = await request.Client.StartImportAsync(
                image.Id,
                new GlanceImport
                {
                    Method = GlanceImport.GlanceDirect,
                    Stores = request.StoreId is { } store ? [store] : [],
                },
                cancellationToken).ConfigureAwait(false);
            await request.Client.WaitForImportAsync(ticket, cancellationToken: cancellationToken).ConfigureAwait(false);
        }
        else
        {
            sent = await request.Client.UploadAsync(image.Id, WriteAsync, target.Length, request.StoreId, cancellationToken)
                .ConfigureAwait(false);
        }

        return (sent, Convert.ToHexStringLower(hash.GetHashAndReset()));

        void Report(long position) =>
            paced.Report(ConversionStage.Uploading, position, target.FileLength ?? position);
    }

    private static async Task<(GlanceImage Image, bool IsVerified)> ConfirmAsync(
        GlanceClient client, string id, long sent, string algorithm, string hash, CancellationToken cancellationToken)
    {
        var image = await client.GetAsync(id, cancellationToken).ConfigureAwait(false);
        if (image.Status != Active || image.Size != sent)
        {
            throw new ImageUnacceptableException(
                id, $"{sent} bytes were sent, but Glance says that it is {image.Status} and has {image.Size}. Try again.");
        }

        var isSame = string.Equals(image.OsHashAlgo, algorithm, StringComparison.OrdinalIgnoreCase);
        return !isSame || string.Equals(image.OsHashValue, hash, StringComparison.OrdinalIgnoreCase)
            ? (image, isSame)
            : throw new ImageHashMismatchException(id, algorithm, image.OsHashValue ?? "none", hash);
    }

    private static async Task UndoAsync(GlanceClient client, string id, Exception reason)
    {
        try
        {
            await client.DeleteIfThereAsync(id).ConfigureAwait(false);
        }
        catch (ImageUtilsException exception)
        {
            throw new ImageUnacceptableException(
                id,
                $"It could not be published ({reason.Message}), and what was registered of it could not be deleted either: "
                + $"{exception.Message} Delete it.",
                reason);
        }
    }

    // One that was there before is queued again by Glance itself, where its data did not come whole. What came whole but
    // is not what was sent can be neither replaced nor taken away without the image, only kept from being used.
    private static async Task WithdrawAsync(
        GlanceClient client, string id, string hash, ImageUtilsException reason)
    {
        if (reason is not (ImageHashMismatchException or ImageUnacceptableException))
        {
            throw new ImageUnacceptableException(
                id,
                $"All of it was sent, but what followed was not done: {reason.Message} Look at it (Get-GlanceImage): what was "
                + $"sent has the {hash}. If that is its os_hash_value, it is complete; otherwise delete it.",
                reason);
        }

        string outcome;
        try
        {
            if ((await client.GetAsync(id, CancellationToken.None).ConfigureAwait(false)).Status != Active)
            {
                return;
            }

            await client.DeactivateAsync(id, CancellationToken.None).ConfigureAwait(false);
            outcome = "It was deactivated, so that nobody uses it.";
        }
        catch (ImageUtilsException exception)
        {
            outcome = $"It could not be deactivated either: {exception.Message}";
        }

        throw new ImageUnacceptableException(
            id,
            $"{reason.Message} {outcome} Glance does not let an image's data be replaced: delete it, and publish a new one.",
            reason);
    }
}
