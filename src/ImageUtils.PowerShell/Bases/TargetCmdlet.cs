using System.Management.Automation;
using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that plans or makes new images of those that it opens.</summary>
/// <typeparam name="TResult">What the work on one image results in.</typeparam>
public abstract class TargetCmdlet<TResult> : OpeningCmdlet<TResult>
{
    /// <summary>The kind within the format.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(SubformatCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Subformat { get; set; }

    /// <summary>Compress, where the format can.</summary>
    [Parameter]
    public SwitchParameter Compress { get; set; }

    /// <summary>How qcow2 clusters are compressed.</summary>
    [Parameter]
    [ValidateSet("zlib", "zstd")]
    public string? CompressionType { get; set; }

    /// <summary>The level of compression.</summary>
    [Parameter]
    public int? CompressionLevel { get; set; }

    /// <summary>The unit of allocation in bytes: cluster, block or grain.</summary>
    [Parameter]
    [ValidateRange(512, 256L << 20)]
    public long? ClusterSize { get; set; }

    /// <summary>What is taken up before data comes.</summary>
    [Parameter]
    public PreallocationMode Preallocation { get; set; }

    /// <summary>Take up all space, so that later writes cannot run out of it.</summary>
    [Parameter]
    public SwitchParameter FullyAllocated { get; set; }

    /// <summary>The version of qcow2, 2 or 3.</summary>
    [Parameter]
    [ValidateRange(2, 3)]
    public int? FormatVersion { get; set; }

    /// <summary>The width of qcow2's reference counts in bits.</summary>
    [Parameter]
    [ValidateSet("1", "2", "4", "8", "16", "32", "64")]
    public string? RefcountBits { get; set; }

    /// <summary>Round a VHD's size up to what a geometry can express.</summary>
    [Parameter]
    public SwitchParameter RoundToGeometry { get; set; }

    /// <summary>Make a VHD as Azure demands it: fixed, of whole MiB.</summary>
    [Parameter]
    public SwitchParameter AzureAligned { get; set; }

    /// <summary>What the new images are like.</summary>
    protected WriterOptions Target => new()
    {
        VirtualSize = 0,
        Subformat = Subformat,
        Version = FormatVersion,
        ClusterSize = ClusterSize,
        Compress = Compress || CompressionType is not null || CompressionLevel is not null,
        CompressionType = CompressionType is null
            ? null
            : string.Equals(CompressionType, "zstd", StringComparison.OrdinalIgnoreCase) ? UnitCodec.Zstd : UnitCodec.Deflate,
        CompressionLevel = CompressionLevel,
        Preallocation = FullyAllocated && Preallocation < PreallocationMode.Falloc
            ? PreallocationMode.Falloc
            : Preallocation,
        RefcountBits = RefcountBits is null ? null : int.Parse(RefcountBits),
        RoundToGeometry = RoundToGeometry,
        AzureAligned = AzureAligned,
    };
}
