using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Creation;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Safety;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Makes empty VHDs and VHDXs with the parameters of Hyper-V's New-VHD.</summary>
[Cmdlet(VerbsCommon.New, "VhdImage", DefaultParameterSetName = DynamicSet, SupportsShouldProcess = true)]
[OutputType(typeof(VhdImageInfo))]
public sealed class NewVhdImageCommand : CreatingCmdlet
{
    private const string DynamicSet = "Dynamic";
    private const string FixedSet = "Fixed";
    private const string DifferencingSet = "Differencing";

    private long? _size;
    private long? _blockSize;
    private string? _parent;
    private InspectionOptions _inspection = InspectionOptions.Default;

    /// <summary>The disk's size, such as 10GB.</summary>
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = DynamicSet)]
    [Parameter(Mandatory = true, Position = 1, ParameterSetName = FixedSet)]
    [Parameter(ParameterSetName = DifferencingSet)]
    [Alias("SizeBytes")]
    [ValidateNotNullOrEmpty]
    public string? Size { get; set; }

    /// <summary>What the new disks are based on.</summary>
    [Parameter(Mandatory = true, ParameterSetName = DifferencingSet)]
    [Alias("Parent")]
    [ValidateNotNullOrEmpty]
    public string? ParentPath { get; set; }

    /// <summary>A disk that takes up what is written to it; so it is without this, too.</summary>
    [Parameter(ParameterSetName = DynamicSet)]
    public SwitchParameter Dynamic { get; set; }

    /// <summary>A disk that has its full length from the beginning.</summary>
    [Parameter(Mandatory = true, ParameterSetName = FixedSet)]
    public SwitchParameter Fixed { get; set; }

    /// <summary>A disk over a parent; -ParentPath says so, too.</summary>
    [Parameter(ParameterSetName = DifferencingSet)]
    public SwitchParameter Differencing { get; set; }

    /// <summary>The unit of allocation, such as 2MB.</summary>
    [Parameter(ParameterSetName = DynamicSet)]
    [Parameter(ParameterSetName = DifferencingSet)]
    [Alias("BlockSizeBytes")]
    [ValidateNotNullOrEmpty]
    public string? BlockSize { get; set; }

    /// <summary>vhd or vhdx; by default what the file's extension says.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat Format { get; set; }

    /// <summary>Take up the space of a fixed disk at once.</summary>
    [Parameter(ParameterSetName = FixedSet)]
    public PreallocationMode Preallocation { get; set; }

    /// <summary>What the parent must be: raw, where a VHD is to be based on a disk without a format.</summary>
    [Parameter(ParameterSetName = DifferencingSet)]
    [ImageFormat]
    public ImageFormat ParentFormat { get; set; }

    /// <summary>Directories, beside the parent's, below which that may lie which it is based on.</summary>
    [Parameter(ParameterSetName = DifferencingSet)]
    [ValidateNotNullOrEmpty]
    public string[]? AllowBackingFile { get; set; }

    /// <summary>What is allowed of the parent.</summary>
    [Parameter(ParameterSetName = DifferencingSet)]
    [SafetyPolicy]
    [ValidateNotNull]
    public SafetyPolicy? Policy { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        try
        {
            _size = ParseSize(nameof(Size), Size);
            _blockSize = ParseSize(nameof(BlockSize), BlockSize);
        }
        catch (ImageUtilsException exception)
        {
            ThrowTerminatingError(ErrorRecords.From(exception, null));
        }

        if (ParentPath is null)
        {
            return;
        }

        _parent = GetUnresolvedProviderPathFromPSPath(ParentPath);
        var policy = MakePolicy(Policy, AllowBackingFile);
        _inspection = new InspectionOptions
        {
            Policy = policy with
            {
                BackingFileDirectories =
                    [.. policy.BackingFileDirectories, System.IO.Path.GetDirectoryName(_parent) ?? _parent],
            },
        };
    }

    /// <inheritdoc/>
    protected override void Make(string path)
    {
        var format = FormatOf(path);
        var kind = ParameterSetName.ToLowerInvariant();
        var over = _parent is null ? "" : $" over '{_parent}'";
        if (!ShouldProcess(path, $"Make a {kind} {format.ToName()}{over}"))
        {
            return;
        }

        var request = new ImageCreationRequest
        {
            Path = path,
            Format = format,
            VirtualSize = _size,
            BackingFile = _parent is null ? null : ParentName.RelativeTo(path, _parent),
            BackingFormat = ParentFormat,
            Inspection = _inspection,
            Engine = ConversionEngine.Native,
            Overwrite = Force,
            Target = new WriterOptions
            {
                VirtualSize = 0,
                Subformat = kind,
                ClusterSize = _blockSize,
                Preallocation = Preallocation,
            },
        };
        WriteObject(AwaitWithProgress(_ => MakeAsync(request), $"Making {System.IO.Path.GetFileName(path)}"));
    }

    private async Task<VhdImageInfo> MakeAsync(ImageCreationRequest request)
    {
        await ImageCreator.CreateAsync(request, StopToken);
        return await VhdImageInfo.ReadAsync(
            request.Path, new OpenOptions { Inspection = _inspection, ClaimedFormat = request.Format }, StopToken);
    }

    private ImageFormat FormatOf(string path)
    {
        var format = Format != ImageFormat.Unknown ? Format
            : System.IO.Path.GetExtension(path).ToLowerInvariant() switch
            {
                ".vhd" or ".avhd" => ImageFormat.Vhd,
                ".vhdx" or ".avhdx" => ImageFormat.Vhdx,
                _ => ImageFormat.Unknown,
            };
        return format is ImageFormat.Vhd or ImageFormat.Vhdx ? format : throw new ImageOptionException(
            nameof(Format),
            $"Is '{path}' to be a vhd or a vhdx? Say so with -Format, or give it that extension. New-DiskImage makes "
            + "other formats.");
    }
}
