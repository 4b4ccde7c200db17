using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhd;

/// <summary>Opens fixed, dynamic and differencing disks.</summary>
/// <remarks>
/// The footer of a dynamic disk is its copy at byte 0, as in QEMU; the inspector has seen that both agree. A fixed disk
/// has only the one at the file's end.
/// </remarks>
internal static class VhdReader
{
    internal static async ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken)
    {
        var structures = await ReadStructuresAsync(source, cancellationToken).ConfigureAwait(false);
        if (structures.Header is not { } header)
        {
            return new LinearMap(source, 0, (long)structures.Footer.GuestSize);
        }

        var map = new VhdMap(source, structures.Footer, header, structures.DataEnd);
        return structures.Footer.DiskType == VhdDiskType.Differencing
            ? new LayeredMap(
                map, await OpenParentAsync(source, header, context, cancellationToken).ConfigureAwait(false))
            : map;
    }

    /// <summary>Reads footer and header, which are then possible and fit the file.</summary>
    /// <exception cref="ImageFormatException">They are not.</exception>
    internal static async ValueTask<VhdStructures> ReadStructuresAsync(
        IByteSource source, CancellationToken cancellationToken)
    {
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var tail = new byte[Math.Min(VhdFooter.Length, fileLength)];
        await ReadWholeAsync(source, fileLength - tail.Length, tail, "footer", cancellationToken)
            .ConfigureAwait(false);
        var end = VhdFormat.FindFooter(tail);
        var dataEnd = fileLength - end.Length;
        var head = new byte[tail.Length];
        await ReadWholeAsync(source, 0, head, "footer's copy", cancellationToken).ConfigureAwait(false);
        if (head.Length < VhdFooter.Length || !head.AsSpan().StartsWith(VhdFooter.Cookie))
        {
            return new VhdStructures(ParseFixed(end, fileLength), null, dataEnd);
        }

        var footer = VhdFooter.Parse(head);
        Refuse(CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(footer, isAtEnd: false));
        Refuse(CheckNames.Tables, VhdSafetyChecks.FindMisplacedHeader(footer));
        var bytes = new byte[VhdDynamicHeader.Length];
        await ReadWholeAsync(source, (long)footer.DataOffset, bytes, "dynamic header", cancellationToken)
            .ConfigureAwait(false);
        if (!bytes.AsSpan().StartsWith(VhdDynamicHeader.Cookie))
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHD footer's data offset at byte 16 is {footer.DataOffset}, but no dynamic header (cookie "
                + "'cxsparse') is there.");
        }

        var header = VhdDynamicHeader.Parse(bytes);
        Refuse(CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(header));
        Refuse(CheckNames.Tables, VhdSafetyChecks.FindImpossible(footer, header));
        Refuse(CheckNames.Tables, VhdSafetyChecks.FindTableBeyondEnd(header, fileLength));
        return new VhdStructures(footer, header, dataEnd);
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
                $"The VHD {what} should be {buffer.Length} bytes at byte {offset}, but the file has only {read} of "
                + "them: the file is cut short. Get it again.");
        }
    }

    private static VhdFooter ParseFixed(ReadOnlyMemory<byte> end, long fileLength)
    {
        if (end.Length == 0)
        {
            throw new TruncatedImageException(
                $"The VHD has no footer in the last {VhdFooter.Length} of its {fileLength} bytes: the file is cut "
                + "short, or something was appended to it.");
        }

        var footer = VhdFooter.Parse(end.Span);
        Refuse(CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(footer, isAtEnd: true));
        if (footer.DiskType != VhdDiskType.Fixed)
        {
            throw new ImageFormatException(
                CheckNames.Checksum,
                $"The VHD footer's disk type at byte {fileLength - end.Length + 60} is {(uint)footer.DiskType}, but "
                + "its copy at byte 0 is missing: the file's beginning is lost or overwritten.");
        }

        Refuse(CheckNames.Tables, VhdSafetyChecks.FindImpossible(footer));
        return VhdSafetyChecks.FindCutShort(footer, fileLength, end.Length) is { } cut
            ? throw new TruncatedImageException(cut)
            : footer;
    }

    private static async ValueTask<ImageMap> OpenParentAsync(
        IByteSource source,
        VhdDynamicHeader header,
        ReaderContext context,
        CancellationToken cancellationToken)
    {
        // vhd-util puts VHDs over raw images, which have no identity. What should have one is never taken for raw.
        var format = header.ParentUniqueId == Guid.Empty ? ImageFormat.Raw : ImageFormat.Vhd;
        static Guid IdOf(ImageInspection image) => (image.Details as VhdDetails)?.UniqueId ?? Guid.Empty;

        var locators = await ReadLocatorsAsync(source, header, cancellationToken).ConfigureAwait(false);
        var parent = await VhdParentReference
            .OpenFirstAsync(
                VhdParentReference.Of(locators, header.ParentUnicodeName, header.ParentUniqueId), context, format,
                image => IdOf(image) == header.ParentUniqueId, cancellationToken)
            .ConfigureAwait(false);
        var id = IdOf(parent.Inspection);
        return id == header.ParentUniqueId
            ? parent.Map
            : throw new ImageFormatException(
                CheckNames.Parent,
                $"The VHD dynamic header's parent unique id is {header.ParentUniqueId}, but '{parent.Path}' has the "
                + $"unique id {id}: it is not the disk's parent, or was replaced. Put the right file there.");
    }

    private static async ValueTask<List<VhdParentName>> ReadLocatorsAsync(
        IByteSource source, VhdDynamicHeader header, CancellationToken cancellationToken)
    {
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var names = new List<VhdParentName>();
        foreach (var locator in header.ParentLocators)
        {
            if (!locator.IsText
                || locator.PlatformDataLength is 0 or > VhdSafetyChecks.MaximumLocatorLength
                || locator.PlatformDataLength > fileLength
                || locator.PlatformDataOffset > (ulong)fileLength - locator.PlatformDataLength)
            {
                continue;
            }

            var bytes = new byte[locator.PlatformDataLength];
            await ReadWholeAsync(
                source, (long)locator.PlatformDataOffset, bytes, "parent locator", cancellationToken)
                .ConfigureAwait(false);
            names.Add(new VhdParentName(VhdFooter.Text(locator.PlatformCode), locator.DecodeName(bytes)));
        }

        return names;
    }

    private static void Refuse(string check, string? problem)
    {
        if (problem is not null)
        {
            throw new ImageFormatException(check, problem);
        }
    }
}

/// <summary>What describes a VHD.</summary>
/// <param name="Footer">The footer that readers go by.</param>
/// <param name="Header">The dynamic header; null: the disk is fixed.</param>
/// <param name="DataEnd">Where the footer at the file's end begins, in bytes; the file's length where it is missing.</param>
internal sealed record VhdStructures(VhdFooter Footer, VhdDynamicHeader? Header, long DataEnd);
