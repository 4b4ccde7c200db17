using System.Management.Automation;
using System.Management.Automation.Host;
using ImageUtils.Conversion;
using ImageUtils.Mapping;
using ImageUtils.PowerShell.Bases;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Shows where the guest's disk lives in images.</summary>
[Cmdlet(VerbsCommon.Get, "DiskImageMap", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(DiskImageExtent), typeof(DiskImageMapSummary), typeof(AllocationPicture), typeof(FileInfo))]
public sealed class GetDiskImageMapCommand : OpeningCmdlet<OpenedImage>
{
    private const int UsualWidth = 80;

    private readonly HashSet<string> _made = new(StringComparer.Ordinal);
    private string? _svgPath;

    /// <summary>Emit what the extents add up to.</summary>
    [Parameter]
    public SwitchParameter Summary { get; set; }

    /// <summary>Emit a picture in characters.</summary>
    [Parameter]
    public SwitchParameter Picture { get; set; }

    /// <summary>The picture's width in characters.</summary>
    [Parameter]
    [ValidateRange(24, 400)]
    public int? Width { get; set; }

    /// <summary>Draw a picture into this file, or into a directory for many.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? SvgPath { get; set; }

    /// <summary>Where on the guest's disk to begin, in bytes.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long Start { get; set; }

    /// <summary>How much of the guest's disk to look at, in bytes.</summary>
    [Parameter]
    [ValidateRange(1, long.MaxValue)]
    public long? Length { get; set; }

    /// <summary>Replace an SVG file that exists.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emit the SVG file.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        _svgPath = SvgPath is null ? null : GetUnresolvedProviderPathFromPSPath(SvgPath);
    }

    /// <inheritdoc/>
    protected override ValueTask<OpenedImage> WorkAsync(string path) =>
        ImageOpener.OpenAsync(path, Source, StopToken);

    /// <inheritdoc/>
    protected override void Emit(string path, OpenedImage result)
    {
        using (result)
        {
            if (Summary || Picture || _svgPath is not null)
            {
                EmitWhole(result);
                return;
            }

            Walk(result, WriteObject);
        }
    }

    private void EmitWhole(OpenedImage image)
    {
        var length = DiskImageMap.ClipLength(image, Start, Length);
        var tally = Summary ? new DiskImageMapTally(image, Start, length) : null;
        var picture = Picture
            ? new AllocationPicture(
                image.Path, image.Format, Start, length,
                AllocationPicture.ColumnsFor(Width ?? HostWidth()), AllocationPicture.DefaultRows)
            : null;
        var svg = GetSvgPath(image.Path) is { } svgPath
            ? (Path: svgPath, Picture: new AllocationPicture(image.Path, image.Format, Start, length))
            : default;
        Walk(image, extent =>
        {
            tally?.Add(extent);
            picture?.Add(extent);
            svg.Picture?.Add(extent);
        });
        if (svg.Path is not null)
        {
            var made = Await(new ValueTask<string>(AllocationSvg.SaveAsync(svg.Picture, svg.Path, Force, StopToken)));
            if (PassThru)
            {
                WriteObject(new FileInfo(made));
            }
        }

        if (tally is not null)
        {
            WriteObject(tally.ToSummary());
        }

        if (picture is not null)
        {
            WriteObject(picture);
        }
    }

    private void Walk(OpenedImage image, Action<DiskImageExtent> take)
    {
        var extents = DiskImageMap.WalkAsync(image, Start, Length, StopToken).GetAsyncEnumerator(StopToken);
        try
        {
            while (Await(extents.MoveNextAsync()))
            {
                take(extents.Current);
            }
        }
        finally
        {
            extents.DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
    }

    private string? GetSvgPath(string image)
    {
        if (_svgPath is null)
        {
            return null;
        }

        var path = Directory.Exists(_svgPath)
            ? System.IO.Path.Join(_svgPath, $"{System.IO.Path.GetFileName(image)}.svg")
            : _svgPath;
        if (!_made.Add(path))
        {
            WriteError(ErrorRecords.DestinationIsTaken(image, path));
            return null;
        }

        return ShouldProcess(path, $"Draw a picture of '{image}'") ? path : null;
    }

    private int HostWidth()
    {
        try
        {
            return Host.UI.RawUI.WindowSize.Width is > 0 and var width ? width : UsualWidth;
        }
        catch (Exception exception) when (exception is HostException or NotImplementedException or IOException)
        {
            return UsualWidth;
        }
    }
}
