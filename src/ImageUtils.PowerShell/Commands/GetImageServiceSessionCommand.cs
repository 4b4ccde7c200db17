using System.Management.Automation;
using ImageUtils.Keystone;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Emits the session that cmdlets use where none is named, or all of them.</summary>
[Cmdlet(VerbsCommon.Get, "ImageServiceSession")]
[OutputType(typeof(ImageServiceSession))]
public sealed class GetImageServiceSessionCommand : ImageUtilsCmdlet
{
    /// <summary>Emit every open session of this runspace, the default one first.</summary>
    [Parameter]
    public SwitchParameter All { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing() => WriteObject(
        All ? SessionTable.Open : SessionTable.Open.Take(1), enumerateCollection: true);
}
