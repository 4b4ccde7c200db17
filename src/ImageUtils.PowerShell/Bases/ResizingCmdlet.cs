using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Resizing;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that changes the size of images.</summary>
public abstract class ResizingCmdlet : PolicyCmdlet<ImageResizeResult?>
{
    private SizeChange _size;

    /// <summary>The new size; with + or - before it, the difference.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public virtual string Size { get; set; } = "";

    /// <summary>Allow an image to become smaller, where nothing is lost by it.</summary>
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

        var request = new ImageResizeRequest
        {
            Path = path,
            Size = _size,
            AllowShrink = AllowShrink,
            Source = new OpenOptions { Inspection = Options },
        };
        return AwaitWithProgress(
            progress => ResizeAsync(request, progress), $"Resizing {System.IO.Path.GetFileName(path)}");
    }

    /// <summary>Resizes one image.</summary>
    /// <param name="request">What the parameters say that all these cmdlets have.</param>
    /// <param name="progress">Is told how far it is.</param>
    protected abstract Task<ImageResizeResult> ResizeAsync(
        ImageResizeRequest request, IProgress<ConversionProgress> progress);

    /// <inheritdoc/>
    protected override void Emit(string path, ImageResizeResult? result)
    {
        if (result is not null)
        {
            WriteObject(PassThru ? new FileInfo(result.Path) : result);
        }
    }
}
