using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.Configuration;

/// <summary>What there is to set: this list is all that a new setting needs, beside its typed property.</summary>
/// <param name="Name">The name in files.</param>
/// <param name="Type">What values it can have.</param>
/// <param name="GetDefault">The built-in value.</param>
/// <param name="Description">What it means, its unit, and whose option it is like.</param>
internal sealed record SettingDefinition(string Name, SettingType Type, Func<object?> GetDefault, string Description)
{
    // An address space in which no program can even be loaded is one that was meant in another unit.
    private const long LeastAddressSpace = 16L << 20;

    internal static IReadOnlyList<SettingDefinition> All { get; } =
    [
        new(nameof(ImageUtilsConfiguration.ConversionDirectory), new DirectorySetting(),
            () => Path.TrimEndingDirectorySeparator(Path.GetTempPath()),
            "Where temporary files of conversions go (Cinder: image_conversion_dir)."),
        new(nameof(ImageUtilsConfiguration.CompressOnUpload), new BooleanSetting(), () => true,
            "Whether uploads are compressed where their format can be (Cinder: image_compress_on_upload)."),
        new(nameof(ImageUtilsConfiguration.CpuTimeLimit), new SecondsSetting(), () => ProcessLimits.Default.CpuTime,
            "Processor time that a qemu-img may take, in seconds (Cinder: image_conversion_cpu_limit)."),
        new(nameof(ImageUtilsConfiguration.AddressSpaceLimit), new SizeSetting(LeastAddressSpace),
            () => ProcessLimits.Default.AddressSpace,
            "Address space that a qemu-img may take, in bytes (Cinder, in GiB: image_conversion_address_space_limit)."),
        new(nameof(ImageUtilsConfiguration.TimeLimit), new SecondsSetting(), () => ProcessLimits.Default.WallTime,
            "Time by the clock that a qemu-img that converts nothing may take, in seconds."),
        new(nameof(ImageUtilsConfiguration.ConversionTimeLimit), new SecondsSetting(), () => null,
            "Time by the clock that a qemu-img that converts may take, in seconds."),
        new(nameof(ImageUtilsConfiguration.ConversionDisabled), new BooleanSetting(), () => false,
            "Whether any change of an image's format is refused (Cinder: image_conversion_disable)."),
        new(nameof(ImageUtilsConfiguration.AllowedVmdkTypes), new NamesSetting(),
            () => SafetyPolicy.Default.AllowedVmdkTypes,
            "VMDK createTypes that are allowed; where there are none, no VMDK is (Cinder: vmdk_allowed_types)."),
        new(nameof(ImageUtilsConfiguration.ReservedNamespaces), new NamesSetting(), () => (string[])["os_glance"],
            "Prefixes of image properties that are not passed on in an upload (Cinder: reserved_image_namespaces, and "
            + "os_glance, which Glance keeps for itself)."),
        new(nameof(ImageUtilsConfiguration.BandwidthLimit), new SizeSetting(1), () => null,
            "Bytes that a conversion may read or write a second (Cinder: volume_copy_bps_limit)."),
        new(nameof(ImageUtilsConfiguration.DefaultFormat), new TargetFormatSetting(), () => null,
            "What images are converted to where nothing else is said (Glance: the output_format of image_conversion)."),
        new(nameof(ImageUtilsConfiguration.ElevationCommand), new CommandSetting(), () => (string[])[],
            "What is put before a program that a cmdlet was asked to elevate, such as sudo -n (Cinder: run_as_root)."),
    ];

    /// <summary>The environment variable that goes over the files, such as <c>IMAGEUTILS_CPU_TIME_LIMIT</c>.</summary>
    internal string VariableName { get; } = ToVariableName(Name);

    internal static SettingDefinition? Find(string name) =>
        All.FirstOrDefault(one => one.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    /// <exception cref="ConfigurationException">There is no such setting.</exception>
    internal static SettingDefinition Get(string name) => Find(name) ?? throw new ConfigurationException(
        ConfigurationProblem.InvalidValue, name,
        $"There is no setting '{Printable.Text(name)}'. Use one of: {string.Join(", ", All.Select(one => one.Name))}.");

    /// <param name="given">What a source gives.</param>
    /// <param name="origin">The file, the environment variable, or the setting's name.</param>
    /// <param name="where">The same with the line, for the message.</param>
    /// <param name="shown">What a source gives, for the message.</param>
    /// <exception cref="ConfigurationException">It is no value of this setting.</exception>
    internal object? Convert(object? given, string origin, string where, string shown) =>
        Type.TryConvert(given, out var value)
            ? value
            : throw new ConfigurationException(
                ConfigurationProblem.InvalidValue, origin,
                $"{where}: {Name} is {Printable.Text(shown)}, but must be {Type.Shape}.");

    private static string ToVariableName(string name)
    {
        var variable = new StringBuilder("IMAGEUTILS");
        foreach (var character in name)
        {
            if (char.IsAsciiLetterUpper(character))
            {
                variable.Append('_');
            }

            variable.Append(char.ToUpperInvariant(character));
        }

        return variable.ToString();
    }
}
