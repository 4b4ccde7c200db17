namespace ImageUtils;

/// <summary>Shows sizes to people, in binary units.</summary>
public static class ByteSize
{
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
}
