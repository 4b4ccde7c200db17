using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Inspection;
using ImageUtils.Mapping;
using ImageUtils.Qemu;
using ImageUtils.Resizing;
using ImageUtils.Space;
using ImageUtils.VhdChains;
using ImageUtils.XenServer;

namespace ImageUtils.PowerShell.Binding;

/// <summary>
/// Lets a parameter of type <see cref="FileSystemInfo"/> take what the cmdlets emit: the image that a result is of.
/// </summary>
/// <remarks>
/// A result's Path would be bound by its name to the parameter for patterns, where a bracket in a file's name is one.
/// </remarks>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field)]
public sealed class FileOfResultAttribute : ArgumentTransformationAttribute
{
    /// <summary>Whether a link of a chain is taken; not so where another parameter is for links.</summary>
    public bool TakesLinks { get; set; } = true;

    /// <inheritdoc/>
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        var result = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        var path = result is VhdChainLink && !TakesLinks ? null : PathOf(result);

        // What was read from a stream has no file, and what was parsed may have had it on another machine.
        return System.IO.Path.IsPathFullyQualified(path ?? "") ? new FileInfo(path!) : inputData;
    }

    private static string? PathOf(object? result) => result switch
    {
        VhdChainLink link => link.Path,
        VhdImageInfo image => image.Path,
        VhdImageReport report => report.Path,
        VhdMergeResult merge => merge.Path,
        VhdParentChange change => change.Path,
        VhdRepairResult repair => repair.Path,
        VhdCompactResult compaction => compaction.Path,
        ImageFormatReport report => report.Path,
        ImageResizeResult resize => resize.Path,
        DiskImageExtent extent => extent.Path,
        DiskImageMapSummary summary => summary.Path,
        DiskImageComparison comparison => comparison.Path,
        ImageMeasurement measurement => measurement.Path,
        ImageSpaceReport report => report.Image,
        ImageConversionResult conversion => conversion.Destination,
        XenServerImageResult image => image.Destination,
        QemuImageInfo { Engine: not InfoEngine.Parsed } info => info.FileName,
        _ => null,
    };
}
