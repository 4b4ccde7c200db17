using System.Globalization;

namespace ImageUtils.Formats.Vmdk;

/// <summary>One line of a descriptor's extent section.</summary>
/// <remarks>
/// VMware Virtual Disk Format 5.0, "The Extent Description":
/// <c>access size-in-sectors type ["file name" [offset-in-sectors]]</c>, in any case and with any white space between.
/// </remarks>
/// <param name="Access">RW, RDONLY or NOACCESS.</param>
/// <param name="Sectors">The extent's size.</param>
/// <param name="Type">One of <see cref="Types"/>.</param>
/// <param name="FileName">The file, or null where the type needs none (ZERO).</param>
/// <param name="OffsetSectors">Where the extent starts in its file.</param>
internal sealed record VmdkExtentLine(
    string Access, long Sectors, string Type, string? FileName = null, long? OffsetSectors = null)
{
    /// <summary>The types that are known.</summary>
    internal static readonly string[] Types =
        ["FLAT", "SPARSE", "ZERO", "VMFS", "VMFSSPARSE", "VMFSRDM", "VMFSRAW", "SESPARSE"];

    // qemu reads no more, and takes what it has for the name.
    private const int MaximumNameLength = 511;

    private static readonly string[] s_accesses = ["RW", "RDONLY", "NOACCESS"];

    internal bool IsOfType(string type) => Type.Equals(type, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether the line's first word makes it an extent's, however malformed the rest is.</summary>
    internal static bool IsExtent(string line)
    {
        var end = line.AsSpan().IndexOfAny(" \t");
        var word = end < 0 ? line : line[..end];
        return s_accesses.Contains(word, StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>Reads a trimmed line; null where it is not understood whole.</summary>
    internal static VmdkExtentLine? Parse(string line)
    {
        var quote = line.IndexOf('"', StringComparison.Ordinal);
        var words = Split(quote < 0 ? line : line[..quote]);
        if (words.Length != 3
            || !s_accesses.Contains(words[0], StringComparer.OrdinalIgnoreCase)
            || !TryParseNumber(words[1], out var sectors)
            || !Types.Contains(words[2], StringComparer.OrdinalIgnoreCase))
        {
            return null;
        }

        var extent = new VmdkExtentLine(words[0], sectors, words[2]);
        if (quote < 0)
        {
            return extent.IsOfType("ZERO") ? extent : null;
        }

        var nameEnd = line.IndexOf('"', quote + 1);
        if (nameEnd < 0 || nameEnd - quote - 1 > MaximumNameLength || !char.IsWhiteSpace(line[quote - 1]))
        {
            return null;
        }

        extent = extent with { FileName = line[(quote + 1)..nameEnd] };
        var rest = Split(line[(nameEnd + 1)..]);
        return rest.Length switch
        {
            0 => extent,
            1 when TryParseNumber(rest[0], out var offset) => extent with { OffsetSectors = offset },
            _ => null,
        };
    }

    /// <summary>The line as it is written in a descriptor.</summary>
    public override string ToString() =>
        $"{Access} {Sectors} {Type}"
        + (FileName is null ? "" : $" \"{FileName}\"")
        + (OffsetSectors is null ? "" : $" {OffsetSectors}");

    private static string[] Split(string text) =>
        text.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);

    private static bool TryParseNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
