using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Space;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Says whether there is room for images, or for a number of bytes.</summary>
[Cmdlet(VerbsDiagnostic.Test, "ImageSpace", DefaultParameterSetName = PathSet)]
[OutputType(typeof(ImageSpaceReport), typeof(bool))]
public sealed class TestImageSpaceCommand : InspectingCmdlet<(ImageInspection Inspection, ImageMeasurement? Plan)>
{
    private const string BytesSet = "Bytes";

    private string? _destination;
    private string? _temporaryDirectory;
    private long _plannedBytes;

    /// <summary>The bytes that are to be written.</summary>
    [Parameter(Mandatory = true, ParameterSetName = BytesSet)]
    [ValidateRange(0, long.MaxValue)]
    public long RequiredBytes { get; set; }

    /// <summary>Where to: a directory, a file in one, or a block device.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>Where temporary files go.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? TemporaryDirectory { get; set; }

    /// <summary>The bytes of temporary files.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? TemporaryBytes { get; set; }

    /// <summary>The size of the volume that is to hold each image, in GiB.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [ValidateRange(0, int.MaxValue)]
    public int? VolumeSize { get; set; }

    /// <summary>What the images must be.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [ImageFormat]
    public ImageFormat SourceFormat { get; set; }

    /// <summary>What the images are to become.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [ImageFormat]
    public ImageFormat DestinationFormat { get; set; }

    /// <summary>The kind within that format.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [ArgumentCompleter(typeof(SubformatCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Subformat { get; set; }

    /// <summary>Emit only true or false.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        _destination = Destination is null ? null : GetUnresolvedProviderPathFromPSPath(Destination);
        _temporaryDirectory = TemporaryDirectory is not null
            ? GetUnresolvedProviderPathFromPSPath(TemporaryDirectory)
            : TemporaryBytes is null ? null : Configuration.ConversionDirectory;
        if (_destination is null && _temporaryDirectory is null && VolumeSize is null)
        {
            ThrowTerminatingError(ErrorRecords.NoPlaceToTest());
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName != BytesSet)
        {
            base.ProcessRecord();
            return;
        }

        ForItem(_destination ?? _temporaryDirectory!, () => Emit(GetDirectoryReports(null, RequiredBytes)));
    }

    /// <inheritdoc/>
    protected override async ValueTask<(ImageInspection Inspection, ImageMeasurement? Plan)> WorkAsync(string path)
    {
        var isKnownRaw = SourceFormat == ImageFormat.Raw;
        var inspection = await ImageInspector.InspectFileAsync(path, Options, isKnownRaw, StopToken);
        if (SourceFormat != ImageFormat.Unknown && !SourceFormat.Accepts(inspection.Format))
        {
            throw new ImageFormatMismatchException(path, SourceFormat, inspection.Format);
        }

        return DestinationFormat == ImageFormat.Unknown
            ? (inspection, null)
            : (inspection, await ImageConverter.PlanAsync(MakeRequest(path, isKnownRaw), StopToken));
    }

    /// <inheritdoc/>
    protected override void Emit(string path, (ImageInspection Inspection, ImageMeasurement? Plan) result)
    {
        var virtualSize = result.Plan?.VirtualSize ?? SpaceCheck.GetRequiredBytes(path, result.Inspection);
        var required = result.Plan is null
            ? virtualSize
            : SpaceCheck.GetRequiredBytes(result.Plan, _destination ?? _temporaryDirectory);
        Emit([
            .. GetDirectoryReports(path, required),
            .. VolumeSize is { } volumeSizeGiB
                ? [SpaceCheck.CheckVolume(virtualSize, volumeSizeGiB, path)]
                : Array.Empty<ImageSpaceReport>(),
        ]);
    }

    private ConversionRequest MakeRequest(string path, bool isKnownRaw) => new()
    {
        SourcePath = path,
        DestinationPath = "",
        DestinationFormat = DestinationFormat,
        Source = new OpenOptions { Inspection = Options, ClaimedFormat = SourceFormat, KnownRaw = isKnownRaw },
        Target = new WriterOptions { VirtualSize = 0, Subformat = Subformat },
    };

    // Images are written one after another: each must fit beside those before it. Temporary files are gone by then.
    private IEnumerable<ImageSpaceReport> GetDirectoryReports(string? image, long required)
    {
        var requirements = new List<SpaceRequirement>();
        if (_destination is not null)
        {
            requirements.Add(new(SpaceKind.Destination, _destination, required, _plannedBytes));
            _plannedBytes = required > long.MaxValue - _plannedBytes ? long.MaxValue : _plannedBytes + required;
        }

        if (_temporaryDirectory is not null)
        {
            requirements.Add(new(SpaceKind.Temporary, _temporaryDirectory, TemporaryBytes ?? required));
        }

        return SpaceCheck.Check(requirements).Select(report => report with { Image = image });
    }

    private void Emit(IEnumerable<ImageSpaceReport> reports)
    {
        if (Quiet)
        {
            WriteObject(reports.All(report => report.IsEnough));
        }
        else
        {
            WriteObject(reports, enumerateCollection: true);
        }
    }
}
