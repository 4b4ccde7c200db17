using ImageUtils.Inspection;
using Spectre.Console;

namespace ImageUtils.Cli;

/// <summary>Collects rows and prints them as one table.</summary>
/// <param name="columns">The headings.</param>
/// <param name="toRows">The rows that a report takes up.</param>
internal sealed class TableOutput(string[] columns, Func<ImageFormatReport, IEnumerable<string[]>> toRows)
    : IReportOutput
{
    // A table that a program or a file receives is not to be folded at the width of some terminal.
    private const int UnlimitedWidth = 10_000;

    private readonly Table _table = MakeTable(columns);

    public void Add(ImageFormatReport report)
    {
        foreach (var row in toRows(report))
        {
            _table.AddRow([.. row.Select(cell => new Text(ToPrintable(cell), CellStyle(cell)))]);
        }
    }

    public void Finish()
    {
        if (_table.Rows.Count == 0)
        {
            return;
        }

        if (Console.IsOutputRedirected)
        {
            AnsiConsole.Profile.Width = UnlimitedWidth;
            AnsiConsole.Profile.Capabilities.ColorSystem = ColorSystem.NoColors;
            AnsiConsole.Profile.Capabilities.Ansi = false;
        }

        AnsiConsole.Write(_table);
    }

    private static Table MakeTable(string[] columns)
    {
        var table = new Table { Border = TableBorder.None };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))));
        }

        return table;
    }

    // A file's name may hold anything, a terminal's control sequences too.
    private static string ToPrintable(string cell) =>
        cell.Any(char.IsControl) ? string.Concat(cell.Select(one => char.IsControl(one) ? '\ufffd' : one)) : cell;

    private static Style CellStyle(string cell) => cell switch
    {
        "UNSAFE" or "MISMATCH" or "Failed" => new Style(Color.Red),
        "safe" or "Passed" => new Style(Color.Green),
        _ => Style.Plain,
    };
}
