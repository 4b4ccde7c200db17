using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Says how large the files are that conversions would make.</summary>
[Cmdlet(VerbsDiagnostic.Measure, "DiskImage", DefaultParameterSetName = PathSet)]
[OutputType(typeof(ImageMeasurement))]
public sealed class MeasureDiskImageCommand : TargetCmdlet<ImageMeasurement>
{
    private const string SizeSet = "Size";

    private ImageFormat _format;

    /// <summary>The size of an empty disk, in bytes.</summary>
    [Parameter(Mandatory = true, ParameterSetName = SizeSet)]
    [ValidateRange(0, long.MaxValue)]
    public long Size { get; set; }

    /// <summary>What the images would become.</summary>
    [Parameter(Position = 1)]
    [ImageFormat]
    public ImageFormat DestinationFormat { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        _format = DestinationFormat != ImageFormat.Unknown
            ? DestinationFormat
            : Configuration.DefaultFormat ?? ImageFormat.Unknown;
        if (_format == ImageFormat.Unknown)
        {
            ThrowTerminatingError(ErrorRecords.NoFormatToMeasure());
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName != SizeSet)
        {
            base.ProcessRecord();
            return;
        }

        ForItem(Size, () => WriteObject(
            Await(new ValueTask<ImageMeasurement>(ImageConverter.MeasureEmptyAsync(Size, _format, Target, StopToken)))));
    }

    /// <inheritdoc/>
    protected override ValueTask<ImageMeasurement> WorkAsync(string path) =>
        new(ImageConverter.MeasureAsync(MakeRequest(path), null, StopToken));

    /// <inheritdoc/>
    protected override ImageMeasurement Work(string path) => AwaitWithProgress(
        progress => ImageConverter.MeasureAsync(MakeRequest(path), progress, StopToken),
        $"Measuring {System.IO.Path.GetFileName(path)} as {_format.ToName()}");

    /// <inheritdoc/>
    protected override void Emit(string path, ImageMeasurement result) => WriteObject(result);

    private ConversionRequest MakeRequest(string path) => new()
    {
        SourcePath = path,
        DestinationPath = "",
        DestinationFormat = _format,
        Source = Source,
        Target = Target,
    };
}
