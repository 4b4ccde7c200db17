using System.Buffers.Binary;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vdi;

/// <summary>VirtualBox disk images: dynamic, static, undo and differencing.</summary>
internal sealed class VdiFormat : IReadableFormat, IWritableFormat
{
    // What is read of the block map: the entries of 8 GiB with blocks of the usual 1 MiB.
    private const int MaximumMapRead = 32 * 1024;

    public ImageFormat Format => ImageFormat.Vdi;

    public IReadOnlyList<SafetyCheck> Checks => VdiSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader
            .ReadAsync(VdiHeader.SignatureOffset, sizeof(uint), cancellationToken).ConfigureAwait(false);
        return bytes.Length == sizeof(uint)
            && BinaryPrimitives.ReadUInt32LittleEndian(bytes.Span) == VdiHeader.Signature;
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var bytes = await context.ReadWholeAsync(0, VdiHeader.Length, "VDI header", cancellationToken)
            .ConfigureAwait(false);
        var header = VdiHeader.Parse(bytes.Span);
        Describe(context.Image, header);
        context.Judge(CheckNames.Parent, VdiSafetyChecks.FindParent(header));
        context.Judge(CheckNames.Version, VdiSafetyChecks.FindUnknownVersion(header));
        if (VdiSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        var mapLength = header.BlocksInImage * 4L;
        var map = await context.Reader
            .ReadAsync(header.BlockMapOffset, (int)Math.Min(mapLength, MaximumMapRead), cancellationToken)
            .ConfigureAwait(false);
        var misplaced = VdiSafetyChecks.FindMisplacedBlock(header, map.Span, out var furthestEnd);
        context.Judge(CheckNames.Tables, misplaced);

        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var mapEnd = header.BlockMapOffset + mapLength;
        var dataEnd = Math.Max(furthestEnd, VdiSafetyChecks.FindDataEnd(header));
        context.Judge(
            CheckNames.Truncated,
            mapEnd > fileLength
                ? $"The VDI block map of {mapLength} bytes at byte {header.BlockMapOffset} ends beyond the file's "
                    + $"{fileLength} bytes: it is cut short."
                : dataEnd > fileLength
                    ? $"The VDI's allocated blocks end at byte {dataEnd}, but the file has only "
                        + $"{fileLength} bytes: it is cut short."
                    : null);
    }

    public async ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken) =>
        await VdiMap.OpenAsync(source, cancellationToken).ConfigureAwait(false);

    public ImageWriter CreateWriter(WriterOptions options) => new VdiWriter(options);

    private static void Describe(ImageInspection image, VdiHeader header)
    {
        var type = header.ImageType switch
        {
            VdiImageType.Dynamic => "dynamic",
            VdiImageType.Static => "static",
            VdiImageType.Undo => "undo",
            VdiImageType.Differencing => "differencing",
            var other => $"unknown ({(uint)other})",
        };
        image.FormatVersion = $"{header.Version >> 16}.{header.Version & 0xFFFF}";
        image.Subformat = type;
        image.ClusterSize = header.BlockSize;

        // VBoxManage makes disks that end within a sector; QEMU shows that sector whole.
        image.VirtualSize = header.DiskSize <= VdiSafetyChecks.MaximumDiskSize
            ? (long)(header.DiskSize + VdiHeader.SectorSizeOfDisk - 1) / VdiHeader.SectorSizeOfDisk
                * VdiHeader.SectorSizeOfDisk
            : null;
        image.Details = new VdiDetails
        {
            ImageType = type,
            Text = header.Text.TrimEnd('\n'),
            Description = header.Description,
            BlockMapOffset = header.BlockMapOffset,
            DataOffset = header.DataOffset,
            BlockExtra = header.BlockExtra,
            BlocksInImage = header.BlocksInImage,
            BlocksAllocated = header.BlocksAllocated,
            ImageId = header.ImageId,
            ModificationId = header.ModificationId,
            ParentId = header.ParentId == Guid.Empty ? null : header.ParentId,
            ParentModificationId = header.ParentModificationId == Guid.Empty ? null : header.ParentModificationId,
        };
    }
}
