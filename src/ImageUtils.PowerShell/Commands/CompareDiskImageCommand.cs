using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Compares what guests would see of images.</summary>
[Cmdlet(VerbsData.Compare, "DiskImage", DefaultParameterSetName = PathSet)]
[OutputType(typeof(DiskImageComparison), typeof(bool))]
public sealed class CompareDiskImageCommand : OpeningCmdlet<DiskImageComparison>
{
    private string _reference = "";

    /// <summary>What each image is compared with.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [Alias("ReferenceImage")]
    [ValidateNotNullOrEmpty]
    public string ReferencePath { get; set; } = "";

    /// <summary>What the reference must be.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat ReferenceFormat { get; set; }

    /// <summary>The reference is raw: nothing of what a guest may have written is looked at.</summary>
    [Parameter]
    public SwitchParameter ReferenceKnownRaw { get; set; }

    /// <summary>The internal snapshot of the reference to read, by id or name.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ReferenceSnapshot { get; set; }

    /// <summary>Disks of different sizes are different.</summary>
    [Parameter]
    public SwitchParameter Strict { get; set; }

    /// <summary>Emit only true or false.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        _reference = GetUnresolvedProviderPathFromPSPath(ReferencePath);
    }

    /// <inheritdoc/>
    protected override ValueTask<DiskImageComparison> WorkAsync(string path) =>
        new(DiskComparer.CompareAsync(MakeRequest(path), null, StopToken));

    /// <inheritdoc/>
    protected override DiskImageComparison Work(string path) => AwaitWithProgress(
        progress => DiskComparer.CompareAsync(MakeRequest(path), progress, StopToken),
        $"Comparing {System.IO.Path.GetFileName(path)} with {System.IO.Path.GetFileName(_reference)}");

    /// <inheritdoc/>
    protected override void Emit(string path, DiskImageComparison result) =>
        WriteObject(Quiet ? result.IsIdentical : result);

    private DiskComparisonRequest MakeRequest(string path) => new()
    {
        Path = path,
        ReferencePath = _reference,
        Image = Source,
        Reference = Source with
        {
            ClaimedFormat = ReferenceFormat,
            KnownRaw = ReferenceKnownRaw,
            Snapshot = ReferenceSnapshot,
        },
        Strict = Strict,
    };
}
