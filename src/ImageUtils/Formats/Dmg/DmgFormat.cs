using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Dmg;

/// <summary>Apple disk images, which are known by their end alone.</summary>
internal sealed class DmgFormat : IImageFormat
{
    public ImageFormat Format => ImageFormat.Dmg;

    public IReadOnlyList<SafetyCheck> Checks => DmgSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var tail = await reader.ReadTailAsync(DmgTrailer.Length, cancellationToken).ConfigureAwait(false);
        return tail.Length == DmgTrailer.Length && tail.Span.StartsWith("koly"u8);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var tail = await context.Reader.ReadTailAsync(DmgTrailer.Length, cancellationToken).ConfigureAwait(false);
        var offset = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false) - DmgTrailer.Length;
        var trailer = DmgTrailer.Parse(tail.Span);
        var image = context.Image;
        image.FormatVersion = trailer.Version.ToString();
        image.VirtualSize = trailer.SectorCount <= DmgSafetyChecks.MaximumSectors
            ? (long)trailer.SectorCount * 512
            : null;
        image.Details = new DmgDetails(trailer.SegmentNumber, trailer.SegmentCount, trailer.ImageVariant);
        context.Judge(CheckNames.Version, DmgSafetyChecks.FindVersion(trailer, offset));
        context.Judge(CheckNames.Tables, DmgSafetyChecks.FindMisplaced(trailer, offset));
        context.Judge(CheckNames.Truncated, DmgSafetyChecks.FindSegment(trailer));
    }
}
