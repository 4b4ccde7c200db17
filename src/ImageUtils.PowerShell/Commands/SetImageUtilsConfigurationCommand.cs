using System.Management.Automation;
using ImageUtils.Configuration;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Changes the user's or the machine's configuration file.</summary>
/// <remarks>A parameter that is named as a setting sets it: there is one for each.</remarks>
[Cmdlet(VerbsCommon.Set, "ImageUtilsConfiguration", SupportsShouldProcess = true)]
[OutputType(typeof(ImageUtilsSetting))]
public sealed class SetImageUtilsConfigurationCommand : ImageUtilsCmdlet
{
    /// <summary>Where temporary files of conversions go.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConversionDirectory { get; set; }

    /// <summary>Whether uploads are compressed.</summary>
    [Parameter]
    public bool CompressOnUpload { get; set; }

    /// <summary>Processor time that a qemu-img may take, in seconds; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, ImageUtilsConfiguration.LongestTimeSeconds)]
    public int? CpuTimeLimit { get; set; }

    /// <summary>Address space that a qemu-img may take, in bytes; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? AddressSpaceLimit { get; set; }

    /// <summary>Time that a qemu-img that converts nothing may take, in seconds; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, ImageUtilsConfiguration.LongestTimeSeconds)]
    public int? TimeLimit { get; set; }

    /// <summary>Time that a qemu-img that converts may take, in seconds; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, ImageUtilsConfiguration.LongestTimeSeconds)]
    public int? ConversionTimeLimit { get; set; }

    /// <summary>Whether any change of format is refused.</summary>
    [Parameter]
    public bool ConversionDisabled { get; set; }

    /// <summary>VMDK createTypes that are allowed.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? AllowedVmdkTypes { get; set; }

    /// <summary>Prefixes of image properties that are not passed on.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? ReservedNamespaces { get; set; }

    /// <summary>Bytes a second; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? BandwidthLimit { get; set; }

    /// <summary>What images are converted to where nothing else is said; null: nothing.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat? DefaultFormat { get; set; }

    /// <summary>What is put before a program that is to be elevated.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? ElevationCommand { get; set; }

    /// <summary>Settings that the file shall say nothing of.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(SettingNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Remove { get; set; } = [];

    /// <summary>Whose file.</summary>
    [Parameter]
    public ConfigurationScope Scope { get; set; }

    /// <summary>Emit what was set and removed, as it is now in effect.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        var bound = MyInvocation.BoundParameters;
        var values = ImageUtilsConfiguration.Names.Where(bound.ContainsKey)
            .ToDictionary(name => name, name => (object?)bound[name]);
        if (values.Count + Remove.Length == 0)
        {
            ThrowTerminatingError(ErrorRecords.NothingToSet());
        }

        if (values.Keys.Intersect(Remove, StringComparer.OrdinalIgnoreCase).FirstOrDefault() is { } both)
        {
            ThrowTerminatingError(ErrorRecords.SetAndRemoved(both));
        }

        if (ConversionDirectory is not null)
        {
            ConversionDirectory = GetUnresolvedProviderPathFromPSPath(ConversionDirectory);
            values[nameof(ConversionDirectory)] = ConversionDirectory;
            if (!Directory.Exists(ConversionDirectory))
            {
                WriteWarning($"There is no directory '{ConversionDirectory}' yet.");
            }
        }

        ForItem(Scope, () =>
        {
            var actions = values.Select(pair => $"set {pair.Key}").Concat(Remove.Select(name => $"remove {name}"));
            var path = ImageUtilsConfiguration.GetPath(Scope);
            if (ShouldProcess(path, string.Join(", ", actions)))
            {
                ImageUtilsConfiguration.Change(Scope, values, Remove);
                Report(path, [.. values.Keys]);
            }
        });
    }

    // What another source goes over has no effect yet, and whoever set it would wonder.
    private void Report(string path, List<string> set)
    {
        foreach (var setting in ImageUtilsConfiguration.Load().Settings
            .Where(setting => set.Concat(Remove).Contains(setting.Name, StringComparer.OrdinalIgnoreCase)))
        {
            if (setting.Origin != path && set.Contains(setting.Name))
            {
                WriteWarning($"{setting.Name} stays {setting.ValueText}: {setting.Origin} goes over '{path}'.");
            }

            if (PassThru)
            {
                WriteObject(setting);
            }
        }
    }
}
