using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Conversion;

/// <summary>Looks at what a conversion made, before it gets its name.</summary>
internal static class ResultCheck
{
    /// <summary>Inspects the result: it must be what was asked for, safe, and of the right size.</summary>
    /// <returns>What was found, and the file's length.</returns>
    /// <exception cref="ConversionResultException">It is not.</exception>
    internal static async ValueTask<(ImageInspection Inspection, long Length)> InspectAsync(
        Destination destination, ConversionRequest request, long? virtualSize, CancellationToken cancellationToken)
    {
        using var file = FileByteSource.Open(destination.ReadablePath);
        if (file.Length == 0)
        {
            // An empty disk makes an empty raw file, in which there is nothing to look at.
            return (new ImageInspection { Format = ImageFormat.Raw, VirtualSize = 0 }, 0);
        }

        var policy = request.Source.Inspection.Policy;
        var inspection = await ImageInspector.InspectAsync(
            file,
            new InspectionOptions
            {
                Path = destination.Path,
                Passphrase = request.Qemu.Encryption?.Passphrase,
                Policy = policy with
                {
                    // A kind of VMDK that was asked for is one that is allowed.
                    AllowedVmdkTypes = request.Target.Subformat is { } type
                        ? [.. policy.AllowedVmdkTypes, type]
                        : policy.AllowedVmdkTypes,
                },
            },
            cancellationToken).ConfigureAwait(false);
        var wanted = request.DestinationFormat;
        if (wanted.ToQemuName() == "raw"
            ? inspection.Format.ToQemuName() != "raw"
            : inspection.Format != wanted)
        {
            throw new ConversionResultException(
                destination.Path,
                $"it should be {wanted.ToName()}, but what came out looks like {inspection.Format.ToName()}. A guest "
                + "may have written that into its disk to have it taken for an image.");
        }

        // A format that is banned as a source may still be asked for.
        var failures = inspection.Failures.Where(failure => failure.Name != CheckNames.Banned).ToList();
        if (failures.Count > 0 && wanted.ToQemuName() != "raw")
        {
            throw new ConversionResultException(
                destination.Path, string.Join(" ", failures.Select(failure => $"{failure.Name}: {failure.Message}")));
        }

        // A raw image on a device is as large as the device.
        return virtualSize is null || inspection.VirtualSize == virtualSize
            || (wanted.ToQemuName() == "raw" && destination.IsDevice)
            ? (inspection, file.Length)
            : throw new ConversionResultException(
                destination.Path,
                $"its disk should have {virtualSize} bytes, but it says {inspection.VirtualSize}.");
    }

    /// <summary>Reads the result back and compares its data's hash.</summary>
    /// <exception cref="VerificationFailedException">It differs.</exception>
    internal static async ValueTask VerifyAsync(
        Destination destination,
        ConversionRequest request,
        byte[] digest,
        Action<long> onPosition,
        CancellationToken cancellationToken)
    {
        var options = new OpenOptions
        {
            KnownRaw = request.DestinationFormat.ToQemuName() == "raw",
            Inspection = new InspectionOptions
            {
                Policy = request.Source.Inspection.Policy with
                {
                    AllowedVmdkTypes = request.Target.Subformat is { } type ? [type] : ["streamOptimized", "monolithicSparse"],
                },
            },
        };
        if (options.KnownRaw && IsEmpty(destination))
        {
            // There is nothing to read back, and no image of no bytes.
            return;
        }

        using var image = await ImageOpener.OpenAsync(destination.ReadablePath, options, cancellationToken)
            .ConfigureAwait(false);
        var read = await GuestDigest.OfAsync(image.Map, onPosition, cancellationToken).ConfigureAwait(false);
        if (!read.AsSpan().SequenceEqual(digest))
        {
            throw new VerificationFailedException(destination.Path);
        }
    }

    private static bool IsEmpty(Destination destination)
    {
        using var file = FileByteSource.Open(destination.ReadablePath);
        return file.Length == 0;
    }
}
