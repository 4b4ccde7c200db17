using System.Management.Automation;
using ImageUtils.Configuration;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Says what holds where no parameter says otherwise, and where each value comes from.</summary>
[Cmdlet(VerbsCommon.Get, "ImageUtilsConfiguration", DefaultParameterSetName = SettingSet)]
[OutputType(typeof(ImageUtilsSetting), ParameterSetName = [SettingSet])]
[OutputType(typeof(ImageUtilsConfiguration), ParameterSetName = [EffectiveSet])]
public sealed class GetImageUtilsConfigurationCommand : ImageUtilsCmdlet
{
    private const string SettingSet = "Setting";
    private const string EffectiveSet = "Effective";

    /// <summary>Names of settings, with wildcards.</summary>
    [Parameter(Position = 0, ParameterSetName = SettingSet)]
    [SupportsWildcards]
    [ArgumentCompleter(typeof(SettingNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string[] Name { get; set; } = ["*"];

    /// <summary>Emit one object that has every setting's value as a property.</summary>
    [Parameter(Mandatory = true, ParameterSetName = EffectiveSet)]
    public SwitchParameter Effective { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        foreach (var unknown in Configuration.UnknownSettings)
        {
            WriteWarning($"{unknown} is no setting of this version, and means nothing to it.");
        }

        if (Effective)
        {
            WriteObject(Configuration);
            return;
        }

        foreach (var name in Name)
        {
            if (!WildcardPattern.ContainsWildcardCharacters(name)
                && !ImageUtilsConfiguration.Names.Contains(name, StringComparer.OrdinalIgnoreCase))
            {
                WriteError(ErrorRecords.NoSuchSetting(name));
            }
        }

        var patterns = Name.Select(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase)).ToList();
        WriteObject(
            Configuration.Settings.Where(setting => patterns.Any(pattern => pattern.IsMatch(setting.Name))),
            enumerateCollection: true);
    }
}
