using ImageUtils.Errors;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.Configuration;

/// <summary>
/// What holds where a caller says nothing else, as it was when it was loaded. Sources, lowest to highest: what is built
/// in, the machine's file, the user's file, the environment. <see cref="Settings"/> says where each value comes from.
/// </summary>
public sealed class ImageUtilsConfiguration
{
    /// <summary>The longest time limit, in seconds: 30 days, which every timer can hold.</summary>
    public const int LongestTimeSeconds = 30 * 24 * 60 * 60;

    private readonly Dictionary<string, ImageUtilsSetting> _settings;

    private ImageUtilsConfiguration(
        Dictionary<string, ImageUtilsSetting> settings, IReadOnlyList<string> unknownSettings)
    {
        _settings = settings;
        UnknownSettings = unknownSettings;
    }

    /// <summary>What is built in, whatever files and the environment say.</summary>
    public static ImageUtilsConfiguration Default => new(GetDefaults(), []);

    /// <summary>Each value and where it comes from.</summary>
    public IReadOnlyList<ImageUtilsSetting> Settings =>
        [.. SettingDefinition.All.Select(definition => _settings[definition.Name])];

    /// <summary>
    /// Names in the files that no setting of this version has, each with its file and line. They may be a newer
    /// version's, and so are no error.
    /// </summary>
    public IReadOnlyList<string> UnknownSettings { get; }

    /// <summary>Where temporary files of conversions go; a full path.</summary>
    public string ConversionDirectory => Get<string>(nameof(ConversionDirectory))!;

    /// <summary>Whether uploads are compressed where their format can be.</summary>
    public bool CompressOnUpload => Get<bool>(nameof(CompressOnUpload));

    /// <summary>Processor time that a qemu-img may take; null: any.</summary>
    public TimeSpan? CpuTimeLimit => Get<TimeSpan?>(nameof(CpuTimeLimit));

    /// <summary>Address space that a qemu-img may take, in bytes; null: any.</summary>
    public long? AddressSpaceLimit => Get<long?>(nameof(AddressSpaceLimit));

    /// <summary>Time by the clock that a qemu-img that converts nothing may take; null: any.</summary>
    public TimeSpan? TimeLimit => Get<TimeSpan?>(nameof(TimeLimit));

    /// <summary>Time by the clock that a qemu-img that converts may take; null: any.</summary>
    public TimeSpan? ConversionTimeLimit => Get<TimeSpan?>(nameof(ConversionTimeLimit));

    /// <summary>Whether any change of an image's format is refused.</summary>
    public bool ConversionDisabled => Get<bool>(nameof(ConversionDisabled));

    /// <summary>VMDK createTypes that are allowed, in any case. Empty: no VMDK is.</summary>
    public IReadOnlyList<string> AllowedVmdkTypes => Get<IReadOnlyList<string>>(nameof(AllowedVmdkTypes))!;

    /// <summary>Prefixes of image properties that are not passed on in an upload.</summary>
    public IReadOnlyList<string> ReservedNamespaces => Get<IReadOnlyList<string>>(nameof(ReservedNamespaces))!;

    /// <summary>Bytes that a conversion may read or write a second; null: any.</summary>
    public long? BandwidthLimit => Get<long?>(nameof(BandwidthLimit));

    /// <summary>What images are converted to where nothing else is said; null: that must be said.</summary>
    public ImageFormat? DefaultFormat => Get<ImageFormat?>(nameof(DefaultFormat));

    /// <summary>
    /// The program and arguments that are put before a program that a caller asked to elevate; empty where there is
    /// none. The program is a name to be found on the PATH, or a full path.
    /// </summary>
    public IReadOnlyList<string> ElevationCommand => Get<IReadOnlyList<string>>(nameof(ElevationCommand))!;

    /// <summary>What an inspection allows where nothing else is said.</summary>
    public SafetyPolicy Policy => SafetyPolicy.Default with { AllowedVmdkTypes = AllowedVmdkTypes };

    /// <summary>What a qemu-img that converts nothing may take.</summary>
    public ProcessLimits QemuLimits => ProcessLimits.Default with
    {
        CpuTime = CpuTimeLimit,
        AddressSpace = AddressSpaceLimit,
        WallTime = TimeLimit,
    };

    /// <summary>What a qemu-img that converts may take.</summary>
    public ProcessLimits QemuConversionLimits => QemuLimits with { WallTime = ConversionTimeLimit };

    /// <summary>The names of all settings.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. SettingDefinition.All.Select(one => one.Name)];

    /// <summary>Reads all sources.</summary>
    /// <param name="sources">Where from; by itself the files and the environment of this process.</param>
    /// <exception cref="ConfigurationException">
    /// A file is malformed, cannot be read, or can be changed by others; or a value is none of its setting's.
    /// </exception>
    public static ImageUtilsConfiguration Load(ConfigurationSources? sources = null)
    {
        sources ??= ConfigurationSources.OfProcess;
        var settings = GetDefaults();
        var unknown = new List<string>();
        AddFile(sources.MachineFile, SettingSource.MachineFile);
        if (sources.UserFile is { } userFile)
        {
            AddFile(userFile, SettingSource.UserFile);
        }

        foreach (var definition in SettingDefinition.All)
        {
            var variable = definition.VariableName;
            if (sources.GetVariable(variable) is { } text && !string.IsNullOrWhiteSpace(text))
            {
                var value = definition.Convert(text, variable, $"The environment variable {variable}", $"'{text}'");
                settings[definition.Name] = new(definition, value, SettingSource.Environment, variable);
            }
        }

        return new ImageUtilsConfiguration(settings, unknown);

        void AddFile(string path, SettingSource source)
        {
            if (ConfigurationFile.Read(path) is not { } file)
            {
                return;
            }

            unknown.AddRange(file.UnknownSettings);
            foreach (var (definition, value) in file.Values)
            {
                settings[definition.Name] = new(definition, value, source, path);
            }
        }
    }

    /// <summary>
    /// Changes a file, or makes it: written beside and renamed, so that it is always whole. What it holds beyond the
    /// settings named here stays.
    /// </summary>
    /// <param name="scope">Whose file.</param>
    /// <param name="values">
    /// New values by name: null, <see cref="bool"/>, <see cref="int"/> or <see cref="long"/>, text,
    /// <see cref="ImageFormat"/>, or a list of strings. Times are in seconds, sizes in bytes.
    /// </param>
    /// <param name="removed">Settings that the file shall say nothing of.</param>
    /// <param name="sources">Where the files are.</param>
    /// <returns>The file.</returns>
    /// <exception cref="ConfigurationException">
    /// A value is none of its setting's, the file that is there is malformed or not to be trusted, or it cannot be
    /// written. It is as it was.
    /// </exception>
    public static string Change(
        ConfigurationScope scope, IReadOnlyDictionary<string, object?> values, IReadOnlyCollection<string> removed,
        ConfigurationSources? sources = null)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentNullException.ThrowIfNull(removed);
        var path = GetPath(scope, sources);
        var converted = values.ToDictionary(
            pair => SettingDefinition.Get(pair.Key), pair => ToValue(pair.Key, pair.Value));
        ConfigurationFile.Change(path, scope, converted, [.. removed.Select(SettingDefinition.Get)]);
        return path;
    }

    /// <summary>The file that is meant.</summary>
    /// <exception cref="ConfigurationException">The user has no home to have a file in.</exception>
    public static string GetPath(ConfigurationScope scope, ConfigurationSources? sources = null)
    {
        sources ??= ConfigurationSources.OfProcess;
        return scope == ConfigurationScope.Machine
            ? sources.MachineFile
            : sources.UserFile ?? throw new ConfigurationException(
                ConfigurationProblem.CannotWrite, "", "This user has no home directory, and so no configuration file. "
                + "Set the environment variable XDG_CONFIG_HOME, or use the machine's file.");
    }

    private static object? ToValue(string name, object? given)
    {
        var plain = given switch
        {
            int number => (long)number,
            ImageFormat format => format.ToName(),
            _ => given,
        };
        var shown = plain is IEnumerable<string> list ? $"'{string.Join("', '", list)}'" : $"'{plain}'";
        return SettingDefinition.Get(name).Convert(plain, name, "The new value", shown);
    }

    private static Dictionary<string, ImageUtilsSetting> GetDefaults() => SettingDefinition.All.ToDictionary(
        definition => definition.Name,
        definition => new ImageUtilsSetting(definition, definition.GetDefault(), SettingSource.Default, null));

    private T? Get<T>(string name) => (T?)_settings[name].Value;
}
