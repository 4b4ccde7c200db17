using System.Text;
using ImageUtils.Inspection;

namespace ImageUtils.Mapping;

/// <summary>
/// A picture of where a disk has data: rows of cells, each of a power of two of bytes. It takes the extents as they come
/// and keeps only the cells.
/// </summary>
public sealed class AllocationPicture
{
    /// <summary>The most rows that a picture has by itself.</summary>
    public const int DefaultRows = 16;

    /// <summary>What an SVG has in a row.</summary>
    public const int SvgColumns = 64;

    /// <summary>The most rows that an SVG has.</summary>
    public const int SvgRows = 40;

    private const long LeastCell = 512;
    private const int LeastColumns = 8;
    private const int MostColumns = 256;

    // For an offset, such as "1023.5 GiB", and the frame.
    private const int Margin = 14;
    private const string Levels = "·░▒▓█";

    private readonly AllocationCell[] _cells;

    /// <summary>Makes a picture without data.</summary>
    /// <param name="path">The image's path.</param>
    /// <param name="format">The image's format.</param>
    /// <param name="start">Where on the guest's disk the picture begins, in bytes.</param>
    /// <param name="length">How much of the disk it shows, in bytes.</param>
    /// <param name="columns">How many cells a row has at most.</param>
    /// <param name="rows">How many rows there are at most.</param>
    public AllocationPicture(
        string path, ImageFormat format, long start, long length, int columns = SvgColumns, int rows = SvgRows)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(start);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        (Path, Format, Start, Length) = (path, format, start, length);
        CellLength = LeastCell;
        while (CellsFor(length, CellLength) > (long)columns * rows)
        {
            CellLength *= 2;
        }

        _cells = new AllocationCell[CellsFor(length, CellLength)];
        for (var index = 0; index < _cells.Length; index++)
        {
            _cells[index] = new AllocationCell(Math.Min(CellLength, length - index * CellLength), 0, 0, 0);
        }

        Columns = Math.Clamp(_cells.Length, 1, columns);
    }

    /// <summary>The image's path.</summary>
    public string Path { get; }

    /// <summary>The image's format.</summary>
    public ImageFormat Format { get; }

    /// <summary>Where on the guest's disk the picture begins, in bytes.</summary>
    public long Start { get; }

    /// <summary>How much of the disk it shows, in bytes.</summary>
    public long Length { get; }

    /// <summary>What a cell stands for, in bytes; the last may be shorter.</summary>
    public long CellLength { get; private set; }

    /// <summary>How many cells a row has.</summary>
    public int Columns { get; }

    /// <summary>How many rows there are; the last may be shorter.</summary>
    public int Rows => (_cells.Length + Columns - 1) / Columns;

    /// <summary>The cells, row by row.</summary>
    public IReadOnlyList<AllocationCell> Cells => _cells;

    /// <summary>How much of what is shown files have bytes for.</summary>
    public long AllocatedBytes => _cells.Sum(cell => cell.AllocatedBytes);

    /// <summary>How many cells fit in a row of a terminal: a power of two, so that rows begin at round offsets.</summary>
    /// <param name="width">The terminal's width in characters.</param>
    public static int ColumnsFor(int width)
    {
        var columns = LeastColumns;
        while (columns * 2 <= Math.Min(width - Margin, MostColumns))
        {
            columns *= 2;
        }

        return columns;
    }

    /// <summary>Takes an extent; what lies beyond the picture is left out.</summary>
    public void Add(DiskImageExtent extent)
    {
        ArgumentNullException.ThrowIfNull(extent);
        if (extent.Kind == DiskExtentKind.Hole)
        {
            return;
        }

        var at = Math.Max(extent.Start, Start);
        var end = Math.Min(extent.End, Start + Length);
        while (at < end)
        {
            ref var cell = ref _cells[(at - Start) / CellLength];
            var next = at + Math.Min(end - at, CellLength - (at - Start) % CellLength);
            cell = extent.Kind switch
            {
                DiskExtentKind.Data => cell with { DataBytes = cell.DataBytes + next - at },
                DiskExtentKind.Compressed => cell with { CompressedBytes = cell.CompressedBytes + next - at },
                _ => cell with { ZeroBytes = cell.ZeroBytes + next - at },
            };
            at = next;
        }
    }

    /// <summary>What the picture shows, in words.</summary>
    public string Caption
    {
        get
        {
            var percent = Length == 0 ? 0 : 100.0 * AllocatedBytes / Length;
            return FormattableString.Invariant(
                $"{Format.ToName()}, {ByteSize.ToText(Length)}, {ByteSize.ToText(AllocatedBytes)} allocated ({percent:0.#} %)");
        }
    }

    /// <summary>What cells and rows stand for, in words.</summary>
    public string Scale =>
        $"A cell is {ByteSize.ToText(CellLength)}, a row {ByteSize.ToText(CellLength * Columns)}"
        + (Start > 0 ? $", from {ByteSize.ToText(Start)} on" : "");

    /// <summary>The picture in characters, with a legend.</summary>
    public IReadOnlyList<string> ToLines()
    {
        var labels = Enumerable.Range(0, Rows).Select(row => ByteSize.ToText(OffsetOf(row))).ToList();
        var width = labels.Count == 0 ? 0 : labels.Max(label => label.Length);
        var lines = new List<string> { $"{Printable.Text(System.IO.Path.GetFileName(Path))}: {Caption}" };
        for (var row = 0; row < Rows; row++)
        {
            var line = new StringBuilder(labels[row].PadLeft(width)).Append(" │");
            for (var index = row * Columns; index < Math.Min((row + 1) * Columns, _cells.Length); index++)
            {
                line.Append(Levels[_cells[index].Level]);
            }

            lines.Add(line.Append(row == Rows - 1 && _cells.Length % Columns != 0 ? '▏' : '│').ToString());
        }

        lines.Add("· nothing  ░ up to 1/3  ▒ up to 2/3  ▓ more  █ all");
        lines.Add(Scale);
        return lines;
    }

    /// <summary>The picture in characters, with a legend.</summary>
    public override string ToString() => string.Join('\n', ToLines());

    /// <summary>Where on the guest's disk a row begins, in bytes.</summary>
    internal long OffsetOf(int row) => Start + row * CellLength * Columns;

    private static long CellsFor(long length, long cellLength) => length / cellLength + (length % cellLength == 0 ? 0 : 1);
}
