using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ImageUtils.Configuration;

namespace ImageUtils.PowerShell.Binding;

/// <summary>Completes the names of settings.</summary>
public sealed class SettingNameCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        var typed = wordToComplete.Trim('\'', '"');
        return ImageUtilsConfiguration.Default.Settings
            .Where(setting => setting.Name.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
            .Select(setting => new CompletionResult(
                setting.Name, setting.Name, CompletionResultType.ParameterValue, setting.Description));
    }
}
