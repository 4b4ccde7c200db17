using System.Globalization;

namespace ImageUtils;

/// <summary>Shows sizes to people and reads what they write, in binary units.</summary>
public static class ByteSize
{
    // Powers of 1024, in this order.
    private const string Units = "KMGTPE";

    private static readonly string[] s_units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

    /// <summary>A size such as <c>10 GiB</c>, <c>1.5 MiB</c> or <c>512 B</c>; an em dash where there is none.</summary>
    public static string ToText(long? bytes)
    {
        if (bytes is not { } value)
        {
            return "—";
        }

        double shown = value;
        var unit = 0;
        while (Math.Abs(shown) >= 1024 && unit < s_units.Length - 1)
        {
            shown /= 1024;
            unit++;
        }

        return $"{shown:0.##} {s_units[unit]}";
    }

    /// <summary>
    /// Reads <c>512</c>, <c>100M</c>, <c>1.5 GiB</c>…: K, KB and KiB are all 1024 bytes, as they are to qemu-img and to
    /// PowerShell's literals. What would not be a whole number of bytes is refused.
    /// </summary>
    /// <param name="text">The size.</param>
    /// <param name="bytes">In bytes, 0 or more.</param>
    public static bool TryParse(string? text, out long bytes)
    {
        bytes = 0;
        var rest = (text ?? "").AsSpan().Trim();
        if (rest.EndsWith("iB", StringComparison.OrdinalIgnoreCase))
        {
            rest = rest[..^2];
            if (rest.IsEmpty || GetPower(rest[^1]) == 0)
            {
                return false;
            }
        }
        else if (rest.EndsWith("B", StringComparison.OrdinalIgnoreCase))
        {
            rest = rest[..^1];
        }

        var power = rest.IsEmpty ? 0 : GetPower(rest[^1]);
        if (power > 0)
        {
            rest = rest[..^1];
        }

        if (!decimal.TryParse(
            rest.TrimEnd(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number)
            || number > long.MaxValue >> (10 * power))
        {
            return false;
        }

        number *= 1L << (10 * power);
        bytes = (long)number;
        return number == bytes;
    }

    private static int GetPower(char unit) => Units.IndexOf(char.ToUpperInvariant(unit), StringComparison.Ordinal) + 1;
}
