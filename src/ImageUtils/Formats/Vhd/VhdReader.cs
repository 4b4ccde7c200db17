using ImageUtils.Errors;
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
    // A relative name says most surely which file is meant: it still holds when the chain has been moved.
    private static readonly uint[] s_locatorOrder =
        [VhdParentLocator.WindowsRelative, VhdParentLocator.WindowsAbsolute, VhdParentLocator.MacUrl];

    internal static async ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken)
    {
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var tail = new byte[Math.Min(VhdFooter.Length, fileLength)];
        await ReadWholeAsync(source, fileLength - tail.Length, tail, "footer", cancellationToken)
            .ConfigureAwait(false);
        var end = VhdFormat.FindFooter(tail);
        var head = new byte[tail.Length];
        await ReadWholeAsync(source, 0, head, "footer's copy", cancellationToken).ConfigureAwait(false);
        if (head.Length < VhdFooter.Length || !head.AsSpan().StartsWith(VhdFooter.Cookie))
        {
            return OpenFixed(source, end, fileLength);
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
        var map = new VhdMap(source, footer, header, fileLength - end.Length);
        return footer.DiskType == VhdDiskType.Differencing
            ? new LayeredMap(
                map,
                await OpenParentAsync(source, header, fileLength, context, cancellationToken).ConfigureAwait(false))
            : map;
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

    private static LinearMap OpenFixed(IByteSource source, ReadOnlyMemory<byte> end, long fileLength)
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
            : new LinearMap(source, 0, (long)footer.GuestSize);
    }

    private static async ValueTask<ImageMap> OpenParentAsync(
        IByteSource source,
        VhdDynamicHeader header,
        long fileLength,
        ReaderContext context,
        CancellationToken cancellationToken)
    {
        // vhd-util puts VHDs over raw images, which have no identity. What should have one is never taken for raw.
        var format = header.ParentUniqueId == Guid.Empty ? ImageFormat.Raw : ImageFormat.Vhd;
        var names = await ReadNamesAsync(source, header, fileLength, cancellationToken).ConfigureAwait(false);
        var parent = await context.OpenFirstParentAsync(names, format, cancellationToken).ConfigureAwait(false)
            ?? throw new ImageFormatException(
                CheckNames.Parent, "The VHD depends on a parent, but names it in no way that can be read.");
        var id = (parent.Inspection.Details as VhdDetails)?.UniqueId ?? Guid.Empty;
        return id == header.ParentUniqueId
            ? parent.Map
            : throw new ImageFormatException(
                CheckNames.Parent,
                $"The VHD dynamic header's parent unique id is {header.ParentUniqueId}, but '{parent.Path}' has the "
                + $"unique id {id}: it is not the disk's parent, or was replaced. Put the right file there.");
    }

    private static async ValueTask<List<string>> ReadNamesAsync(
        IByteSource source, VhdDynamicHeader header, long fileLength, CancellationToken cancellationToken)
    {
        var names = new List<string>();
        foreach (var code in s_locatorOrder)
        {
            foreach (var locator in header.ParentLocators)
            {
                if (locator.PlatformCode != code
                    || locator.PlatformDataLength is 0 or > VhdSafetyChecks.MaximumLocatorLength
                    || locator.PlatformDataOffset + locator.PlatformDataLength > (ulong)fileLength)
                {
                    continue;
                }

                var bytes = new byte[locator.PlatformDataLength];
                await ReadWholeAsync(
                    source, (long)locator.PlatformDataOffset, bytes, "parent locator", cancellationToken)
                    .ConfigureAwait(false);
                names.Add(VhdParentLocator.ToPath(locator.DecodeName(bytes)));
            }
        }

        names.Add(VhdParentLocator.ToPath(header.ParentUnicodeName));
        names.RemoveAll(name => name.Length == 0);
        return [.. names.Distinct()];
    }

    private static void Refuse(string check, string? problem)
    {
        if (problem is not null)
        {
            throw new ImageFormatException(check, problem);
        }
    }
}
