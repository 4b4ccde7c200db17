using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.PowerShell.Bases;
using ImageUtils.Resizing;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Changes the size of VHDs and VHDXs.</summary>
[Cmdlet(VerbsCommon.Resize, "VhdImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(ImageResizeResult), typeof(FileInfo))]
public sealed class ResizeVhdImageCommand : ResizingCmdlet
{
    /// <inheritdoc/>
    [Parameter(Mandatory = true, Position = 1)]
    [Alias("SizeBytes")]
    [ValidateNotNullOrEmpty]
    public override string Size { get; set; } = "";

    /// <inheritdoc/>
    protected override Task<ImageResizeResult> ResizeAsync(
        ImageResizeRequest request, IProgress<ConversionProgress> progress) =>
        VhdResizer.ResizeAsync(request, progress, StopToken);
}
