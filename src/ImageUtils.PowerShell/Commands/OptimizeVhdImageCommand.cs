using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Drops the blocks of VHDs and VHDXs that are zero, or equal to the parent's.</summary>
[Cmdlet(VerbsCommon.Optimize, "VhdImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(VhdCompactResult), typeof(FileInfo))]
public sealed class OptimizeVhdImageCommand : InspectingCmdlet<VhdCompactResult?>
{
    /// <summary>What the disk must be.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat SourceFormat { get; set; }

    /// <summary>Read the disk before and after, and compare.</summary>
    [Parameter]
    public SwitchParameter Verify { get; set; }

    /// <summary>Emit the file instead of the result.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override VhdCompactResult? Work(string path)
    {
        if (!ShouldProcess(path, "Drop blocks that are zero, or equal to the parent's"))
        {
            return null;
        }

        var request = new VhdCompactRequest
        {
            Path = path,
            Source = new OpenOptions { Inspection = Options, ClaimedFormat = SourceFormat },
            Verify = Verify,
        };
        return AwaitWithProgress(
            progress => VhdCompactor.CompactAsync(request, progress, StopToken),
            $"Compacting {System.IO.Path.GetFileName(path)}");
    }

    /// <inheritdoc/>
    protected override void Emit(string path, VhdCompactResult? result)
    {
        if (result is null)
        {
            return;
        }

        if (!result.Compacted)
        {
            WriteWarning($"'{result.Path}' would not become smaller, and was left as it is.");
        }

        WriteObject(PassThru ? new FileInfo(result.Path) : result);
    }
}
