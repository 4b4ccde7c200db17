using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace ImageUtils.Keystone;

/// <summary>
/// One of openstacksdk's files as maps, lists and strings: clouds.yaml, secure.yaml or clouds-public.yaml, which may be
/// JSON, since that is YAML. Merge keys (<c>&lt;&lt;</c>) are followed, as PyYAML does.
/// </summary>
internal static class CloudFile
{
    // No such file comes near them; one that does was made to exhaust its reader.
    private const int MaximumLength = 1 << 20;
    private const int MaximumDepth = 16;
    private const int MaximumNodes = 20_000;

    /// <summary>The first of the files that is there and may be read; null where none is.</summary>
    /// <exception cref="CloudConfigurationException">It is no YAML map.</exception>
    internal static (string Path, CloudMap Content)? ReadFirst(IEnumerable<string> paths)
    {
        foreach (var path in paths)
        {
            try
            {
                using var stream = File.OpenRead(path);
                if (stream.Length > MaximumLength)
                {
                    throw ToMalformed(path, $"is {stream.Length} bytes long, which no such file is");
                }

                return (path, Parse(path, stream));
            }
            catch (Exception exception)
                when (exception is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
            {
                // openstacksdk goes on to the next file as well.
            }
        }

        return null;
    }

    private static CloudMap Parse(string path, Stream stream)
    {
        var yaml = new YamlStream();
        try
        {
            yaml.Load(new StreamReader(stream, new UTF8Encoding(false, throwOnInvalidBytes: true)));
        }
        catch (YamlException exception)
        {
            // Its own words may quote what stands there: a password that begins with * is an unknown alias.
            throw ToMalformed(path, $"line {exception.Start.Line}, column {exception.Start.Column}, is no YAML");
        }
        catch (Exception exception) when (exception is ArgumentException or InvalidOperationException)
        {
            throw ToMalformed(path, "is no UTF-8 text of YAML");
        }

        var nodes = 0;
        return yaml.Documents.Count == 0 ? new CloudMap()
            : Convert(yaml.Documents[0].RootNode, 0) as CloudMap
                ?? (yaml.Documents[0].RootNode is YamlScalarNode { Value: null or "" } ? new CloudMap()
                : throw ToMalformed(path, "is no YAML map"));

        object? Convert(YamlNode node, int depth)
        {
            if (depth > MaximumDepth || ++nodes > MaximumNodes)
            {
                throw ToMalformed(path, $"line {node.Start.Line}, is nested too deep or refers to itself too often");
            }

            return node switch
            {
                YamlScalarNode scalar => IsNull(scalar) ? null : scalar.Value,
                YamlSequenceNode sequence => sequence.Children.Select(child => Convert(child, depth + 1)).ToList(),
                YamlMappingNode mapping => ToMap(mapping, depth),
                _ => throw ToMalformed(path, $"line {node.Start.Line}, has something that is no YAML"),
            };
        }

        CloudMap ToMap(YamlMappingNode mapping, int depth)
        {
            var map = new CloudMap();
            foreach (var (key, value) in mapping.Children)
            {
                var name = (key as YamlScalarNode)?.Value
                    ?? throw ToMalformed(path, $"line {key.Start.Line}, has a key that is no text");
                if (name != "<<")
                {
                    map[name] = Convert(value, depth + 1);
                    continue;
                }

                var merged = Convert(value, depth + 1);
                foreach (var source in merged as List<object?> ?? [merged])
                {
                    foreach (var (inner, content) in source as CloudMap
                        ?? throw ToMalformed(path, $"line {value.Start.Line}, merges what is no map"))
                    {
                        map.Inherited.TryAdd(inner, content);
                    }
                }
            }

            foreach (var (inner, content) in map.Inherited)
            {
                map.TryAdd(inner, content);
            }

            return map;
        }
    }

    private static bool IsNull(YamlScalarNode scalar) =>
        scalar.Style == ScalarStyle.Plain && scalar.Value is null or "" or "~" or "null" or "Null" or "NULL";

    private static CloudConfigurationException ToMalformed(string path, string what) => new(
        CloudConfigurationProblem.Malformed, path, $"'{Printable.Text(path)}' {what}. Correct or remove it.");
}

/// <summary>A map of YAML, whose values are strings, lists, maps and null.</summary>
internal sealed class CloudMap : Dictionary<string, object?>
{
    internal CloudMap()
        : base(StringComparer.Ordinal)
    {
    }

    /// <summary>What merge keys bring, which keys of the map's own go before.</summary>
    internal Dictionary<string, object?> Inherited { get; } = new(StringComparer.Ordinal);

    /// <summary>A map in it; null where there is none.</summary>
    internal CloudMap? GetMap(string name) => this.GetValueOrDefault(name) as CloudMap;

    /// <summary>A text in it; null where there is none or it is empty.</summary>
    internal string? GetText(string name) => this.GetValueOrDefault(name) is string { Length: > 0 } text ? text : null;

    /// <summary>Lays another map over this one: maps are merged, everything else is replaced.</summary>
    internal void Overlay(CloudMap other)
    {
        foreach (var (name, value) in other)
        {
            if (value is CloudMap inner && GetMap(name) is { } own)
            {
                own.Overlay(inner);
            }
            else
            {
                this[name] = value is CloudMap map ? map.Clone() : value;
            }
        }
    }

    /// <summary>A copy that can be changed, down to the last map.</summary>
    internal CloudMap Clone()
    {
        var copy = new CloudMap();
        copy.Overlay(this);
        return copy;
    }
}
