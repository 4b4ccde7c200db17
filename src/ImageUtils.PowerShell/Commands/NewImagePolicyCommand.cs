using System.Management.Automation;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Safety;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Makes a policy that says what an inspection allows.</summary>
[Cmdlet(VerbsCommon.New, "ImagePolicy")]
[OutputType(typeof(SafetyPolicy))]
public sealed class NewImagePolicyCommand : ImageUtilsCmdlet
{
    /// <summary>Directories below which backing files and parents may lie.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[] BackingFileDirectory { get; set; } = [];

    /// <summary>Directories below which data files and VMDK extents may lie.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[] DataFileDirectory { get; set; } = [];

    /// <summary>VMDK createTypes that are allowed, in place of those that are configured; an empty list allows none.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? AllowedVmdkType { get; set; }

    /// <summary>Checks whose failure does not make an image unsafe.</summary>
    [Parameter]
    [AllowEmptyCollection]
    [ArgumentCompleter(typeof(CheckNameCompleter))]
    public string[] NonFatalCheck { get; set; } = [];

    /// <summary>The formats that are allowed.</summary>
    [Parameter]
    [AllowEmptyCollection]
    [ImageFormat]
    public ImageFormat[] AllowedFormat { get; set; } = [];

    /// <summary>The greatest virtual size, in bytes.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? MaximumVirtualSize { get; set; }

    /// <summary>The greatest ratio of virtual size to file size.</summary>
    [Parameter]
    [ValidateRange(0.0, double.MaxValue)]
    public double? MaximumExpansionRatio { get; set; }

    /// <summary>Allow qcow2's extended L2 entries.</summary>
    [Parameter]
    public SwitchParameter AllowExtendedL2 { get; set; }

    /// <summary>The most key derivation iterations for which a passphrase is tried.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? MaximumLuksIterations { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        var policy = Configuration.Policy;
        WriteObject(policy with
        {
            BackingFileDirectories = [.. BackingFileDirectory.Select(GetUnresolvedProviderPathFromPSPath)],
            DataFileDirectories = [.. DataFileDirectory.Select(GetUnresolvedProviderPathFromPSPath)],
            AllowedVmdkTypes = AllowedVmdkType ?? policy.AllowedVmdkTypes,
            NonFatalChecks = NonFatalCheck,
            AllowedFormats = AllowedFormat,
            MaximumVirtualSize = MaximumVirtualSize,
            MaximumExpansionRatio = MaximumExpansionRatio,
            AllowExtendedL2 = AllowExtendedL2,
            MaximumLuksIterations = MaximumLuksIterations ?? policy.MaximumLuksIterations,
        });
    }
}
