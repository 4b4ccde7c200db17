using System.Management.Automation;
using ImageUtils.PowerShell.Bases;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Emits the names of the methods by which Glance imports.</summary>
[Cmdlet(VerbsCommon.Get, "GlanceImportMethod")]
[OutputType(typeof(string))]
public sealed class GetGlanceImportMethodCommand : GlanceCmdlet
{
    /// <inheritdoc/>
    protected override void EndProcessing() => ForItem(Client.Session, () => WriteObject(
        Await(Client.GetImportMethodsAsync(StopToken)), enumerateCollection: true));
}
