using System.Text;
using System.Text.Json;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Qemu;

/// <summary>Reads the output of <c>qemu-img info --output=json</c>, of any version.</summary>
/// <remarks>QEMU, qapi/block-core.json, <c>ImageInfo</c> and <c>SnapshotInfo</c>.</remarks>
public static class QemuInfoJsonParser
{
    /// <summary>How deep values may be nested; qemu-img's own reach eight levels.</summary>
    internal const int MaximumDepth = 64;

    // On disk the date is 32 bits of seconds and 32 of nanoseconds, and the rest 64; a hostile image may use them all.
    private const long EndSecond = 1L << 32;

    // What a TimeSpan can hold.
    private const long EndClockSecond = 922_337_203_685;

    /// <summary>
    /// Reads one object, an array of them (from <c>--backing-chain</c>), or several of either one after another.
    /// </summary>
    /// <returns>One for each object, in their order.</returns>
    /// <exception cref="QemuOutputException">This is not such output.</exception>
    public static IReadOnlyList<QemuImageInfo> Parse(string json)
    {
        QemuInfoOutput.ThrowIfTooLong(json);
        var infos = new List<QemuImageInfo>();
        try
        {
            var reader = new Utf8JsonReader(
                Encoding.UTF8.GetBytes(json),
                new JsonReaderOptions { MaxDepth = MaximumDepth, AllowMultipleValues = true });
            while (reader.Read())
            {
                using var document = JsonDocument.ParseValue(ref reader);
                if (document.RootElement.ValueKind == JsonValueKind.Array)
                {
                    infos.AddRange(document.RootElement.EnumerateArray().Select(ReadImage));
                }
                else
                {
                    infos.Add(ReadImage(document.RootElement));
                }
            }
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a string with half a surrogate pair in it.
            throw new QemuOutputException(
                $"This begins like the JSON output of 'qemu-img info', but is not sound JSON: {exception.Message} "
                + "Was it saved whole?",
                exception);
        }

        return infos.Count > 0
            ? infos
            : throw new QemuOutputException(
                "There is no image in the JSON, where 'qemu-img info' prints one at least.");
    }

    private static QemuImageInfo ReadImage(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object
            || !(element.TryGetProperty("format", out _) && element.TryGetProperty("virtual-size", out _)
                || element.TryGetProperty("filename", out _)))
        {
            throw new QemuOutputException(
                "The JSON is not the output of 'qemu-img info': an image's object has 'filename', 'format' and "
                + $"'virtual-size', this has {Describe(element)}.");
        }

        var info = new QemuImageInfo { Engine = InfoEngine.Parsed };
        var notes = new List<string>();
        foreach (var field in element.EnumerateObject())
        {
            var value = field.Value;
            switch (field.Name)
            {
                case "filename":
                    info = info with { FileName = ReadText(field) };
                    break;
                case "format":
                    info = info.WithFormatName(ReadText(field));
                    break;
                case "virtual-size":
                    info = info with { VirtualSize = ReadSize(field) };
                    break;
                case "actual-size":
                    info = info with { ActualSize = ReadSize(field) };
                    break;
                case "cluster-size":
                    info = info with { ClusterSize = ReadSize(field) };
                    break;
                case "encrypted":
                    info = info with { IsEncrypted = ReadFlag(field) };
                    break;
                case "dirty-flag":
                    info = info with { IsDirty = ReadFlag(field) };
                    break;
                case "backing-filename":
                    info = info with { BackingFile = ReadText(field) };
                    break;
                case "full-backing-filename":
                    info = info with { FullBackingFile = ReadText(field) };
                    break;
                case "backing-filename-format":
                    info = info with { BackingFormat = ReadText(field) };
                    break;
                case "snapshots" when value.ValueKind == JsonValueKind.Array:
                    info = info with { Snapshots = [.. value.EnumerateArray().Select(ReadSnapshot)] };
                    break;
                case "format-specific" when TryReadSpecific(value, notes) is { } details:
                    info = info with { FormatSpecific = details };
                    break;
                default:
                    notes.Add($"{field.Name}: {QemuFormatSpecific.ToText(ToPlain(value))}");
                    break;
            }
        }

        return info with { Notes = notes };
    }

    private static FormatDetails? TryReadSpecific(JsonElement value, List<string> notes) =>
        value.ValueKind == JsonValueKind.Object
        && value.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String
        && value.TryGetProperty("data", out var data) && ToPlain(data) is Dictionary<string, object?> fields
            ? QemuFormatSpecific.Build(type.GetString()!, fields, notes)
            : null;

    private static ImageSnapshot ReadSnapshot(JsonElement element)
    {
        if (element.ValueKind != JsonValueKind.Object)
        {
            throw new QemuOutputException($"An entry of 'snapshots' should be an object, but is {Describe(element)}.");
        }

        var seconds = ReadNumber(element, "date-sec", 0, EndSecond - 1) ?? 0;
        var nanoseconds = ReadNumber(element, "date-nsec", 0, uint.MaxValue) ?? 0;
        var clockSeconds = ReadNumber(element, "vm-clock-sec", 0, EndClockSecond - 1) ?? 0;
        var clockNanoseconds = ReadNumber(element, "vm-clock-nsec", 0, 999_999_999) ?? 0;
        return new ImageSnapshot(
            ReadText(element, "id"),
            ReadText(element, "name"),
            ReadNumber(element, "vm-state-size", long.MinValue, long.MaxValue) ?? 0,
            DateTimeOffset.FromUnixTimeSeconds(seconds).AddTicks(nanoseconds / TimeSpan.NanosecondsPerTick),
            TimeSpan.FromTicks(
                clockSeconds * TimeSpan.TicksPerSecond + clockNanoseconds / TimeSpan.NanosecondsPerTick),
            ReadNumber(element, "icount", long.MinValue, long.MaxValue),
            DiskSize: null);
    }

    private static string ReadText(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw new QemuOutputException($"A snapshot's '{name}' is missing in the JSON, or is no text.");

    private static long? ReadNumber(JsonElement element, string name, long least, long most)
    {
        if (!element.TryGetProperty(name, out var value))
        {
            return null;
        }

        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out var number)
            && number >= least && number <= most
                ? number
                : throw new QemuOutputException(
                    $"A snapshot's '{name}' is {Describe(value)} in the JSON; {least} to {most} is possible.");
    }

    private static string ReadText(JsonProperty field) => field.Value.ValueKind == JsonValueKind.String
        ? field.Value.GetString()!
        : throw ToUnexpected(field, "a text");

    private static bool ReadFlag(JsonProperty field) => field.Value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw ToUnexpected(field, "true or false"),
    };

    private static long? ReadSize(JsonProperty field) => field.Value.ValueKind switch
    {
        JsonValueKind.Null => null,
        JsonValueKind.Number when field.Value.TryGetInt64(out var size) && size >= 0 => size,
        _ => throw ToUnexpected(field, "a whole number of bytes"),
    };

    private static QemuOutputException ToUnexpected(JsonProperty field, string expected) => new(
        $"The JSON is not the output of 'qemu-img info': its '{field.Name}' should be {expected}, "
        + $"but is {Describe(field.Value)}.");

    private static string Describe(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object when element.EnumerateObject().Any() =>
            $"'{string.Join("', '", element.EnumerateObject().Take(8).Select(field => Printable.Text(field.Name)))}'",
        JsonValueKind.Object => "nothing in it",
        JsonValueKind.Array => "a list",
        _ => Printable.Text(element.GetRawText()),
    };

    private static object? ToPlain(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number when element.TryGetInt64(out var number) => number,
        JsonValueKind.Number => element.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Array => element.EnumerateArray().Select(ToPlain).ToList(),
        JsonValueKind.Object => ToPlainFields(element),
        _ => null,
    };

    private static Dictionary<string, object?> ToPlainFields(JsonElement element)
    {
        var fields = new Dictionary<string, object?>();
        foreach (var field in element.EnumerateObject())
        {
            fields[field.Name] = ToPlain(field.Value);
        }

        return fields;
    }
}
