using System.Management.Automation;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Says what an image file really is and whether it is safe.</summary>
[Cmdlet(VerbsDiagnostic.Test, "ImageFormat", DefaultParameterSetName = PathSet)]
[OutputType(typeof(ImageFormatReport), typeof(bool))]
public sealed class TestImageFormatCommand : InspectingCmdlet<ImageInspection>
{
    private const string StreamSet = "Stream";

    /// <summary>A stream to read to its end.</summary>
    [Parameter(Mandatory = true, ParameterSetName = StreamSet)]
    [ValidateNotNull]
    public Stream? Stream { get; set; }

    /// <summary>What the image is claimed to be.</summary>
    [Parameter(Position = 1)]
    [ImageFormat]
    public ImageFormat ExpectedFormat { get; set; }

    /// <summary>The image is raw: its content is not looked at.</summary>
    [Parameter]
    public SwitchParameter KnownRaw { get; set; }

    /// <summary>VMDK createTypes that are allowed.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? AllowedVmdkType { get; set; }

    /// <summary>The greatest virtual size, in bytes.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? MaximumVirtualSize { get; set; }

    /// <summary>Emit only true or false.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        ChangePolicy(policy => policy with
        {
            AllowedVmdkTypes = AllowedVmdkType ?? policy.AllowedVmdkTypes,
            MaximumVirtualSize = MaximumVirtualSize ?? policy.MaximumVirtualSize,
        });
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName != StreamSet)
        {
            base.ProcessRecord();
            return;
        }

        const string Name = "(stream)";
        ForItem(Name, () => Emit(Name, Await(new ValueTask<ImageInspection>(
            StreamInspector.InspectAsync(Stream!, Options, StopToken)))));
    }

    /// <inheritdoc/>
    protected override ValueTask<ImageInspection> WorkAsync(string path) =>
        ImageInspector.InspectFileAsync(path, Options, KnownRaw, StopToken);

    /// <inheritdoc/>
    protected override void Emit(string path, ImageInspection result)
    {
        var report = new ImageFormatReport(path, result, ExpectedFormat);
        WriteObject(Quiet ? report.IsAcceptable : report);
    }
}
