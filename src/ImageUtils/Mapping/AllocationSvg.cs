using System.Globalization;
using System.Security;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.Mapping;

/// <summary>Draws a picture of where a disk has data as an SVG document that needs nothing beside it.</summary>
public static class AllocationSvg
{
    private const int Pitch = 13;
    private const int Side = 12;
    private const int Left = 88;
    private const int Right = 28;
    private const int Top = 104;
    private const int LegendHeight = 84;
    private const int LeastWidth = 640;
    private const string Hole = "#f1f3f6";
    private const string Zero = "#cfd6df";

    private static readonly string[] s_data = ["#bfd8f2", "#7fb2e5", "#3d86d1", "#0f5aa8"];
    private static readonly string[] s_compressed = ["#fbe0b5", "#f5b866", "#e38b22", "#b35c00"];

    /// <summary>Draws.</summary>
    public static string Draw(AllocationPicture picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        var width = Math.Max(LeastWidth, Left + picture.Columns * Pitch + Right);
        var gridEnd = Top + picture.Rows * Pitch;
        var height = gridEnd + LegendHeight;
        var name = Printable.Text(Path.GetFileName(picture.Path));
        var svg = new StringBuilder();
        svg.Append(Invariant(
            $"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img">
            <title>Allocation of {Escape(name)}</title>
            <desc>{Escape(picture.Caption)}; {Escape(picture.Scale)}</desc>
            <style>text{"{"}font-family:system-ui,'Segoe UI','DejaVu Sans',sans-serif;font-size:12px;fill:#3b4654{"}"}</style>
            <rect width="{width}" height="{height}" fill="#ffffff"/>
            <text x="24" y="34" style="font-size:19px;font-weight:600;fill:#18212c">{Escape(Shorten(name, (width - 48) / 12))}</text>
            <text x="24" y="56" style="font-size:13px">{Escape(picture.Caption)}</text>

            """));
        AppendScale(svg, picture);
        AppendRowLabels(svg, picture);
        AppendCells(svg, picture);
        AppendLegend(svg, picture, gridEnd + 34);
        return svg.Append("</svg>\n").ToString();
    }

    /// <summary>Draws into a file, which is whole or not there.</summary>
    /// <param name="picture">The picture.</param>
    /// <param name="path">The file.</param>
    /// <param name="overwrite">Whether a file of that name may be replaced.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The file's absolute path.</returns>
    /// <exception cref="ImageWriteException">It exists, or cannot be written.</exception>
    public static async Task<string> SaveAsync(
        AllocationPicture picture, string path, bool overwrite, CancellationToken cancellationToken)
    {
        var bytes = Encoding.UTF8.GetBytes(Draw(picture));
        var resolved = Destination.Resolve(path);
        if (Destination.IsBlockDevice(resolved))
        {
            throw new ImageWriteException(
                ImageWriteProblem.NotAFile, resolved, $"'{resolved}' is a block device. Name a file for the picture.");
        }

        using var destination = Destination.Create(resolved, overwrite);
        await destination.Sink.WriteAsync(0, bytes, cancellationToken).ConfigureAwait(false);
        await destination.Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        destination.Commit();
        return destination.Path;
    }

    private static void AppendScale(StringBuilder svg, AllocationPicture picture)
    {
        // Ticks at quarters of a row, where it has quarters.
        var step = picture.Columns >= 32 ? picture.Columns / 4 : picture.Columns;
        for (var column = 0; column < picture.Columns; column += step)
        {
            var x = Left + column * Pitch;
            svg.Append(Invariant(
                $"""
                <path d="M{x + 0.5} {Top - 14}v10" stroke="#9aa5b3"/>
                <text x="{x + 5}" y="{Top - 6}" style="font-size:11px;fill:#6b7683">+{ByteSize.ToText(column * picture.CellLength)}</text>

                """));
        }
    }

    private static void AppendRowLabels(StringBuilder svg, AllocationPicture picture)
    {
        var every = picture.Rows <= 12 ? 1 : 4;
        for (var row = 0; row < picture.Rows; row += every)
        {
            svg.Append(Invariant(
                $"""
                <text x="{Left - 10}" y="{Top + row * Pitch + 10}" text-anchor="end" style="font-size:11px;fill:#6b7683">{ByteSize.ToText(picture.OffsetOf(row))}</text>

                """));
        }
    }

    // One path for each colour keeps the file small.
    private static void AppendCells(StringBuilder svg, AllocationPicture picture)
    {
        var paths = new SortedDictionary<string, StringBuilder>(StringComparer.Ordinal);
        for (var index = 0; index < picture.Cells.Count; index++)
        {
            var colour = ColourOf(picture.Cells[index]);
            if (!paths.TryGetValue(colour, out var path))
            {
                paths.Add(colour, path = new StringBuilder());
            }

            path.Append(Invariant(
                $"M{Left + index % picture.Columns * Pitch} {Top + index / picture.Columns * Pitch}h{Side}v{Side}h-{Side}z"));
        }

        foreach (var (colour, path) in paths)
        {
            svg.Append(Invariant($"<path fill=\"{colour}\" d=\"{path}\"/>\n"));
        }
    }

    private static string ColourOf(AllocationCell cell) => cell.Level switch
    {
        0 => cell.ZeroBytes > 0 ? Zero : Hole,
        var level => (cell.CompressedBytes > cell.DataBytes ? s_compressed : s_data)[level - 1],
    };

    private static void AppendLegend(StringBuilder svg, AllocationPicture picture, int y)
    {
        var x = 24;
        Add("hole", Hole);
        Add("zero", Zero);
        Add("data: up to 1/3, 2/3, more, all", s_data);
        if (picture.Cells.Any(cell => cell.CompressedBytes > 0))
        {
            Add("compressed", s_compressed);
        }

        svg.Append(Invariant($"<text x=\"24\" y=\"{y + 30}\">{Escape(picture.Scale)}.</text>\n"));

        void Add(string label, params string[] colours)
        {
            foreach (var colour in colours)
            {
                svg.Append(Invariant(
                    $"<rect x=\"{x}\" y=\"{y - 11}\" width=\"{Side + 2}\" height=\"{Side + 2}\" fill=\"{colour}\" stroke=\"#9aa5b3\" stroke-width=\"0.5\"/>\n"));
                x += Side + 4;
            }

            svg.Append(Invariant($"<text x=\"{x + 4}\" y=\"{y}\">{label}</text>\n"));
            x += 28 + label.Length * 6;
        }
    }

    private static string Shorten(string text, int length) => text.Length <= length ? text : text[..(length - 1)] + "…";

    private static string Escape(string text) => SecurityElement.Escape(text)!;

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
