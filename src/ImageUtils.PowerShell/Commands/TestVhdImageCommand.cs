using System.Management.Automation;
using ImageUtils.PowerShell.Bases;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Looks at all structures of VHDs and VHDXs.</summary>
[Cmdlet(VerbsDiagnostic.Test, "VhdImage", DefaultParameterSetName = PathSet)]
[OutputType(typeof(VhdImageReport), typeof(bool))]
public sealed class TestVhdImageCommand : VhdCmdlet<VhdImageReport>
{
    /// <summary>Emit only true or false.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override async ValueTask<VhdImageReport> WorkAsync(string path) =>
        await VhdImageCheck.RunAsync(path, Source, StopToken).ConfigureAwait(false);

    /// <inheritdoc/>
    protected override void Emit(string path, VhdImageReport result) =>
        WriteObject(Quiet ? result.IsValid : result);
}
