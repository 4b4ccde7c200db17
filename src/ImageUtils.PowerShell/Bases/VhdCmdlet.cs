using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Safety;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that looks at VHDs and VHDXs and their parents.</summary>
/// <typeparam name="TResult">What the work on one file results in.</typeparam>
public abstract class VhdCmdlet<TResult> : ImageFileCmdlet<TResult>
{
    /// <summary>Directories below which parents may lie, beside a disk's own.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? AllowBackingFile { get; set; }

    /// <summary>What is allowed; parameters of the same meaning are put on top of it.</summary>
    [Parameter]
    [SafetyPolicy]
    [ValidateNotNull]
    public SafetyPolicy? Policy { get; set; }

    /// <summary>How disks are looked at.</summary>
    protected OpenOptions Source { get; private set; } = OpenOptions.Default;

    /// <inheritdoc/>
    protected override void BeginProcessing() => Source = new OpenOptions
    {
        Inspection = new InspectionOptions { Policy = MakePolicy(Policy, AllowBackingFile) },
    };
}
