using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Configuration;

/// <summary>A JSON file with one object of settings.</summary>
/// <param name="Values">What it sets.</param>
/// <param name="UnknownSettings">What else it names, with file and line.</param>
internal sealed record ConfigurationFile(
    IReadOnlyDictionary<SettingDefinition, object?> Values, IReadOnlyList<string> UnknownSettings)
{
    private const UnixFileMode UserFileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode MachineFileMode = UserFileMode | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode UserDirectoryMode = UserFileMode | UnixFileMode.UserExecute;
    private const UnixFileMode MachineDirectoryMode = MachineFileMode
        | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private static readonly JsonSerializerOptions s_writing = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    // Stands for a value of a kind that no setting has.
    private static readonly object s_unusable = new();

    /// <summary>Reads the file; null where there is none.</summary>
    /// <exception cref="ConfigurationException">It is not to be trusted, not readable, or malformed.</exception>
    internal static ConfigurationFile? Read(string path) =>
        TrustedFile.Read(path) is { } content ? Parse(path, content) : null;

    /// <summary>Changes the file, which is made where it is missing; as a whole or not at all.</summary>
    /// <exception cref="ConfigurationException">What is there is not to be built on, or cannot be written.</exception>
    internal static void Change(
        string path, ConfigurationScope scope, IReadOnlyDictionary<SettingDefinition, object?> values,
        IReadOnlyCollection<SettingDefinition> removed)
    {
        var content = TrustedFile.Read(path);
        if (content is not null)
        {
            Parse(path, content);
        }

        var settings = content is null ? [] : JsonNode.Parse(content)!.AsObject();
        foreach (var definition in removed.Concat(values.Keys))
        {
            foreach (var key in settings.Select(pair => pair.Key)
                .Where(key => key.Equals(definition.Name, StringComparison.OrdinalIgnoreCase)
                    && !(key == definition.Name && values.ContainsKey(definition))).ToList())
            {
                settings.Remove(key);
            }
        }

        foreach (var (definition, value) in values)
        {
            settings[definition.Name] = definition.Type.ToJson(value);
        }

        if (content is not null || settings.Count > 0)
        {
            Write(path, scope, settings.ToJsonString(s_writing) + "\n");
        }
    }

    private static ConfigurationFile Parse(string path, byte[] content)
    {
        var values = new Dictionary<SettingDefinition, object?>();
        var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        var unknown = new List<string>();
        var reader = new Utf8JsonReader(content);
        try
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                throw ToMalformed("is not one JSON object of settings, { \"Name\": value }");
            }

            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var name = reader.GetString()!;
                var start = reader.TokenStartIndex;
                if (!names.Add(name))
                {
                    throw ToMalformed($"line {GetLine(content, start)}, sets {Printable.Text(name)} a second time");
                }

                reader.Read();
                if (SettingDefinition.Find(name) is not { } definition)
                {
                    unknown.Add($"'{path}', line {GetLine(content, start)}: {Printable.Text(name)}");
                    reader.Skip();
                    continue;
                }

                start = reader.TokenStartIndex;
                var given = ReadValue(ref reader);
                values[definition] = definition.Convert(
                    given, path, $"'{path}', line {GetLine(content, start)}",
                    Encoding.UTF8.GetString(content.AsSpan((int)start, (int)(reader.BytesConsumed - start))));
            }

            // What follows the object makes the reader throw.
            reader.Read();
        }
        catch (JsonException exception)
        {
            var reason = exception.Message.Split(" LineNumber:", 2)[0];
            throw ToMalformed($"line {exception.LineNumber + 1}, is not JSON: {reason}", exception);
        }
        catch (InvalidOperationException exception)
        {
            throw ToMalformed($"line {GetLine(content, reader.TokenStartIndex)}, is not UTF-8 text", exception);
        }

        return new ConfigurationFile(values, unknown);

        ConfigurationException ToMalformed(string what, Exception? inner = null) => new(
            ConfigurationProblem.Malformed, path,
            $"The configuration file '{path}', {what.TrimEnd('.')}. Correct or remove it.", inner);
    }

    private static object? ReadValue(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return null;
            case JsonTokenType.True or JsonTokenType.False:
                return reader.GetBoolean();
            case JsonTokenType.Number:
                return reader.TryGetInt64(out var number) ? number : s_unusable;
            case JsonTokenType.String:
                return reader.GetString();
            case JsonTokenType.StartArray:
                var list = new List<string>();
                var isUsable = true;
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                {
                    isUsable &= reader.TokenType == JsonTokenType.String;
                    if (isUsable)
                    {
                        list.Add(reader.GetString()!);
                    }

                    reader.Skip();
                }

                return isUsable ? list : s_unusable;
            default:
                reader.Skip();
                return s_unusable;
        }
    }

    private static int GetLine(byte[] content, long offset) => content.AsSpan(0, (int)offset).Count((byte)'\n') + 1;

    private static void Write(string path, ConfigurationScope scope, string text)
    {
        var isMachine = scope == ConfigurationScope.Machine;
        string? beside = null;
        try
        {
            CreateDirectory(Path.GetDirectoryName(path)!, isMachine ? MachineDirectoryMode : UserDirectoryMode);

            // A link stays a link: what it leads to is replaced.
            var target = new FileInfo(path).LinkTarget is null
                ? path
                : File.ResolveLinkTarget(path, returnFinalTarget: true)!.FullName;
            beside = $"{target}.{Guid.NewGuid():N}.new";
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UserFileMode;
            }

            using (var stream = new FileStream(beside, options))
            {
                if (isMachine && !OperatingSystem.IsWindows())
                {
                    File.SetUnixFileMode(stream.SafeFileHandle, MachineFileMode);
                }

                stream.Write(Encoding.UTF8.GetBytes(text));
                stream.Flush(flushToDisk: true);
            }

            File.Move(beside, target, overwrite: true);
            beside = null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            var advice = isMachine ? " Run as an administrator, or use the user's file." : "";
            throw new ConfigurationException(
                ConfigurationProblem.CannotWrite, path,
                $"The configuration file '{path}' cannot be written: {exception.Message}{advice}", exception);
        }
        finally
        {
            if (beside is not null)
            {
                File.Delete(beside);
            }
        }
    }

    private static void CreateDirectory(string path, UnixFileMode mode)
    {
        if (Directory.Exists(path))
        {
            return;
        }

        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return;
        }

        // Whatever the mask of modes is: others must be able to read the machine's file.
        Directory.CreateDirectory(path, mode);
        File.SetUnixFileMode(path, mode);
    }
}
