using System.Runtime.InteropServices;

namespace ImageUtils.Benchmarks;

/// <summary>Prints a result, and puts it into docs/benchmarks.md between the markers of its section.</summary>
internal static class ResultPage
{
    /// <summary>The machine that the figures hold for, in one line.</summary>
    internal static string Machine()
    {
        const string Processors = "/proc/cpuinfo";
        var processor = File.Exists(Processors)
            ? File.ReadLines(Processors).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))
            : null;
        var qemu = Programs.Find("qemu-img") is null ? null : Programs.Run("qemu-img", "--version").Split('\n')[0];
        string?[] parts =
        [
            RuntimeInformation.OSDescription, $"{Environment.ProcessorCount} cores", processor?.Split(':')[1].Trim(),
            $".NET {Environment.Version}", qemu?.Trim(),
        ];
        return string.Join(", ", parts.Where(part => part is not null));
    }

    internal static string Table(string[] columns, IEnumerable<string[]> rows) => string.Join('\n',
    [
        $"| {string.Join(" | ", columns)} |",
        $"|{string.Concat(columns.Select(_ => "---|"))}",
        .. rows.Select(row => $"| {string.Join(" | ", row)} |"),
    ]);

    /// <summary>Prints, and writes where that was asked for.</summary>
    /// <param name="section">The name in the markers.</param>
    /// <param name="text">Markdown.</param>
    /// <param name="write">Whether the page is changed.</param>
    /// <exception cref="InvalidOperationException">The page has no such section.</exception>
    internal static void Publish(string section, string text, bool write)
    {
        Console.WriteLine(text);
        if (!write)
        {
            return;
        }

        var path = Path.Combine(PublishedFront.Root, "docs", "benchmarks.md");
        var page = File.ReadAllText(path);
        var (begin, end) = ($"<!-- {section} -->\n", $"<!-- end of {section} -->");
        var from = page.IndexOf(begin, StringComparison.Ordinal);
        var to = page.IndexOf(end, StringComparison.Ordinal);
        if (from < 0 || to < from)
        {
            throw new InvalidOperationException($"{path} has no section between {begin.Trim()} and {end}.");
        }

        File.WriteAllText(path, $"{page[..(from + begin.Length)]}\n{text.Trim()}\n\n{page[to..]}");
        Console.Error.WriteLine($"Written: {path}");
    }

    internal static string Seconds(TimeSpan time) =>
        time.TotalSeconds >= 10 ? $"{time.TotalSeconds:F1} s" : $"{time.TotalSeconds:F2} s";

    internal static string Mebibytes(long bytes) => $"{bytes / 1048576.0:F0} MiB";
}
