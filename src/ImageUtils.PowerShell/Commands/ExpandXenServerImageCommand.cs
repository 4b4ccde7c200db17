using System.Management.Automation;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Safety;
using ImageUtils.XenServer;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Makes one disk of a XenServer image, which is an archive of a chain of VHDs.</summary>
[Cmdlet(VerbsData.Expand, "XenServerImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(XenServerImageResult), typeof(FileInfo))]
public sealed class ExpandXenServerImageCommand : ImageFileCmdlet<XenServerImageResult?>
{
    private Destinations? _destinations;
    private long _maximumSize = XenServerImageRequest.DefaultMaximumSize;

    /// <summary>The new file, or a directory for many.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>What the disk becomes.</summary>
    [Parameter(Position = 2)]
    [ImageFormat]
    public ImageFormat Format { get; set; }

    /// <summary>The most that an archive may unpack to, such as 200GB.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? MaximumSize { get; set; }

    /// <summary>Replace the archive by the disk.</summary>
    [Parameter]
    public SwitchParameter InPlace { get; set; }

    /// <summary>Read back and compare.</summary>
    [Parameter]
    public SwitchParameter Verify { get; set; }

    /// <summary>Replace files that exist.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emit the new file instead of the result.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>What is allowed of the disks.</summary>
    [Parameter]
    [SafetyPolicy]
    [ValidateNotNull]
    public SafetyPolicy? Policy { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _destinations = new Destinations(this, Destination, InPlace);
        if (MaximumSize is not null && !ByteSize.TryParse(MaximumSize, out _maximumSize))
        {
            ThrowTerminatingError(ErrorRecords.From(
                new Errors.ImageOptionException(
                    nameof(MaximumSize), $"'{MaximumSize}' is no size. Use bytes or a unit, such as 200G."),
                MaximumSize));
        }
    }

    /// <inheritdoc/>
    protected override XenServerImageResult? Work(string path)
    {
        var format = Format != ImageFormat.Unknown ? Format
            : _destinations!.FormatOfExtension is not ImageFormat.Unknown and var named ? named
            : ImageFormat.Vhd;
        var destination = _destinations!.Find(NameIn(path, format));
        if (destination is not null && !_destinations.Take(path, destination))
        {
            return null;
        }

        var how = destination is null ? "in place" : $"as '{destination}'";
        if (!ShouldProcess(path, $"Expand to {format.ToName()} {how}"))
        {
            return null;
        }

        var configuration = Configuration;
        var request = new XenServerImageRequest
        {
            Path = path,
            Destination = destination,
            Format = format,
            MaximumSize = _maximumSize,
            Overwrite = Force,
            Verify = Verify,
            ConversionDisabled = configuration.ConversionDisabled,
            TemporaryDirectory = configuration.ConversionDirectory,
            Inspection = new InspectionOptions { Policy = MakePolicy(Policy, null) },
        };
        return AwaitWithProgress(
            progress => XenServerImage.ExpandAsync(request, progress, StopToken),
            $"Expanding {System.IO.Path.GetFileName(path)}");
    }

    /// <inheritdoc/>
    protected override void Emit(string path, XenServerImageResult? result)
    {
        if (result is not null)
        {
            WriteObject(PassThru ? new FileInfo(result.Destination) : result);
        }
    }

    private static string NameIn(string path, ImageFormat format)
    {
        var name = System.IO.Path.GetFileName(path);
        foreach (var extension in (string[])[".tar.gz", ".tgz", ".tar", ".gz"])
        {
            if (name.Length > extension.Length && name.EndsWith(extension, StringComparison.OrdinalIgnoreCase))
            {
                return $"{name[..^extension.Length]}.{format.ToName()}";
            }
        }

        return $"{System.IO.Path.GetFileNameWithoutExtension(path)}.{format.ToName()}";
    }
}
