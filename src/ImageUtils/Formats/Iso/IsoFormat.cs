using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Iso;

/// <summary>Optical disc images: ISO 9660, UDF, and discs that are both.</summary>
internal sealed class IsoFormat : IImageFormat
{
    // Hard disks, discs, and disks of large sectors.
    private static readonly int[] s_udfBlockSizes = [512, 2048, 4096];

    public ImageFormat Format => ImageFormat.Iso;

    public IReadOnlyList<SafetyCheck> Checks => IsoSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        const int IdentifierEnd = 6;
        var first = await reader
            .ReadAsync(VolumeDescriptors.Offset, IdentifierEnd, cancellationToken).ConfigureAwait(false);
        if (!VolumeDescriptors.IsUdfExtension(first.Span))
        {
            return VolumeDescriptors.IsFirst(first.Span);
        }

        for (var index = 1; index < VolumeDescriptors.MaximumCount; index++)
        {
            var next = await reader
                .ReadAsync(
                    VolumeDescriptors.Offset + index * VolumeDescriptors.SectorSize, IdentifierEnd, cancellationToken)
                .ConfigureAwait(false);
            if (VolumeDescriptors.IsUdf(next.Span))
            {
                return true;
            }
        }

        return false;
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        try
        {
            var area = await context.Reader
                .ReadAsync(
                    VolumeDescriptors.Offset, VolumeDescriptors.MaximumCount * VolumeDescriptors.SectorSize,
                    cancellationToken)
                .ConfigureAwait(false);
            var descriptors = VolumeDescriptors.Parse(area.Span);
            context.Image.Subformat = descriptors switch
            {
                { IsIso9660: true, UdfDescriptor: not null } => "iso9660+udf",
                { UdfDescriptor: not null } => "udf",
                _ => "iso9660",
            };
            context.Image.Details = new IsoDetails
            {
                IsBootable = descriptors.IsBootable,
                IsJoliet = descriptors.IsJoliet,
                IsUdf = descriptors.UdfDescriptor is not null,
                UdfDescriptor = descriptors.UdfDescriptor,
            };
            if (descriptors.UdfDescriptor is not null && !descriptors.IsIso9660)
            {
                await InspectUdfAsync(context, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                await InspectIso9660Async(context, descriptors, area, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (ImageFormatException exception)
        {
            context.FailMalformed(Checks, exception);
        }

        // To qemu the disc is raw, however long its volume says that it is.
        context.Image.VirtualSize = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask InspectIso9660Async(
        InspectionContext context,
        VolumeDescriptors descriptors,
        ReadOnlyMemory<byte> area,
        CancellationToken cancellationToken)
    {
        if (area.Length < VolumeDescriptors.SectorSize)
        {
            throw new TruncatedImageException(
                $"The ISO 9660 volume descriptor at byte {VolumeDescriptors.Offset} has {VolumeDescriptors.SectorSize} "
                + $"bytes, but the file has only {area.Length} of them: it is cut short.");
        }

        if (descriptors.PrimaryAt is not { } at)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The ISO 9660 volume has no primary descriptor (type 1) from byte {VolumeDescriptors.Offset} on.");
        }

        var primary = PrimaryVolumeDescriptor.Parse(area.Span.Slice(at, VolumeDescriptors.SectorSize));
        var volumeSize = (long)primary.VolumeSpaceBlocks * primary.BlockSize;
        context.Image.Details = (IsoDetails)context.Image.Details! with
        {
            VolumeSize = volumeSize,
            BlockSize = primary.BlockSize,
            VolumeId = primary.VolumeId,
            SystemId = primary.SystemId,
            PublisherId = primary.PublisherId,
            ApplicationId = primary.ApplicationId,
        };
        context.Judge(CheckNames.Tables, IsoSafetyChecks.FindImpossible(primary, VolumeDescriptors.Offset + at));
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        context.Judge(CheckNames.Truncated, IsoSafetyChecks.FindCut(volumeSize, fileLength));
    }

    private static async ValueTask InspectUdfAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        foreach (var blockSize in s_udfBlockSizes)
        {
            var bytes = await context.Reader
                .ReadAsync((long)UdfAnchor.Block * blockSize, UdfAnchor.Length, cancellationToken)
                .ConfigureAwait(false);
            if (UdfAnchor.TryParse(bytes.Span) is { } anchor)
            {
                context.Pass(CheckNames.Tables);
                var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
                context.Judge(CheckNames.Truncated, IsoSafetyChecks.FindCut(anchor, blockSize, fileLength));
                return;
            }
        }

        // Two of three places hold an anchor; the other two depend on the disc's size, which is not known without one.
        throw new ImageFormatException(
            await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false) <= UdfAnchor.Block * 2048L
                ? CheckNames.Truncated
                : CheckNames.Tables,
            "The UDF volume has no anchor in block 256, for blocks of 512, 2048 or 4096 bytes.");
    }
}
