using System.Diagnostics;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Qemu;

namespace ImageUtils.Conversion;

/// <summary>One conversion by qemu-img, of a source that the native inspector has passed.</summary>
internal static class QemuConversion
{
    internal static async Task<ImageConversionResult> RunAsync(
        ConversionRequest request,
        string destinationPath,
        long started,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        ThrowIfUnavailable(request);
        var inspection = request.Source.Inspection with
        {
            Passphrase = request.Qemu.SourcePassphrase ?? request.Source.Inspection.Passphrase,
        };
        var source = await VettedImage.VetChainAsync(
            request.SourcePath, inspection, request.Source.KnownRaw, cancellationToken).ConfigureAwait(false);
        var claimed = request.Source.ClaimedFormat;
        if (claimed != ImageFormat.Unknown && !claimed.Accepts(source.Format))
        {
            throw new ImageFormatMismatchException(source.Path, claimed, source.Format);
        }

        ImageConverter.ThrowIfDisabled(request, source.Format);
        var basedOn = (source.BackingChain ?? []).Select(image => image.Path).ToList();
        ImageConverter.ThrowIfDestinationIsSource(request, source.Path, basedOn, destinationPath);

        var qemu = QemuImg.Find(request.Qemu.Path);
        using var destination = Destination.CreateNamed(
            destinationPath, request.Overwrite, Destination.ModeOfCopy([source.Path, .. basedOn]));
        var virtualSize = source.Inspection.InnerImage?.VirtualSize ?? source.Inspection.VirtualSize ?? 0;
        if (destination is { IsDevice: true, Sink.Capacity: { } capacity } && capacity < virtualSize)
        {
            throw new ImageWriteException(
                ImageWriteProblem.TooLarge, destinationPath,
                $"'{destinationPath}' has {capacity} bytes, but the disk has {virtualSize}. Nothing was written; use a "
                + "larger device.");
        }

        await qemu.ConvertAsync(
            source,
            ToOptions(request, source, destination.PartPath ?? destination.Path),
            progress is null ? null : new PercentProgress(progress, virtualSize),
            cancellationToken).ConfigureAwait(false);
        if (request.InPlace)
        {
            destination.TakePermissionsOf(source.Path);
        }

        var (found, length) = await ResultCheck.InspectAsync(destination, request, null, cancellationToken)
            .ConfigureAwait(false);
        if (request.Verify)
        {
            await VerifyAsync(request, source, destination, progress, cancellationToken).ConfigureAwait(false);
        }

        cancellationToken.ThrowIfCancellationRequested();
        destination.Commit();
        return new ImageConversionResult
        {
            Source = source.Path,
            Destination = destination.Path,
            SourceFormat = source.Format,
            DestinationFormat = request.DestinationFormat,
            Subformat = found.Subformat,
            VirtualSize = virtualSize,
            FileSize = length,
            Duration = Stopwatch.GetElapsedTime(started),
            Engine = ConversionEngine.Qemu,
            Verified = request.Verify,
        };
    }

    private static void ThrowIfUnavailable(ConversionRequest request)
    {
        (string Name, bool IsSet)[] native =
        [
            ("Resume", request.Resume),
            ("VirtualSize", request.VirtualSize is not null),
            (nameof(request.Target.CompressionLevel), request.Target.CompressionLevel is not null),
            (nameof(request.Target.AzureAligned), request.Target.AzureAligned),
        ];
        foreach (var (name, isSet) in native)
        {
            if (isSet)
            {
                throw new ImageOptionException(
                    name, $"{name} is the native engine's; qemu-img, which this conversion needs, cannot do it.");
            }
        }
    }

    private static async Task VerifyAsync(
        ConversionRequest request,
        VettedImage source,
        Destination destination,
        IProgress<ConversionProgress>? progress,
        CancellationToken cancellationToken)
    {
        if (ImageOpener.FindReader(source.Format) is null || source.Inspection.IsEncrypted
            || ImageOpener.FindReader(request.DestinationFormat) is null || request.Qemu.Encryption is not null)
        {
            throw new ImageOptionException(
                "Verify",
                $"A conversion from {source.Format.ToName()} to {request.DestinationFormat.ToName()} cannot be verified: "
                + "one of the two is not read natively. Leave -Verify out.");
        }

        using var image = await ImageOpener.OpenAsync(source.Path, request.Source, cancellationToken)
            .ConfigureAwait(false);
        var digest = await GuestDigest.OfAsync(image.Map, null, cancellationToken).ConfigureAwait(false);
        await ResultCheck.VerifyAsync(
            destination, request, digest,
            position => progress?.Report(
                new ConversionProgress(ConversionStage.Verifying, position, image.Map.VirtualSize)),
            cancellationToken).ConfigureAwait(false);
    }

    private static QemuConvertOptions ToOptions(ConversionRequest request, VettedImage source, string destination)
    {
        var target = request.Target;
        var snapshot = request.Source.Snapshot;
        var byId = source.Inspection.Snapshots.Any(one => one.Id == snapshot);
        return new QemuConvertOptions
        {
            DestinationPath = destination,
            DestinationFormat = request.DestinationFormat,
            FormatOptions = QemuTargetOptions.Of(request.DestinationFormat, target),
            Compress = target.Compress,
            SnapshotId = byId ? snapshot : null,
            SnapshotName = byId ? null : snapshot,
            BandwidthLimit = request.BandwidthLimit,
            SourcePassphrase = source.Inspection.IsEncrypted ? request.Qemu.SourcePassphrase : null,
            Encryption = request.Qemu.Encryption,
            AllowDecrypt = request.Qemu.AllowDecrypt,
            Limits = request.Qemu.Limits,
            CgroupPath = request.Qemu.CgroupPath,
            ElevationCommand = request.Qemu.ElevationCommand,
        };
    }

    private sealed class PercentProgress(IProgress<ConversionProgress> progress, long total) : IProgress<double>
    {
        public void Report(double value) => progress.Report(
            new ConversionProgress(ConversionStage.Converting, (long)(total * value / 100), total));
    }
}
