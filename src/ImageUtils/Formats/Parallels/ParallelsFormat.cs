using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Parallels;

/// <summary>Parallels expandable images, which Virtuozzo calls ploop.</summary>
internal sealed class ParallelsFormat : IImageFormat
{
    // The table of a disk of 8 GiB with the usual clusters of 1 MiB.
    private const int MaximumTableRead = 32 * 1024;

    public ImageFormat Format => ImageFormat.Ploop;

    public ReadOnlySpan<byte> FirstBytes => "W"u8;

    public IReadOnlyList<SafetyCheck> Checks => ParallelsSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader.ReadAsync(0, ParallelsHeader.MagicLength, cancellationToken).ConfigureAwait(false);
        return bytes.Span.SequenceEqual(ParallelsHeader.Magic)
            || bytes.Span.SequenceEqual(ParallelsHeader.ExtendedMagic);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var bytes = await context.ReadWholeAsync(0, ParallelsHeader.Length, "Parallels header", cancellationToken)
            .ConfigureAwait(false);
        var header = ParallelsHeader.Parse(bytes.Span);
        Describe(context.Image, header);
        context.Judge(CheckNames.Version, ParallelsSafetyChecks.FindVersion(header));
        if (ParallelsSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        var table = await context.Reader
            .ReadAsync(
                ParallelsHeader.Length, (int)Math.Min(header.BatEntries * 4L, MaximumTableRead), cancellationToken)
            .ConfigureAwait(false);
        var misplaced = ParallelsSafetyChecks.FindMisplaced(header, table.Span, out var furthest);
        furthest = Math.Max(furthest, (long)header.ExtensionSector * 512);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var tableEnd = ParallelsSafetyChecks.TableEnd(header);
        context.Judge(
            CheckNames.Tables,
            misplaced ?? (tableEnd <= fileLength
                ? null
                : $"The Parallels block allocation table has {header.BatEntries} entries and ends at byte {tableEnd}, "
                    + $"beyond the file's {fileLength} bytes."));
        context.Judge(
            CheckNames.Truncated,
            furthest < fileLength && header.DataSector * 512L <= fileLength
                ? null
                : $"The Parallels data area starts at sector {header.DataSector} and its furthest block at byte "
                    + $"{furthest}, but the file has only {fileLength} bytes: it is cut short.");
    }

    private static void Describe(ImageInspection image, ParallelsHeader header)
    {
        image.FormatVersion = header.Version.ToString();
        image.Subformat = header.IsExtended ? "WithouFreSpacExt" : "WithoutFreeSpace";
        image.VirtualSize = header.Sectors <= ParallelsSafetyChecks.MaximumSectors ? (long)header.Sectors * 512 : null;
        image.ClusterSize = header.ClusterSectors == 0 ? null : header.ClusterSectors * 512L;
        image.IsDirty = header.InUse == ParallelsHeader.InUseMagic;
        image.Features =
        [
            .. (header.Flags & ParallelsHeader.EmptyFlag) != 0 ? ["empty image"] : (string[])[],
            .. header.ExtensionSector != 0 ? ["format extension"] : (string[])[],
        ];
        image.Details = new ParallelsDetails(
            header.Heads, header.Cylinders, header.DataSector == 0 ? null : header.DataSector * 512L,
            header.ExtensionSector != 0);
    }
}
