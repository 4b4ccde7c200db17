using System.Management.Automation;
using System.Security;
using ImageUtils.Conversion;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Qemu;
using ImageUtils.Resizing;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Changes the size of disk images.</summary>
[Cmdlet(VerbsCommon.Resize, "DiskImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(ImageResizeResult), typeof(FileInfo))]
public sealed class ResizeDiskImageCommand : ResizingCmdlet
{
    private ProcessLimits _limits = ProcessLimits.None;

    /// <summary>What the image must be.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat SourceFormat { get; set; }

    /// <summary>The image is raw: nothing of what a guest may have written is looked at.</summary>
    [Parameter]
    public SwitchParameter KnownRaw { get; set; }

    /// <summary>Opens LUKS volumes, so that what is inside is inspected as well.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>What does it.</summary>
    [Parameter]
    public ConversionEngine Engine { get; set; }

    /// <inheritdoc/>
    protected override SecureString? VolumePassphrase => Passphrase;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        _limits = Configuration.QemuConversionLimits;
    }

    /// <inheritdoc/>
    protected override Task<ImageResizeResult> ResizeAsync(
        ImageResizeRequest request, IProgress<ConversionProgress> progress) => ImageResizer.ResizeAsync(
        request with
        {
            Engine = Engine,
            Source = request.Source with { ClaimedFormat = SourceFormat, KnownRaw = KnownRaw },
            Qemu = new QemuSettings
            {
                Limits = _limits,
                SourcePassphrase = Options.Passphrase,
            },
        },
        progress, StopToken);
}
