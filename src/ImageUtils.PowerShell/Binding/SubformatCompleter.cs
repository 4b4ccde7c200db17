using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace ImageUtils.PowerShell.Binding;

/// <summary>Completes the kinds that the destination's format has.</summary>
public sealed class SubformatCompleter : IArgumentCompleter
{
    private static readonly (ImageFormat Format, string Subformat, string Description)[] s_known =
    [
        (ImageFormat.Vhd, "dynamic", "grows with what is written"),
        (ImageFormat.Vhd, "fixed", "has its full size from the start"),
        (ImageFormat.Vhdx, "dynamic", "grows with what is written"),
        (ImageFormat.Vhdx, "fixed", "has its full size from the start"),
        (ImageFormat.Vdi, "dynamic", "grows with what is written"),
        (ImageFormat.Vdi, "static", "has its full size from the start"),
        (ImageFormat.Vmdk, "monolithicSparse", "grows with what is written"),
        (ImageFormat.Vmdk, "streamOptimized", "compressed, for transport"),
    ];

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName,
        string parameterName,
        string wordToComplete,
        CommandAst commandAst,
        IDictionary fakeBoundParameters)
    {
        var named = (fakeBoundParameters["DestinationFormat"] ?? fakeBoundParameters["DiskFormat"]
            ?? fakeBoundParameters["Format"])?.ToString();
        var format = ImageFormatNames.TryParse(named, out var known) ? known : ImageFormat.Unknown;
        var typed = wordToComplete.Trim('\'', '"');
        return s_known
            .Where(one => (format == ImageFormat.Unknown || one.Format == format)
                && one.Subformat.StartsWith(typed, StringComparison.OrdinalIgnoreCase))
            .Select(one => new CompletionResult(
                one.Subformat, one.Subformat, CompletionResultType.ParameterValue,
                $"{one.Format.ToName()}: {one.Description}"));
    }
}
