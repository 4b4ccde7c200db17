using System.Text.RegularExpressions;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>Reads the output of <c>qemu-img info</c> for people, of any version.</summary>
/// <remarks>
/// The text is not made to be read by programs: a file name with a line feed in it can forge any of its lines. So it
/// serves to look at what was saved, and never to decide what is safe.
/// </remarks>
public sealed partial class QemuInfoTextParser
{
    private readonly List<QemuImageInfo> _infos = [];
    private readonly string[] _lines;
    private List<string> _notes = [];
    private List<ImageSnapshot>? _snapshots;
    private QemuImageInfo? _current;

    private QemuInfoTextParser(string text) => _lines = text.TrimStart('\uFEFF').ReplaceLineEndings("\n").Split('\n');

    /// <summary>Reads one block, or several from <c>--backing-chain</c>.</summary>
    /// <returns>One for each block, in their order.</returns>
    /// <exception cref="QemuOutputException">This is not such output.</exception>
    public static IReadOnlyList<QemuImageInfo> Parse(string text)
    {
        QemuInfoOutput.ThrowIfTooLong(text);
        return new QemuInfoTextParser(text).Run();
    }

    private List<QemuImageInfo> Run()
    {
        var isBlankAbove = false;
        for (var at = 0; at < _lines.Length;)
        {
            var line = _lines[at++];
            if (string.IsNullOrWhiteSpace(line))
            {
                isBlankAbove = true;
                continue;
            }

            if (_snapshots is not null)
            {
                if (QemuSnapshotRow.TryParse(line, out var snapshot))
                {
                    _snapshots.Add(snapshot!);
                    continue;
                }

                if (QemuSnapshotRow.IsHeader(line))
                {
                    continue;
                }
            }

            if (FieldPattern().Match(line) is not { Success: true } field || QemuInfoOutput.IsMessage(line))
            {
                _notes.Add(line.TrimEnd());
                continue;
            }

            // "cluster_size" is spelt so, and the rest with spaces.
            var name = field.Groups["name"].Value.Trim().ToLowerInvariant().Replace('_', ' ').Replace('-', ' ');
            if (name == "image" && _current is not null && (_current.FileName.Length > 0 || isBlankAbove))
            {
                Finish();
            }

            isBlankAbove = false;
            if (!TrySet(name, field.Groups["value"].Value.Trim(), line, ref at))
            {
                _notes.Add(line.TrimEnd());
            }
        }

        Finish();
        return _infos.Count > 0 ? _infos : throw ToNotUnderstood();
    }

    private bool TrySet(string name, string value, string line, ref int at)
    {
        var info = _current ?? new QemuImageInfo { Engine = InfoEngine.Parsed };
        switch (name)
        {
            case "image" when value.Length > 0:
                _current = info with { FileName = value };
                return true;
            case "file format":
                _current = info.WithFormatName(value);
                return true;
            case "virtual size":
                _current = info with { VirtualSize = ReadSize(value, line) };
                return true;
        }

        // What else there is means nothing before one of the above.
        if (_current is null)
        {
            return false;
        }

        switch (name)
        {
            case "disk size":
                _current = info with { ActualSize = ReadSize(value, line) };
                return true;
            case "cluster size":
                _current = info with { ClusterSize = ReadSize(value, line) };
                return true;
            case "encrypted" when value is "yes" or "no":
                _current = info with { IsEncrypted = value == "yes" };
                return true;
            case "cleanly shut down" when value is "yes" or "no":
                _current = info with { IsDirty = value == "no" };
                return true;
            case "backing file":
                _current = WithBackingFile(info, value);
                return true;
            case "backing file format":
                _current = info with { BackingFormat = value };
                return true;
            case "snapshot list":
                _snapshots ??= [];
                return true;
            case "format specific information":
                var fields = QemuTextTree.Read(_lines, ref at, _notes);
                _current = info with { FormatSpecific = QemuFormatSpecific.Build(info.FormatName, fields, _notes) };
                return true;
            default:
                return false;
        }
    }

    // Notes above the first block are its own; those below a block belong to it.
    private void Finish()
    {
        if (_current is null)
        {
            return;
        }

        _infos.Add(_current with { Notes = _notes, Snapshots = _snapshots ?? [] });
        (_current, _snapshots, _notes) = (null, null, []);
    }

    private static QemuImageInfo WithBackingFile(QemuImageInfo info, string value)
    {
        const string NoPath = "(cannot determine actual path)";
        const string ActualPath = "(actual path:";
        if (value.EndsWith(NoPath, StringComparison.OrdinalIgnoreCase))
        {
            return info with { BackingFile = value[..^NoPath.Length].TrimEnd() };
        }

        // The last such parenthesis: a name may have one of its own.
        var at = value.EndsWith(')') ? value.LastIndexOf(ActualPath, StringComparison.OrdinalIgnoreCase) : -1;
        return at > 0
            ? info with
            {
                BackingFile = value[..at].TrimEnd(),
                FullBackingFile = value[(at + ActualPath.Length)..^1].Trim(),
            }
            : info with { BackingFile = value, FullBackingFile = value };
    }

    private static long? ReadSize(string value, string line) => QemuSize.TryParse(value, out var size)
        ? size
        : throw new QemuOutputException(
            $"The size in '{Printable.Text(line.Trim())}' is not understood; "
            + "'qemu-img info' prints it like '64 MiB (67108864 bytes)'.");

    private QemuOutputException ToNotUnderstood()
    {
        var first = Array.Find(_lines, line => !string.IsNullOrWhiteSpace(line))?.Trim();
        if (first is null)
        {
            return new QemuOutputException("The text is empty, where the output of 'qemu-img info' should be.");
        }

        return QemuInfoOutput.IsMessage(first)
            ? new QemuOutputException(
                $"The text has no image in it, but an error of qemu-img: '{Printable.Text(first)}'.")
            : new QemuOutputException(
                "The text is not the output of 'qemu-img info': there is neither JSON nor any of the lines 'image:', "
                + $"'file format:' and 'virtual size:'. It begins with '{Printable.Text(first)}'.");
    }

    [GeneratedRegex(
        @"^(?<name>[A-Za-z][A-Za-z0-9 _-]*):(?<value>.*)$",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex FieldPattern();
}
