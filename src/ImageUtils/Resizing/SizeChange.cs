using ImageUtils.Errors;

namespace ImageUtils.Resizing;

/// <summary>A new size of a disk, or what is added to or taken from the size that it has.</summary>
public readonly record struct SizeChange
{
    private SizeChange(long bytes, int sign)
    {
        Bytes = bytes;
        Sign = sign;
    }

    /// <summary>The size, or the difference, in bytes; not negative.</summary>
    public long Bytes { get; }

    /// <summary>1: <see cref="Bytes"/> are added; -1: taken; 0: they are the size.</summary>
    public int Sign { get; }

    /// <summary>A new size in bytes.</summary>
    public static SizeChange To(long bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        return new SizeChange(bytes, 0);
    }

    /// <summary>Reads <c>20G</c>, <c>+512MiB</c>, <c>-1.5G</c>…, as <see cref="ByteSize.TryParse"/> reads sizes.</summary>
    /// <exception cref="ImageOptionException">It is none of these.</exception>
    public static SizeChange Parse(string? text)
    {
        var rest = (text ?? "").Trim();
        var sign = rest.Length == 0 ? 0 : rest[0] switch { '+' => 1, '-' => -1, _ => 0 };
        return ByteSize.TryParse(sign == 0 ? rest : rest[1..], out var bytes)
            ? new SizeChange(bytes, sign)
            : throw new ImageOptionException(
                "Size",
                $"'{Inspection.Printable.Text(rest)}' is no size. Use bytes or a unit, such as 20G; with + or - before "
                + "it, it is added to or taken from the size that there is.");
    }

    /// <summary>The new size of a disk, in bytes.</summary>
    /// <param name="size">The size that it has.</param>
    /// <exception cref="ImageOptionException">There would be nothing left, or more than a disk can have.</exception>
    public long ApplyTo(long size)
    {
        var changed = Sign == 0 ? Bytes : (Int128)size + (Int128)Sign * Bytes;
        return changed > 0 && changed <= long.MaxValue - 511
            ? (long)changed
            : throw new ImageOptionException(
                "Size", $"A disk of {size} bytes cannot get a size of {changed} bytes by '{this}'.");
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{(Sign == 0 ? "" : Sign > 0 ? "+" : "-")}{ByteSize.ToText(Bytes)}";
}
