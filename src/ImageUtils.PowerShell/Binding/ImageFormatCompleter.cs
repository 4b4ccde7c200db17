using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace ImageUtils.PowerShell.Binding;

/// <summary>Completes the names of formats, and the aliases once what is typed fits no name.</summary>
public sealed class ImageFormatCompleter : IArgumentCompleter
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
        var names = ImageFormatNames.Known.Select(format => (Name: format.ToName(), Format: format))
            .Concat(ImageFormatNames.Aliases.Select(alias => (Name: alias.Key, Format: alias.Value)).OrderBy(one => one.Name));
        return names
            .Where(one => one.Name.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
            .Select(one => new CompletionResult(
                one.Name, one.Name, CompletionResultType.ParameterValue,
                one.Name == one.Format.ToName() ? one.Name : $"{one.Name}: the same as {one.Format.ToName()}"));
    }
}
