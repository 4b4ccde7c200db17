using ImageUtils.Errors;

namespace ImageUtils.Qemu;

/// <summary>Reads saved output of <c>qemu-img info</c>, JSON or human text, whichever it is.</summary>
public static class QemuInfoOutput
{
    /// <summary>The longest output that is read, in characters: 16 Mi.</summary>
    public const int MaximumLength = 16 * 1024 * 1024;

    /// <summary>
    /// Reads all images in the output. Lines above JSON, where warnings of qemu-img have got into the same file, become
    /// notes of the first image.
    /// </summary>
    /// <exception cref="QemuOutputException">This is no output of <c>qemu-img info</c>.</exception>
    public static IReadOnlyList<QemuImageInfo> Parse(string output)
    {
        ThrowIfTooLong(output);
        var warnings = new List<string>();
        for (var at = 0; at < output.Length;)
        {
            var end = output.AsSpan(at).IndexOfAny('\r', '\n');
            end = end < 0 ? output.Length : at + end;
            var line = output.AsSpan(at, end - at).Trim(" \t\uFEFF");
            if (line.Length > 0 && line[0] is '{' or '[')
            {
                var infos = QemuInfoJsonParser.Parse(output[at..].TrimStart('\uFEFF'));
                return warnings.Count == 0
                    ? infos
                    : [infos[0] with { Notes = [.. warnings, .. infos[0].Notes] }, .. infos.Skip(1)];
            }

            if (line.Length > 0 && !IsMessage(line))
            {
                break;
            }

            if (line.Length > 0)
            {
                warnings.Add(line.ToString());
            }

            at = end + 1;
        }

        return QemuInfoTextParser.Parse(output);
    }

    /// <summary>Whether a line is one that qemu-img writes on its error stream, and not about an image.</summary>
    internal static bool IsMessage(ReadOnlySpan<char> line) =>
        line.StartsWith("qemu-img:", StringComparison.OrdinalIgnoreCase)
        || line.StartsWith("warning:", StringComparison.OrdinalIgnoreCase);

    internal static void ThrowIfTooLong(string output)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (output.Length > MaximumLength)
        {
            throw new QemuOutputException(
                $"The text has {output.Length} characters; the output of 'qemu-img info' is read up to "
                + $"{MaximumLength}. Is this something else?");
        }
    }
}
