namespace ImageUtils.Configuration;

/// <summary>Where a setting's value comes from, lowest to highest: each goes over those before it.</summary>
public enum SettingSource
{
    /// <summary>Built in.</summary>
    Default,

    /// <summary>The machine's file.</summary>
    MachineFile,

    /// <summary>The user's file.</summary>
    UserFile,

    /// <summary>An environment variable.</summary>
    Environment,
}

/// <summary>One value of the configuration, and where it comes from.</summary>
public sealed class ImageUtilsSetting
{
    private readonly SettingDefinition _definition;

    internal ImageUtilsSetting(SettingDefinition definition, object? value, SettingSource source, string? origin)
    {
        _definition = definition;
        Value = value;
        Source = source;
        Origin = origin;
    }

    /// <summary>The name, such as <c>BandwidthLimit</c>.</summary>
    public string Name => _definition.Name;

    /// <summary>
    /// The value: <see cref="bool"/>, <see cref="string"/>, a list of strings, <see cref="TimeSpan"/>,
    /// <see cref="long"/> for sizes in bytes, <see cref="ImageFormat"/>, or <see langword="null"/> for none.
    /// </summary>
    public object? Value { get; }

    /// <summary>Where the value comes from.</summary>
    public SettingSource Source { get; }

    /// <summary>The file or the environment variable that it comes from; null where it is built in.</summary>
    public string? Origin { get; }

    /// <summary>The environment variable that goes over the files.</summary>
    public string VariableName => _definition.VariableName;

    /// <summary>What it means, its unit, and whose option it is like.</summary>
    public string Description => _definition.Description;

    /// <summary>The value for people.</summary>
    public string ValueText => _definition.Type.ToText(Value);

    /// <inheritdoc/>
    public override string ToString() => $"{Name} = {ValueText}";
}
