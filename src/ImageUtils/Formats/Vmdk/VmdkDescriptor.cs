using System.Globalization;
using System.Text;
using ImageUtils.Inspection;

namespace ImageUtils.Formats.Vmdk;

/// <summary>The text that describes a VMDK, embedded in the first sectors or a file of its own.</summary>
/// <remarks>
/// VMware Virtual Disk Format 5.0, "The Descriptor File": lines that are blank, comments (<c>#</c>), extents
/// (<see cref="VmdkExtentLine"/>), disk database entries (<c>ddb.key = "value"</c>) or fields (<c>key=value</c>).
/// Names of keys are in any case. Every reader has its own idea of this text: qemu takes the first
/// <c>createType</c> and <c>parentFileNameHint</c> wherever they stand, comments included. What readers could take
/// differently is found here and left to the checks.
/// </remarks>
internal sealed record VmdkDescriptor
{
    /// <summary>The parentCID of a disk without a parent.</summary>
    internal const uint NoParent = uint.MaxValue;

    private const string CreateTypeKey = "createType";
    private const string ParentHintKey = "parentFileNameHint";

    public uint? Version { get; init; }

    public uint? ContentId { get; init; }

    public uint? ParentContentId { get; init; }

    public string? CreateType { get; init; }

    /// <summary>Every parent that any reader could find, wherever in the text.</summary>
    public IReadOnlyList<string> ParentFileNameHints { get; init; } = [];

    public IReadOnlyList<VmdkExtentLine> Extents { get; init; } = [];

    /// <summary>Fields that have no property of their own.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> OtherFields { get; init; } = [];

    /// <summary>Entries of the disk database, with their <c>ddb.</c> prefix.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> DiskDatabase { get; init; } = [];

    /// <summary>How often the text has the word createType.</summary>
    public int CreateTypeMentions { get; init; } = 1;

    /// <summary>The first thing that was not understood; null where all was.</summary>
    public string? Problem { get; init; }

    /// <summary>The sum of the extents' sectors; null where that is more than any disk can have.</summary>
    public long? TotalSectors
    {
        get
        {
            Int128 total = 0;
            foreach (var extent in Extents)
            {
                total += extent.Sectors;
            }

            return total <= long.MaxValue / VmdkSparseHeader.SectorLength ? (long)total : null;
        }
    }

    /// <summary>Looks a disk database entry up, such as <c>ddb.adapterType</c>.</summary>
    internal string? FindInDatabase(string key) =>
        DiskDatabase.FirstOrDefault(entry => entry.Key.Equals(key, StringComparison.OrdinalIgnoreCase)).Value;

    /// <summary>Reads the text. Nothing is refused: what is not understood becomes <see cref="Problem"/>.</summary>
    internal static VmdkDescriptor Parse(string text)
    {
        var descriptor = new VmdkDescriptor
        {
            CreateTypeMentions = FindAll(text, CreateTypeKey).Count(),
            ParentFileNameHints =
            [
                .. FindAll(text, ParentHintKey).Select(at => TextAfter(text, at + ParentHintKey.Length)),
            ],
        };
        var extents = new List<VmdkExtentLine>();
        var fields = new List<KeyValuePair<string, string>>();
        var database = new List<KeyValuePair<string, string>>();
        string? problem = null;
        var number = 0;
        foreach (var line in text.Split('\n').Select(line => line.Trim()))
        {
            number++;
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            var equals = line.IndexOf('=', StringComparison.Ordinal);
            string? trouble = null;
            if (line.Any(character => char.IsControl(character) && character != '\t'))
            {
                trouble = "has control characters";
            }
            else if (VmdkExtentLine.IsExtent(line))
            {
                if (VmdkExtentLine.Parse(line) is { } extent)
                {
                    extents.Add(extent);
                }
                else
                {
                    trouble = "is no extent that can be understood";
                }
            }
            else if (line.StartsWith("ddb", StringComparison.OrdinalIgnoreCase))
            {
                database.Add(equals < 0 ? new(line, "") : new(line[..equals].TrimEnd(), Unquote(line[(equals + 1)..])));
            }
            else if (equals > 0 && !line.AsSpan(0, equals).ContainsAny(" \t"))
            {
                (descriptor, trouble) = Add(descriptor, line[..equals], line[(equals + 1)..].Trim(), fields);
            }
            else
            {
                trouble = "is neither comment, extent, ddb entry nor field";
            }

            problem ??= trouble is null ? null : $"line {number}, '{Printable.Text(line)}', {trouble}";
        }

        return descriptor with { Extents = extents, OtherFields = fields, DiskDatabase = database, Problem = problem };
    }

    /// <summary>The text, in the order in which VMware and qemu write it.</summary>
    internal string Write()
    {
        var text = new StringBuilder("# Disk DescriptorFile\n");
        text.Append($"version={Version ?? 1}\n");
        text.Append($"CID={ContentId ?? 0:x8}\n");
        text.Append($"parentCID={ParentContentId ?? NoParent:x8}\n");
        text.Append($"{CreateTypeKey}=\"{CreateType}\"\n");
        foreach (var hint in ParentFileNameHints)
        {
            text.Append($"{ParentHintKey}=\"{hint}\"\n");
        }

        foreach (var (key, value) in OtherFields)
        {
            text.Append($"{key}=\"{value}\"\n");
        }

        text.Append("\n# Extent description\n");
        foreach (var extent in Extents)
        {
            text.Append(extent).Append('\n');
        }

        text.Append("\n# The Disk Data Base\n#DDB\n\n");
        foreach (var (key, value) in DiskDatabase)
        {
            text.Append($"{key} = \"{value}\"\n");
        }

        return text.ToString();
    }

    private static (VmdkDescriptor Descriptor, string? Problem) Add(
        VmdkDescriptor descriptor, string key, string quoted, List<KeyValuePair<string, string>> fields)
    {
        var value = Unquote(quoted);
        string? problem = null;
        switch (key.ToLowerInvariant())
        {
            case "version":
                problem = uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var version)
                    ? null
                    : "has no number";
                descriptor = descriptor with { Version = descriptor.Version ?? version };
                break;
            case "cid":
                problem = TryParseHex(value, out var contentId) ? null : "has no hexadecimal number";
                descriptor = descriptor with { ContentId = descriptor.ContentId ?? contentId };
                break;
            case "parentcid":
                problem = TryParseHex(value, out var parentId) ? null : "has no hexadecimal number";
                if (descriptor.ParentContentId is null or NoParent)
                {
                    // A second one may add a parent, and cannot take one back.
                    descriptor = descriptor with { ParentContentId = parentId };
                }

                break;
            case "createtype":
                problem = quoted.Length >= 2 && quoted.Length == value.Length + 2 ? null : "has no quoted value";
                descriptor = descriptor with { CreateType = descriptor.CreateType ?? value };
                break;
            case "parentfilenamehint":
                // Found already, with those in other places.
                break;
            default:
                fields.Add(new(key, value));
                break;
        }

        return (descriptor, problem);
    }

    private static IEnumerable<int> FindAll(string text, string word)
    {
        for (var at = text.IndexOf(word, StringComparison.OrdinalIgnoreCase); at >= 0;)
        {
            yield return at;
            at = text.IndexOf(word, at + word.Length, StringComparison.OrdinalIgnoreCase);
        }
    }

    // The quoted value that follows a key somewhere in the text. Where it has any other form, readers differ on what
    // it is; the empty name stands for that, and no gate allows it.
    private static string TextAfter(string text, int at)
    {
        const string Start = "=\"";
        if (string.CompareOrdinal(text, at, Start, 0, Start.Length) != 0)
        {
            return "";
        }

        var value = text.AsSpan(at + Start.Length);
        var end = value.IndexOfAny("\"\r\n");
        return end >= 0 && value[end] == '"' ? value[..end].ToString() : "";
    }

    private static string Unquote(string value)
    {
        value = value.Trim();
        return value.Length >= 2 && value[0] == '"' && value[^1] == '"' ? value[1..^1] : value;
    }

    private static bool TryParseHex(string value, out uint number) =>
        uint.TryParse(value, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
}
