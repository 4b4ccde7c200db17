using System.Management.Automation;
using ImageUtils.PowerShell.Bases;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Describes VHDs and VHDXs as Hyper-V's Get-VHD does.</summary>
[Cmdlet(VerbsCommon.Get, "VhdImage", DefaultParameterSetName = PathSet)]
[OutputType(typeof(VhdImageInfo))]
public sealed class GetVhdImageCommand : VhdCmdlet<VhdImageInfo>
{
    /// <inheritdoc/>
    protected override async ValueTask<VhdImageInfo> WorkAsync(string path) =>
        await VhdImageInfo.ReadAsync(path, Source, StopToken).ConfigureAwait(false);

    /// <inheritdoc/>
    protected override void Emit(string path, VhdImageInfo result) => WriteObject(result);
}
