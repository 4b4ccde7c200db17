using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Resizing;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Changes the size of disk images.</summary>
[Cmdlet(VerbsCommon.Resize, "DiskImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(ImageResizeResult), typeof(FileInfo))]
public sealed class ResizeDiskImageCommand : InspectingCmdlet<ImageResizeResult?>
{
    private SizeChange _size;

    /// <summary>The new size; with + or - before it, the difference.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Size { get; set; } = "";

    /// <summary>Allow an image to become smaller, where nothing is lost by it.</summary>
    [Parameter]
    public SwitchParameter AllowShrink { get; set; }

    /// <summary>What the image must be.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat SourceFormat { get; set; }

    /// <summary>The image is raw: nothing of what a guest may have written is looked at.</summary>
    [Parameter]
    public SwitchParameter KnownRaw { get; set; }

    /// <summary>What does it.</summary>
    [Parameter]
    public ConversionEngine Engine { get; set; }

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
            Engine = Engine,
            Source = new OpenOptions { Inspection = Options, ClaimedFormat = SourceFormat, KnownRaw = KnownRaw },
            Qemu = new QemuSettings
            {
                Limits = Configuration.QemuConversionLimits,
                SourcePassphrase = Options.Passphrase,
            },
        };
        return AwaitWithProgress(
            progress => ImageResizer.ResizeAsync(request, progress, StopToken),
            $"Resizing {System.IO.Path.GetFileName(path)}");
    }

    /// <inheritdoc/>
    protected override ValueTask<ImageResizeResult?> WorkAsync(string path) =>
        throw new InvalidOperationException("Images are resized one by one.");

    /// <inheritdoc/>
    protected override void Emit(string path, ImageResizeResult? result)
    {
        if (result is not null)
        {
            WriteObject(PassThru ? new FileInfo(result.Path) : result);
        }
    }
}
