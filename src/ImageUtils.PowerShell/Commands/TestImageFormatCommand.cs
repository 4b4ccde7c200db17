using System.Management.Automation;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Remote;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Says what an image file really is and whether it is safe.</summary>
[Cmdlet(VerbsDiagnostic.Test, "ImageFormat", DefaultParameterSetName = PathSet)]
[OutputType(typeof(ImageFormatReport), typeof(bool))]
public sealed class TestImageFormatCommand : RemoteInspectingCmdlet<ImageInspection>
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
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [Parameter(ParameterSetName = StreamSet)]
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
    protected override RemoteInspectionOptions RemoteOptions => new()
    {
        Inspection = Options,
        Expected = ExpectedFormat,
        StopsAtFailure = true,
    };

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
    protected override void Emit(string path, ImageInspection result) => Emit(path, result, ExpectedFormat);

    /// <inheritdoc/>
    protected override void Emit(RemoteInspection result) => Emit(result.Name, result.Image, result.Expected);

    private void Emit(string name, ImageInspection result, ImageFormat expected)
    {
        var report = new ImageFormatReport(name, result, expected);
        WriteObject(Quiet ? report.IsAcceptable : report);
    }
}
