using System.Globalization;
using System.Text.RegularExpressions;

namespace ImageUtils.Qemu;

/// <summary>Sizes as qemu-img prints them for people.</summary>
internal static partial class QemuSize
{
    private const int MaximumLength = 100;

    // Powers of 1024, in this order.
    private const string Units = "kmgtpe";

    /// <summary>
    /// Reads <c>1.0G (1073741824 bytes)</c>, <c>196K</c>, <c>1e+03 MiB</c>… The bytes in parentheses count where they
    /// are there; otherwise it is as exact as three digits are. K, KB and KiB are all 1024 bytes, as they are to qemu.
    /// </summary>
    /// <param name="text">The size.</param>
    /// <param name="size">In bytes; null for <c>unavailable</c> and <c>None</c>.</param>
    internal static bool TryParse(string text, out long? size)
    {
        size = null;
        text = text.Trim();
        if (text.Equals("unavailable", StringComparison.OrdinalIgnoreCase)
            || text.Equals("none", StringComparison.OrdinalIgnoreCase))
        {
            return true;
        }

        if (text.Length > MaximumLength || SizePattern().Match(text) is not { Success: true } match)
        {
            return false;
        }

        if (match.Groups["bytes"] is { Success: true } exact)
        {
            size = long.TryParse(exact.ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes)
                ? bytes
                : null;
            return size is not null;
        }

        var power = match.Groups["unit"] is { Success: true } unit
            ? Units.IndexOf(char.ToLowerInvariant(unit.ValueSpan[0]), StringComparison.Ordinal) + 1
            : 0;
        var number = double.Parse(match.Groups["number"].ValueSpan, NumberStyles.Float, CultureInfo.InvariantCulture)
            * Math.Pow(1024, power);
        if (!(number < long.MaxValue))
        {
            return false;
        }

        size = (long)number;
        return true;
    }

    [GeneratedRegex(
        @"^(?<number>(\d+(\.\d*)?|\.\d+)(e[-+]?\d+)?)\s*((?<unit>[kmgtpe])(i?b)?|b|bytes)?"
        + @"(\s*\(\s*(?<bytes>\d+)\s+bytes\s*\))?$",
        RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex SizePattern();
}
