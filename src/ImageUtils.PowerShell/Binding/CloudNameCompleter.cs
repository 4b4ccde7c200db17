using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ImageUtils.Errors;
using ImageUtils.Keystone;

namespace ImageUtils.PowerShell.Binding;

/// <summary>Completes the names of the clouds in clouds.yaml.</summary>
public sealed class CloudNameCompleter : IArgumentCompleter
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
        return GetNames()
            .Where(name => name.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
            .Select(name => new CompletionResult(
                name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.')
                    ? name
                    : $"'{CodeGeneration.EscapeSingleQuotedStringContent(name)}'",
                name, CompletionResultType.ParameterValue, name));
    }

    private static IReadOnlyList<string> GetNames()
    {
        try
        {
            using var shell = System.Management.Automation.PowerShell.Create(RunspaceMode.CurrentRunspace);
            var here = shell.AddCommand("Get-Location").AddParameter("PSProvider", "FileSystem").Invoke<PathInfo>();
            return CloudConfiguration.Load(here.FirstOrDefault()?.ProviderPath).Names;
        }
        catch (CloudConfigurationException)
        {
            // Connect-ImageService says what is wrong with the file.
            return [];
        }
    }
}
