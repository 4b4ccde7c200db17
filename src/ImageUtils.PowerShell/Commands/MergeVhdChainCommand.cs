using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.VhdChains;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Merges the disks of a VHD chain: in place, or into a new file.</summary>
[Cmdlet(VerbsData.Merge, "VhdChain", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(VhdMergeResult), typeof(ImageConversionResult), typeof(FileInfo))]
public sealed class MergeVhdChainCommand : InspectingCmdlet<object?>
{
    private const string LinkSet = "Link";

    private readonly List<VhdChainLink> _links = [];
    private string? _destination;
    private ImageFormat _format;

    /// <summary>A chain's disks, as Get-VhdChain emits them.</summary>
    [Parameter(Mandatory = true, ParameterSetName = LinkSet, ValueFromPipeline = true)]
    [ValidateNotNull]
    public VhdChainLink? Link { get; set; }

    /// <inheritdoc/>
    [Parameter(Mandatory = true, ParameterSetName = InputObjectSet, ValueFromPipeline = true)]
    [FileOfResult(TakesLinks = false)]
    [ValidateNotNull]
    public override FileSystemInfo? InputObject { get; set; }

    /// <summary>The new file that the merged disk is written to; the chain is not touched.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>The new file's format; by default that of its extension, else vhd.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat DestinationFormat { get; set; }

    /// <summary>How many disks below the leaf the one is that is merged into: 1 is its parent. By default the base.</summary>
    [Parameter]
    [ValidateRange(1, VhdChain.MaximumDepth)]
    public int? Depth { get; set; }

    /// <summary>The disk of the chain that is merged into. By default the base.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Into { get; set; }

    /// <summary>Leave the merged disks in place; they stay valid.</summary>
    [Parameter]
    public SwitchParameter KeepChildren { get; set; }

    /// <summary>Says that the chain itself is changed, which is so without -Destination anyway.</summary>
    [Parameter]
    public SwitchParameter InPlace { get; set; }

    /// <summary>Compare the result with what the leaf was.</summary>
    [Parameter]
    public SwitchParameter Verify { get; set; }

    /// <summary>Merge although other disks depend on one that changes or goes; replace a destination that exists.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emit the file instead of the result.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if ((Destination is not null && (InPlace || KeepChildren)) || (Depth is not null && Into is not null))
        {
            ThrowTerminatingError(ErrorRecords.From(
                new ImageOptionException(
                    nameof(Destination),
                    "-Destination leaves the chain as it is, and goes with neither -InPlace nor -KeepChildren; -Depth and "
                    + "-Into say the same thing. Leave one of them out."),
                Destination));
        }

        _destination = Destination is null ? null : GetUnresolvedProviderPathFromPSPath(Destination);
        var extension = System.IO.Path.GetExtension(_destination)?.TrimStart('.');
        _format = DestinationFormat != ImageFormat.Unknown ? DestinationFormat
            : ImageFormatNames.TryParse(extension, out var named) ? named : ImageFormat.Vhd;
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName != LinkSet)
        {
            base.ProcessRecord();
            return;
        }

        // Each leaf begins another chain.
        if (Link!.Index == 0)
        {
            MergeLinks();
        }

        _links.Add(Link);
    }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        MergeLinks();
        base.EndProcessing();
    }

    /// <inheritdoc/>
    protected override object? Work(string path)
    {
        if (!VhdMerger.IsUnfinished(path))
        {
            return Merge(Await(new ValueTask<VhdChain>(VhdChainFinder.FindAsync(
                path, new OpenOptions { Inspection = Options }, StopToken))));
        }

        return ShouldProcess(path, "Remove what is left of the disks that were merged")
            && Await(new ValueTask<string?>(VhdMerger.TryFinishAsync(path, StopToken))) is { } finished
                ? new FileInfo(finished)
                : null;
    }

    /// <inheritdoc/>
    protected override void Emit(string path, object? result)
    {
        if (result is not null)
        {
            WriteObject(PassThru ? new FileInfo(PathOf(result)) : result);
        }
    }

    private static string PathOf(object result) => result switch
    {
        VhdMergeResult merged => merged.Path,
        ImageConversionResult converted => converted.Destination,
        _ => ((FileInfo)result).FullName,
    };

    private void MergeLinks()
    {
        if (_links.Count == 0)
        {
            return;
        }

        var chain = new VhdChain([.. _links]);
        _links.Clear();
        ForItem(chain.Leaf.Path, () => Emit(chain.Leaf.Path, Merge(chain)));
    }

    private object? Merge(VhdChain chain)
    {
        var directories = chain.Links.Select(link => System.IO.Path.GetDirectoryName(link.Path)!)
            .Concat(Options.Policy.BackingFileDirectories).Distinct();
        var source = new OpenOptions
        {
            Inspection = Options with { Policy = Options.Policy with { BackingFileDirectories = [.. directories] } },
        };
        return _destination is null ? MergeInPlace(chain, source) : Export(chain, source, _destination);
    }

    private VhdMergeResult? MergeInPlace(VhdChain chain, OpenOptions source)
    {
        var into = Depth ?? IndexOf(chain, Into) ?? chain.Links.Count - 1;
        var target = chain.Links[Math.Min(into, chain.Links.Count - 1)].Path;
        var children = chain.Links.Take(into).Select(link => link.Path).ToList();
        var mayMerge = ShouldProcess(target, $"Merge '{string.Join("', '", children)}' into it");
        var mayRemove = !KeepChildren;
        foreach (var child in KeepChildren ? [] : children)
        {
            mayRemove &= ShouldProcess(child, "Remove once it has been merged");
        }

        return !mayMerge ? null : AwaitWithProgress(
            progress => VhdMerger.MergeAsync(
                new VhdMergeRequest
                {
                    Chain = chain,
                    Into = into,
                    Source = source,
                    KeepChildren = !mayRemove,
                    Force = Force,
                    Verify = Verify,
                },
                progress, StopToken),
            $"Merging into {System.IO.Path.GetFileName(target)}");
    }

    private ImageConversionResult? Export(VhdChain chain, OpenOptions source, string destination)
    {
        if (Depth is not null || Into is not null)
        {
            throw new ImageOptionException(
                nameof(Depth), "A new file gets the whole disk; -Depth and -Into are for merging in place.");
        }

        return !ShouldProcess(destination, $"Write the merged disk of '{chain.Leaf.Path}'") ? null : AwaitWithProgress(
            progress => ImageConverter.ConvertAsync(
                new ConversionRequest
                {
                    SourcePath = chain.Leaf.Path,
                    DestinationPath = destination,
                    DestinationFormat = _format,
                    Source = source,
                    Overwrite = Force,
                    Verify = Verify,
                    TemporaryDirectory = Configuration.ConversionDirectory,
                    ConversionDisabled = Configuration.ConversionDisabled,
                },
                progress, StopToken),
            $"Merging into {System.IO.Path.GetFileName(destination)}");
    }

    private int? IndexOf(VhdChain chain, string? path)
    {
        if (path is null)
        {
            return null;
        }

        var full = GetUnresolvedProviderPathFromPSPath(path);
        return chain.Links.FirstOrDefault(link => link.Path == full)?.Index ?? throw new VhdChainException(
            VhdChainProblem.NotInChain, full, $"It is not a disk of the chain of '{chain.Leaf.Path}'.");
    }
}
