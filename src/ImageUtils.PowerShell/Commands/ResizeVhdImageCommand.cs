using System.Management.Automation;
using ImageUtils.Errors;
using ImageUtils.PowerShell.Bases;
using ImageUtils.Resizing;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Changes the size of VHDs and VHDXs.</summary>
[Cmdlet(VerbsCommon.Resize, "VhdImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(ImageResizeResult), typeof(FileInfo))]
public sealed class ResizeVhdImageCommand : VhdCmdlet<ImageResizeResult?>
{
    private SizeChange _size;

    /// <summary>The new size; with + or - before it, the difference.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [Alias("SizeBytes")]
    [ValidateNotNullOrEmpty]
    public string Size { get; set; } = "";

    /// <summary>Allow a disk to become smaller, where nothing is lost by it.</summary>
    [Parameter]
    public SwitchParameter AllowShrink { get; set; }

    /// <summary>Emit the file instead of the result.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        try
        {
            _size = SizeChange.Parse(Size);
        }
        catch (ImageOptionException exception)
        {
            ThrowTerminatingError(ErrorRecords.From(exception, Size));
        }
    }

    /// <inheritdoc/>
    protected override ImageResizeResult? Work(string path)
    {
        if (!ShouldProcess(path, _size.Sign == 0 ? $"Resize to {_size}" : $"Resize by {_size}"))
        {
            return null;
        }

        var request = new ImageResizeRequest { Path = path, Size = _size, AllowShrink = AllowShrink, Source = Source };
        return AwaitWithProgress(
            progress => VhdResizer.ResizeAsync(request, progress, StopToken),
            $"Resizing {System.IO.Path.GetFileName(path)}");
    }

    /// <inheritdoc/>
    protected override ValueTask<ImageResizeResult?> WorkAsync(string path) =>
        throw new InvalidOperationException("Disks are resized one by one.");

    /// <inheritdoc/>
    protected override void Emit(string path, ImageResizeResult? result)
    {
        if (result is not null)
        {
            WriteObject(PassThru ? new FileInfo(result.Path) : result);
        }
    }
}
