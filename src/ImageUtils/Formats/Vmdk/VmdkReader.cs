using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vmdk;

/// <summary>
/// Opens a VMDK to be read: the sparse extent itself, or the files that its descriptor names; with its parent below.
/// </summary>
internal static class VmdkReader
{
    private const int SectorLength = VmdkSparseHeader.SectorLength;

    // Their extents are devices, or metadata files that stand for one.
    private static readonly string[] s_deviceTypes =
    [
        "fullDevice", "partitionedDevice", "vmfsRaw", "vmfsRawDeviceMap", "vmfsPassthroughRawDeviceMap", "vmfsRDM",
        "vmfsRDMP",
    ];

    internal static async ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken)
    {
        var reader = new ForwardReader(source);
        var bytes = await reader.ReadAsync(0, SectorLength, cancellationToken).ConfigureAwait(false);
        var magic = bytes.Length < sizeof(uint) ? 0 : BinaryPrimitives.ReadUInt32BigEndian(bytes.Span);
        if (magic == VmdkCowdHeader.Magic)
        {
            throw new UnsupportedImageException(
                "The VMDK is a COWD extent (vmfsSparse), which has no descriptor. Name the descriptor file that "
                + "it belongs to instead.");
        }

        if (magic != VmdkSparseHeader.Magic)
        {
            var text = await VmdkText.ReadAsync(reader, 0, VmdkText.MaximumLength, cancellationToken)
                .ConfigureAwait(false);
            return await OpenDescriptorAsync(VmdkDescriptor.Parse(text.ToString()), context, cancellationToken)
                .ConfigureAwait(false);
        }

        var header = VmdkSparseHeader.Parse(VmdkFormat.Whole(bytes, VmdkSparseHeader.MeaningfulLength).Span);
        var embedded = await VmdkText.ReadEmbeddedAsync(reader, header, cancellationToken).ConfigureAwait(false);
        var descriptor = VmdkDescriptor.Parse(embedded.ToString());
        if (header.CapacitySectors == 0 && header.DescriptorSector != 0)
        {
            // A descriptor with a header before it: readers take it for a descriptor file.
            return await OpenDescriptorAsync(descriptor, context, cancellationToken).ConfigureAwait(false);
        }

        if (descriptor.Extents.Count > 0 && !VmdkFormat.IsSelf(header, descriptor))
        {
            throw new UnsupportedImageException(
                "The VMDK has grains of its own, and a descriptor that names other extents: readers differ on which "
                + "ones are the disk.");
        }

        var map = await VmdkSparseMap.OpenAsync(source, header, cancellationToken).ConfigureAwait(false);
        return await LayAsync(map, descriptor, context, cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask<ImageMap> OpenDescriptorAsync(
        VmdkDescriptor descriptor, ReaderContext context, CancellationToken cancellationToken)
    {
        if (descriptor.Problem is { } problem)
        {
            throw new ImageFormatException(
                CheckNames.Descriptor, $"The VMDK descriptor is not understood: {problem}.");
        }

        if (descriptor.TotalSectors is null or 0)
        {
            throw new ImageFormatException(
                CheckNames.Descriptor,
                "The VMDK descriptor's extents have no sectors, or more than any disk can have.");
        }

        if (s_deviceTypes.Contains(descriptor.CreateType, StringComparer.OrdinalIgnoreCase))
        {
            throw new UnsupportedImageException(
                $"The VMDK's createType is '{Printable.Text(descriptor.CreateType!)}': its data are on a device. "
                + "Convert from that device, as raw, instead.");
        }

        var parts = new List<ImageMap>();
        foreach (var extent in descriptor.Extents.Where(extent => extent.Sectors > 0))
        {
            parts.Add(await OpenExtentAsync(extent, context, cancellationToken).ConfigureAwait(false));
        }

        return await LayAsync(new VmdkExtentsMap(parts), descriptor, context, cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask<ImageMap> OpenExtentAsync(
        VmdkExtentLine extent, ReaderContext context, CancellationToken cancellationToken)
    {
        var length = extent.Sectors * SectorLength;
        var type = extent.Type.ToUpperInvariant();
        if (extent.Access.Equals("NOACCESS", StringComparison.OrdinalIgnoreCase))
        {
            throw new UnsupportedImageException(
                $"The VMDK's extent '{Describe(extent)}' is not accessible (NOACCESS).");
        }

        if (type == "ZERO")
        {
            return new VmdkZeroExtent(length);
        }

        if (type is not ("FLAT" or "VMFS" or "SPARSE" or "VMFSSPARSE"))
        {
            throw new UnsupportedImageException(
                $"The VMDK's extent '{Describe(extent)}' is of type {type}, which is not read natively"
                + (type == "SESPARSE" ? ". Use the qemu engine." : ": its data are on a device."));
        }

        var source = await context.OpenDataFileAsync(extent.FileName!, cancellationToken).ConfigureAwait(false);
        if (source is FileByteSource { IsBlockDevice: true })
        {
            throw new UnsupportedImageException(
                $"The VMDK's extent '{Describe(extent)}' is a device. Convert from that device, as raw, instead.");
        }

        return type is "FLAT" or "VMFS"
            ? await OpenFlatAsync(extent, source, cancellationToken).ConfigureAwait(false)
            : await OpenSparseAsync(extent, source, cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask<ImageMap> OpenFlatAsync(
        VmdkExtentLine extent, IByteSource source, CancellationToken cancellationToken)
    {
        var end = (Int128)((extent.OffsetSectors ?? 0) + (Int128)extent.Sectors) * SectorLength;
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        return end > fileLength
            ? throw new TruncatedImageException(
                $"The VMDK's extent '{Describe(extent)}' ends at byte {end} of its file, which has only {fileLength} "
                + "bytes: it is cut short.")
            : new LinearMap(source, (extent.OffsetSectors ?? 0) * SectorLength, extent.Sectors * SectorLength);
    }

    private static async ValueTask<ImageMap> OpenSparseAsync(
        VmdkExtentLine extent, IByteSource source, CancellationToken cancellationToken)
    {
        if (extent.OffsetSectors is > 0)
        {
            throw new ImageFormatException(
                CheckNames.Extents,
                $"The VMDK's extent '{Describe(extent)}' has an offset, which a sparse one cannot have.");
        }

        var buffer = new byte[SectorLength];
        var read = await source.ReadAsync(0, buffer, cancellationToken).ConfigureAwait(false);
        var bytes = VmdkFormat.Whole(buffer.AsMemory(0, read), VmdkSparseHeader.MeaningfulLength);
        var map = BinaryPrimitives.ReadUInt32BigEndian(buffer) switch
        {
            VmdkSparseHeader.Magic => await VmdkSparseMap.OpenAsync(
                source, VmdkSparseHeader.Parse(bytes.Span), cancellationToken).ConfigureAwait(false),
            VmdkCowdHeader.Magic => await VmdkSparseMap.OpenAsync(
                source, VmdkCowdHeader.Parse(bytes.Span), cancellationToken).ConfigureAwait(false),
            var other => throw new ImageFormatException(
                CheckNames.Extents,
                $"The VMDK's extent '{Describe(extent)}' begins with 0x{other:x8} instead of KDMV or COWD."),
        };
        return map.VirtualSize == extent.Sectors * SectorLength
            ? map
            : throw new ImageFormatException(
                CheckNames.Extents,
                $"The VMDK's extent '{Describe(extent)}' has {map.VirtualSize / SectorLength} sectors by its own "
                + "header.");
    }

    private static async ValueTask<ImageMap> LayAsync(
        ImageMap map, VmdkDescriptor descriptor, ReaderContext context, CancellationToken cancellationToken)
    {
        var parentId = descriptor.ParentContentId ?? VmdkDescriptor.NoParent;
        if (descriptor.ParentFileNameHints.Count == 0 && parentId == VmdkDescriptor.NoParent)
        {
            return map;
        }

        if (descriptor.ParentFileNameHints is not [{ Length: > 0 } hint])
        {
            throw new ImageFormatException(
                CheckNames.Parent,
                $"The VMDK descriptor names {descriptor.ParentFileNameHints.Count} parents for parentCID "
                + $"{parentId:x8}; one name is needed.");
        }

        var parent = await context.OpenParentAsync(hint, ImageFormat.Vmdk, cancellationToken).ConfigureAwait(false);
        var contentId = (parent.Inspection.Details as VmdkDetails)?.ContentId;
        return contentId == parentId
            ? new LayeredMap(map, parent.Map)
            : throw new ImageFormatException(
                CheckNames.Parent,
                $"The VMDK was made over a parent with the CID {parentId:x8}, but '{parent.Path}' has "
                + $"{(contentId is { } id ? id.ToString("x8") : "none")}: it was changed since, or is another disk.");
    }

    private static string Describe(VmdkExtentLine extent) => Printable.Text(extent.ToString());
}
