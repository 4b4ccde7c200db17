using ImageUtils.Safety;

namespace ImageUtils.Formats.Dmg;

/// <summary>What a UDIF trailer may claim. Limits are those of QEMU's block/dmg.c.</summary>
internal static class DmgSafetyChecks
{
    internal const uint KnownVersion = 4;
    internal const ulong MaximumXmlLength = 16 * 1024 * 1024;
    internal const ulong MaximumSectors = long.MaxValue / 512;

    internal static IReadOnlyList<SafetyCheck> Declared { get; } =
    [
        new(CheckNames.Version, "The trailer's version is 4 and its size 512 bytes."),
        new(CheckNames.Tables, "The forks and the property list lie before the trailer and are of sane size."),
        new(CheckNames.Truncated, "The image is whole, and no segment of a larger one."),
    ];

    internal static string? FindVersion(DmgTrailer trailer, long offset) =>
        trailer is { Version: KnownVersion, HeaderSize: DmgTrailer.Length }
            ? null
            : $"The dmg trailer at byte {offset} has version {trailer.Version} and size {trailer.HeaderSize}; "
                + $"{KnownVersion} and {DmgTrailer.Length} are known.";

    internal static string? FindSegment(DmgTrailer trailer) => trailer.SegmentCount > 1
        ? $"The dmg is segment {trailer.SegmentNumber} of {trailer.SegmentCount}: the rest is in other files."
        : null;

    /// <summary>What of the trailer's structures cannot be where it says; null where all can.</summary>
    /// <param name="trailer">The trailer.</param>
    /// <param name="offset">Where it starts in the file: nothing else reaches behind that.</param>
    internal static string? FindMisplaced(DmgTrailer trailer, long offset)
    {
        if (trailer.SectorCount > MaximumSectors)
        {
            return $"The dmg trailer's sector count at byte {offset + 492} is {trailer.SectorCount}, "
                + "more than any disk can have.";
        }

        if (trailer.XmlLength > MaximumXmlLength)
        {
            return $"The dmg trailer's XML length at byte {offset + 224} is {trailer.XmlLength} bytes; "
                + $"{MaximumXmlLength} are the most that readers accept.";
        }

        if (trailer is { XmlLength: 0, ResourceForkLength: 0 })
        {
            return "The dmg trailer names neither a property list nor a resource fork: nothing says where its data is.";
        }

        return FindBeyond("data fork", trailer.DataForkOffset, trailer.DataForkLength, offset)
            ?? FindBeyond("resource fork", trailer.ResourceForkOffset, trailer.ResourceForkLength, offset)
            ?? FindBeyond("property list", trailer.XmlOffset, trailer.XmlLength, offset);
    }

    private static string? FindBeyond(string what, ulong offset, ulong length, long end) =>
        (UInt128)offset + length > (ulong)end
            ? $"The dmg {what} has {length} bytes at byte {offset}, and so runs into the trailer at byte {end}."
            : null;
}
