using System.Globalization;
using System.Text.RegularExpressions;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>A row of the table below <c>Snapshot list:</c>.</summary>
/// <remarks>
/// QEMU, block/qapi.c, <c>bdrv_snapshot_dump</c>. The columns are padded and not cut, so a long tag moves all that
/// comes after it, a value as wide as its column follows the one before without a space, and a tag may have spaces:
/// the row is read from its right end.
/// <code>
/// ID        TAG                 VM SIZE                DATE       VM CLOCK             to 5.0, sizes as "1.1G"
/// ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT      since, sizes as "1.1 GiB"
/// ID      TAG               VM_SIZE                DATE        VM_CLOCK     ICOUNT     since 9.0, icount "--"
/// </code>
/// </remarks>
internal static partial class QemuSnapshotRow
{
    // An id of 127 bytes and a tag of 255 are the most that qemu holds.
    private const int MaximumLength = 1024;

    internal static bool IsHeader(string line) =>
        line.StartsWith("ID ", StringComparison.Ordinal) && line.Contains(" TAG ", StringComparison.Ordinal);

    /// <summary>
    /// Reads a row. The date has no zone: qemu-img prints its own local time, and it is taken as this machine's.
    /// </summary>
    internal static bool TryParse(string line, out ImageSnapshot? snapshot)
    {
        snapshot = null;
        if (line.Length > MaximumLength || EndPattern().Match(line) is not { Success: true } end)
        {
            return false;
        }

        var start = line.AsSpan(0, end.Index).TrimEnd().ToString();
        var sizeMatch = SizePattern().Match(start);
        if (!sizeMatch.Success)
        {
            sizeMatch = FullColumnSizePattern().Match(start);
        }

        if (!sizeMatch.Success
            || !QemuSize.TryParse(sizeMatch.Groups["size"].Value, out var size)
            || !DateTime.TryParseExact(
                end.Groups["date"].ValueSpan, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture,
                DateTimeStyles.AssumeLocal, out var date)
            || date.Year is <= 1 or >= 9999)
        {
            return false;
        }

        var names = start[..sizeMatch.Groups["size"].Index].Trim();
        var space = names.IndexOf(' ', StringComparison.Ordinal);
        var clock = new TimeSpan(
            0, Number("hours"), Number("minutes"), Number("seconds"), Number("milliseconds"));
        snapshot = new ImageSnapshot(
            space < 0 ? names : names[..space],
            space < 0 ? "" : names[space..].Trim(),
            size ?? 0,
            new DateTimeOffset(date),
            clock,
            long.TryParse(end.Groups["icount"].ValueSpan, CultureInfo.InvariantCulture, out var icount) ? icount : null,
            DiskSize: null);
        return names.Length > 0;

        int Number(string group) => int.Parse(end.Groups[group].ValueSpan, CultureInfo.InvariantCulture);
    }

    [GeneratedRegex(
        @"\s(?<date>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\s*(?<hours>\d{1,8}):(?<minutes>\d\d):(?<seconds>\d\d)"
        + @"\.(?<milliseconds>\d{3})\s*(?<icount>-?\d{1,19}|--)?\s*$",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex EndPattern();

    [GeneratedRegex(
        @"\s(?<size>\d+(\.\d+)?(e\+\d\d)?( ?([KMGTPE]i)?B|[kKMGTPE])?)$",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex SizePattern();

    // A size that fills its column, right behind a tag that does: three digits, as qemu prints them, and a unit.
    [GeneratedRegex(
        @"(?<size>(\d(\.\d\d?)?e\+\d\d|\d\.\d\d?|\d\d\.\d|\d{1,3}) ([KMGTPE]i)B)$",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex FullColumnSizePattern();
}
