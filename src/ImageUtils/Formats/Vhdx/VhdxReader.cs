using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhdx;

/// <summary>Opens fixed, dynamic and differencing disks. A log that is pending is replayed in memory first.</summary>
internal static class VhdxReader
{
    internal static async ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken)
    {
        var (replayed, header, regions, metadata, fileLength) =
            await ReadStructuresAsync(source, cancellationToken).ConfigureAwait(false);
        var map = new VhdxMap(replayed, header, regions, metadata, fileLength);
        return metadata.FileParameters!.Value.HasParent
            ? new LayeredMap(map, await OpenParentAsync(metadata, context, cancellationToken).ConfigureAwait(false))
            : map;
    }

    /// <summary>Reads header, regions and metadata, which are then possible and fit the file.</summary>
    /// <exception cref="ImageFormatException">They are not.</exception>
    internal static async ValueTask<VhdxStructures> ReadStructuresAsync(
        IByteSource source, CancellationToken cancellationToken)
    {
        async ValueTask<ReadOnlyMemory<byte>> ReadAsync(
            long offset, int length, string what, CancellationToken innerToken)
        {
            var bytes = new byte[length];
            await ReadWholeAsync(source, offset, bytes, what, innerToken).ConfigureAwait(false);
            return bytes;
        }

        var first = await ReadAsync(VhdxHeader.FirstOffset, VhdxHeader.Length, "header", cancellationToken)
            .ConfigureAwait(false);
        var second = await ReadAsync(VhdxHeader.SecondOffset, VhdxHeader.Length, "header", cancellationToken)
            .ConfigureAwait(false);
        var header = VhdxHeader.FindCurrent(first.Span, second.Span);
        Refuse(CheckNames.UnknownFeatures, VhdxSafetyChecks.FindUnknownVersion(header));
        if (header.LogGuid != Guid.Empty)
        {
            source = await VhdxLog.ReplayAsync(source, header, cancellationToken).ConfigureAwait(false);
        }

        first = await ReadAsync(VhdxRegionTable.FirstOffset, VhdxRegionTable.Length, "region table", cancellationToken)
            .ConfigureAwait(false);
        second = await ReadAsync(
            VhdxRegionTable.SecondOffset, VhdxRegionTable.Length, "region table", cancellationToken)
            .ConfigureAwait(false);
        var regions = FindRegions(first.Span, second.Span);
        Refuse(CheckNames.UnknownFeatures, VhdxSafetyChecks.FindUnknownRegion(regions));
        Refuse(CheckNames.Tables, VhdxSafetyChecks.FindImpossibleRegions(header, regions));
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        Refuse(CheckNames.Tables, VhdxSafetyChecks.FindBeyondEnd(header, regions, fileLength));

        var region = Array.Find(regions, one => one.Id == VhdxIds.MetadataRegion);
        var entries = await VhdxMetadata.ReadTableAsync(ReadAsync, region, cancellationToken).ConfigureAwait(false);
        Refuse(CheckNames.UnknownFeatures, VhdxSafetyChecks.FindUnknownItem(entries));
        var metadata = await VhdxMetadata.ReadItemsAsync(ReadAsync, region, entries, cancellationToken)
            .ConfigureAwait(false);
        Refuse(
            CheckNames.Tables,
            VhdxSafetyChecks.FindImpossibleMetadata(
                metadata, Array.Find(regions, one => one.Id == VhdxIds.BatRegion)));

        return new VhdxStructures(source, header, regions, metadata, fileLength);
    }

    /// <summary>Fills a buffer from the file.</summary>
    /// <exception cref="TruncatedImageException">The file ends before.</exception>
    internal static async ValueTask ReadWholeAsync(
        IByteSource source, long offset, Memory<byte> buffer, string what, CancellationToken cancellationToken)
    {
        var read = await source.ReadAsync(offset, buffer, cancellationToken).ConfigureAwait(false);
        if (read < buffer.Length)
        {
            throw new TruncatedImageException(
                $"The VHDX {what} should be {buffer.Length} bytes at byte {offset}, but the file has only {read} of "
                + "them: the file is cut short. Get it again.");
        }
    }

    private static VhdxRegion[] FindRegions(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        var bytes = VhdxRegionTable.IsValid(first) ? first
            : VhdxRegionTable.IsValid(second) ? second
            : throw new ImageFormatException(
                CheckNames.Checksum,
                $"Neither of the VHDX region tables at bytes {VhdxRegionTable.FirstOffset} and "
                + $"{VhdxRegionTable.SecondOffset} has its signature and a checksum that holds.");
        var count = VhdxRegionTable.ReadEntryCount(bytes);
        return count <= VhdxRegionTable.MaximumEntries
            ? VhdxRegionTable.Parse(bytes)
            : throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHDX region table's entry count is {count}; at most {VhdxRegionTable.MaximumEntries} is "
                + "possible.");
    }

    private static async ValueTask<ImageMap> OpenParentAsync(
        VhdxMetadata metadata, ReaderContext context, CancellationToken cancellationToken)
    {
        if (metadata.Locator is not { } locator || locator.LocatorType != VhdxIds.VhdxParentLocatorType)
        {
            throw new ImageFormatException(
                CheckNames.Parent,
                "The VHDX depends on a parent, but its parent locator is missing, damaged or of an unknown type.");
        }

        static Guid IdOf(ImageInspection image) => (image.Details as VhdxDetails)?.DataWriteGuid ?? Guid.Empty;

        var linkages = VhdxParentLocator.LinkagesOf(locator.Entries);
        var parent = await VhdParentReference
            .OpenFirstAsync(
                VhdParentReference.Of(locator.Entries), context, ImageFormat.Vhdx,
                image => linkages.Contains(IdOf(image)), cancellationToken)
            .ConfigureAwait(false);
        var id = IdOf(parent.Inspection);
        return linkages.Contains(id)
            ? parent.Map
            : throw new ImageFormatException(
                CheckNames.Parent,
                $"The VHDX parent locator's parent linkage is {string.Join(" or ", linkages)}, but '{parent.Path}' has "
                + $"the data write guid {id}: it is not the disk's parent, or was changed since. Put the right file "
                + "there.");
    }

    private static void Refuse(string check, string? problem)
    {
        if (problem is not null)
        {
            throw new ImageFormatException(check, problem);
        }
    }
}

/// <summary>What describes a VHDX.</summary>
/// <param name="Source">The file, its log replayed.</param>
/// <param name="Header">The current header.</param>
/// <param name="Regions">The regions, which do not overlap.</param>
/// <param name="Metadata">Metadata that is possible.</param>
/// <param name="FileLength">The file's length in bytes, once its log has been replayed.</param>
internal sealed record VhdxStructures(
    IByteSource Source, VhdxHeader Header, VhdxRegion[] Regions, VhdxMetadata Metadata, long FileLength);
