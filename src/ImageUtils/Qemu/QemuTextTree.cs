using System.Globalization;
using ImageUtils.Errors;

namespace ImageUtils.Qemu;

/// <summary>The indented block below <c>Format specific information:</c>.</summary>
/// <remarks>
/// QEMU, block/qapi.c, <c>dump_qdict</c> and <c>dump_qlist</c>: four spaces a level; <c>name: value</c>; a nested
/// block has nothing behind its colon, an empty text has one space; a list's entries are <c>[0]</c>, <c>[1]</c>…;
/// dashes of a name are printed as spaces.
/// </remarks>
internal sealed class QemuTextTree
{
    private readonly IReadOnlyList<string> _lines;
    private readonly List<string> _notes;
    private int _at;

    private QemuTextTree(IReadOnlyList<string> lines, int start, List<string> notes)
    {
        _lines = lines;
        _at = start;
        _notes = notes;
    }

    /// <summary>Reads the block whose first line is at <paramref name="at"/>, and moves behind its last.</summary>
    /// <param name="lines">All lines.</param>
    /// <param name="at">The block's first line; it may turn out to be none.</param>
    /// <param name="notes">Receives lines that are no field.</param>
    /// <exception cref="QemuOutputException">The block is nested deeper than any format's.</exception>
    internal static Dictionary<string, object?> Read(IReadOnlyList<string> lines, ref int at, List<string> notes)
    {
        var tree = new QemuTextTree(lines, at, notes);
        var fields = new Dictionary<string, object?>();
        while (tree.Indentation > 0)
        {
            tree.ReadFields(fields, tree.Indentation, 0);
        }

        at = tree._at;
        return fields;
    }

    // Of the line that is next; -1 at the end of the block, which a blank line is.
    private int Indentation
    {
        get
        {
            if (_at >= _lines.Count)
            {
                return -1;
            }

            var line = _lines[_at];
            var text = line.AsSpan().TrimStart();
            return text.IsEmpty ? -1 : line.Length - text.Length;
        }
    }

    private void ReadFields(Dictionary<string, object?> fields, int indentation, int depth)
    {
        if (depth > QemuInfoJsonParser.MaximumDepth)
        {
            throw new QemuOutputException(
                $"The format specific information is nested more than {QemuInfoJsonParser.MaximumDepth} levels deep, "
                + "which qemu-img's never is.");
        }

        while (Indentation == indentation)
        {
            var line = _lines[_at].AsSpan(indentation);
            var colon = line.IndexOf(':');
            if (colon <= 0 || colon + 1 < line.Length && line[colon + 1] != ' ')
            {
                _notes.Add(_lines[_at++].Trim());
                continue;
            }

            var name = line[..colon].ToString().Replace(' ', '-');
            var value = line[(colon + 1)..];
            _at++;
            if (value.IsEmpty)
            {
                fields[name] = Indentation > indentation ? ReadNested(Indentation, depth + 1) : new List<object?>();
            }
            else
            {
                fields[name] = ToPlain(value.Trim().ToString());
            }
        }
    }

    private object ReadNested(int indentation, int depth)
    {
        var fields = new Dictionary<string, object?>();
        ReadFields(fields, indentation, depth);
        return fields.Count > 0 && fields.Keys.All(IsIndex) ? fields.Values.ToList() : fields;
    }

    private static bool IsIndex(string name) =>
        name is ['[', .. { Length: > 0 } digits, ']'] && digits.All(char.IsAsciiDigit);

    // A number only where it is printed as numbers are: "007" and "1.1" stay texts.
    private static object ToPlain(string text) => text switch
    {
        "true" => true,
        "false" => false,
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number.ToString(CultureInfo.InvariantCulture) == text => number,
        _ => text,
    };
}
