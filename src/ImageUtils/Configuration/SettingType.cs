using System.Globalization;
using System.Text.Json.Nodes;

namespace ImageUtils.Configuration;

/// <summary>
/// What values a setting can have. One conversion serves all sources: JSON and parameters give null, booleans, whole
/// numbers, text and lists of text; the environment gives text.
/// </summary>
internal abstract class SettingType
{
    protected const string NoneText = "none";

    /// <summary>What a value must be, to follow "must be".</summary>
    internal abstract string Shape { get; }

    /// <param name="given">Null, <see cref="bool"/>, <see cref="long"/>, text, or a list of text.</param>
    /// <param name="value">The setting's value.</param>
    internal abstract bool TryConvert(object? given, out object? value);

    internal abstract JsonNode? ToJson(object? value);

    internal virtual string ToText(object? value) => value?.ToString() ?? NoneText;

    protected static bool IsNone(object? given) =>
        given is null or 0L || (given is string text && text.Trim() is var trimmed
            && (trimmed.Equals(NoneText, StringComparison.OrdinalIgnoreCase) || trimmed == "0"));
}

/// <summary>Yes or no.</summary>
internal sealed class BooleanSetting : SettingType
{
    internal override string Shape => "true or false";

    internal override bool TryConvert(object? given, out object? value)
    {
        value = given is bool ? given : (given as string)?.Trim().ToLowerInvariant() switch
        {
            "true" or "yes" or "on" or "1" => true,
            "false" or "no" or "off" or "0" => false,
            _ => null,
        };
        return value is not null;
    }

    internal override JsonNode? ToJson(object? value) => (bool)value!;
}

/// <summary>A time, or none.</summary>
internal sealed class SecondsSetting : SettingType
{
    internal override string Shape =>
        $"a whole number of seconds, at most {ImageUtilsConfiguration.LongestTimeSeconds}; 0 or none is no limit";

    internal override bool TryConvert(object? given, out object? value)
    {
        value = null;
        if (IsNone(given))
        {
            return true;
        }

        if (given is string text
            && long.TryParse(text.Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var parsed))
        {
            given = parsed;
        }

        if (given is not long seconds || seconds is < 0 or > ImageUtilsConfiguration.LongestTimeSeconds)
        {
            return false;
        }

        value = TimeSpan.FromSeconds(seconds);
        return true;
    }

    internal override JsonNode? ToJson(object? value) => value is TimeSpan time ? (long)time.TotalSeconds : null;

    internal override string ToText(object? value) =>
        value is TimeSpan time ? $"{(long)time.TotalSeconds} s" : NoneText;
}

/// <summary>A number of bytes, or none.</summary>
/// <param name="least">The least that makes sense.</param>
internal sealed class SizeSetting(long least) : SettingType
{
    internal override string Shape =>
        $"a number of bytes of at least {least}, or text such as 100M; 0 or none is no limit";

    internal override bool TryConvert(object? given, out object? value)
    {
        value = null;
        if (IsNone(given))
        {
            return true;
        }

        if (given is string text && ByteSize.TryParse(text, out var parsed))
        {
            given = parsed;
        }

        if (given is not long size || size < least)
        {
            return false;
        }

        value = size;
        return true;
    }

    internal override JsonNode? ToJson(object? value) => value is long size ? size : null;

    internal override string ToText(object? value) => value is long size ? ByteSize.ToText(size) : NoneText;
}

/// <summary>A directory.</summary>
internal sealed class DirectorySetting : SettingType
{
    internal override string Shape => "the full path of a directory";

    internal override bool TryConvert(object? given, out object? value)
    {
        value = given is string path && Path.IsPathFullyQualified(path) && !path.Any(char.IsControl) ? path : null;
        return value is not null;
    }

    internal override JsonNode? ToJson(object? value) => (string)value!;
}

/// <summary>A format that an image can be converted to without being told more, or none.</summary>
internal sealed class TargetFormatSetting : SettingType
{
    private static readonly ImageFormat[] s_targets =
    [
        ImageFormat.Raw, ImageFormat.Qcow2, ImageFormat.Vhd, ImageFormat.Vhdx, ImageFormat.Vmdk, ImageFormat.Vdi,
        ImageFormat.Qed, ImageFormat.Ploop,
    ];

    internal override string Shape =>
        $"one of {string.Join(", ", s_targets.Select(format => format.ToName()))}, or none";

    internal override bool TryConvert(object? given, out object? value)
    {
        value = null;
        if (IsNone(given))
        {
            return true;
        }

        if (!ImageFormatNames.TryParse(given as string, out var format) || !s_targets.Contains(format))
        {
            return false;
        }

        value = format;
        return true;
    }

    internal override JsonNode? ToJson(object? value) => value is ImageFormat format ? format.ToName() : null;

    internal override string ToText(object? value) => value is ImageFormat format ? format.ToName() : NoneText;
}

/// <summary>Names, in a list that may be empty.</summary>
internal sealed class NamesSetting : SettingType
{
    internal override string Shape =>
        "a list of names of letters, digits and any of _ - . : (text separates them by commas; none is an empty list)";

    internal override bool TryConvert(object? given, out object? value)
    {
        var names = given switch
        {
            string text when text.Trim().Equals(NoneText, StringComparison.OrdinalIgnoreCase) => [],
            string text => text.Split(',', StringSplitOptions.TrimEntries),
            IReadOnlyList<string> list => [.. list.Select(name => name.Trim())],
            _ => null,
        };
        value = names is not null && names.All(IsName)
            ? Array.AsReadOnly([.. names.Distinct(StringComparer.OrdinalIgnoreCase)])
            : null;
        return value is not null;
    }

    internal override JsonNode? ToJson(object? value) =>
        new JsonArray([.. ((IReadOnlyList<string>)value!).Select(name => (JsonNode)name)]);

    internal override string ToText(object? value) =>
        value is IReadOnlyList<string> { Count: > 0 } names ? string.Join(", ", names) : NoneText;

    private static bool IsName(string name) =>
        name.Length > 0 && name.All(character => char.IsAsciiLetterOrDigit(character) || "_-.:".Contains(character));
}

/// <summary>A program and its arguments, or nothing.</summary>
internal sealed class CommandSetting : SettingType
{
    internal override string Shape =>
        "a program on the PATH or by its full path, and its arguments, each by itself such as \"sudo\", \"-n\" (text "
        + "separates them by spaces and knows no quotes); none is no command";

    internal override bool TryConvert(object? given, out object? value)
    {
        var words = given switch
        {
            string text when text.Trim().Equals(NoneText, StringComparison.OrdinalIgnoreCase) => [],
            string text when text.IndexOfAny(['"', '\'']) < 0 =>
                text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries),
            IReadOnlyList<string> list => [.. list],
            _ => null,
        };
        var isCommand = words is not null
            && words.All(word => word.Length > 0 && !word.Any(char.IsControl))
            && (words.Length == 0 || IsProgram(words[0]));
        value = isCommand ? Array.AsReadOnly(words!) : null;
        return isCommand;
    }

    internal override JsonNode? ToJson(object? value) =>
        new JsonArray([.. ((IReadOnlyList<string>)value!).Select(word => (JsonNode)word)]);

    internal override string ToText(object? value) =>
        value is IReadOnlyList<string> { Count: > 0 } words ? string.Join(' ', words) : NoneText;

    // A path relative to wherever one happens to be would run what somebody else has put there.
    private static bool IsProgram(string word) => Path.IsPathFullyQualified(word)
        || (word.IndexOfAny(['/', '\\']) < 0 && !word.StartsWith('-') && !word.Any(char.IsWhiteSpace));
}
