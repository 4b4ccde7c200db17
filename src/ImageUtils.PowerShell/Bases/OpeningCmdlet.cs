using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that opens images to read their disks.</summary>
/// <typeparam name="TResult">What the work on one image results in.</typeparam>
public abstract class OpeningCmdlet<TResult> : InspectingCmdlet<TResult>
{
    /// <summary>What the source must be.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat SourceFormat { get; set; }

    /// <summary>The source is raw: nothing of what a guest may have written is looked at.</summary>
    [Parameter]
    public SwitchParameter KnownRaw { get; set; }

    /// <summary>VMDK createTypes that a source may have.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? AllowedVmdkType { get; set; }

    /// <summary>Directories below which data files and VMDK extents may lie.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? AllowDataFile { get; set; }

    /// <summary>The internal snapshot to read, by id or name.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Snapshot { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <summary>How sources are opened.</summary>
    protected OpenOptions Source => new()
    {
        Inspection = Options,
        ClaimedFormat = SourceFormat,
        KnownRaw = KnownRaw,
        Snapshot = Snapshot,
    };

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        ChangePolicy(policy => policy with
        {
            AllowedVmdkTypes = AllowedVmdkType ?? policy.AllowedVmdkTypes,
            DataFileDirectories = AllowDataFile is null
                ? policy.DataFileDirectories
                : [.. AllowDataFile.Select(GetUnresolvedProviderPathFromPSPath)],
        });
    }
}
