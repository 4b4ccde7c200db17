using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using ImageUtils.Formats;

namespace ImageUtils.PowerShell.Binding;

/// <summary>Completes the names of the checks that formats declare.</summary>
public sealed class CheckNameCompleter : IArgumentCompleter
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
        return FormatRegistry.All.SelectMany(format => format.Checks).DistinctBy(check => check.Name)
            .Where(check => check.Name.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
            .OrderBy(check => check.Name, StringComparer.Ordinal)
            .Select(check => new CompletionResult(
                check.Name, check.Name, CompletionResultType.ParameterValue, check.Description));
    }
}
