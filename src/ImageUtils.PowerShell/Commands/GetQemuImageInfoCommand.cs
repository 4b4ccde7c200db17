using System.Management.Automation;
using ImageUtils.Configuration;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Qemu;
using ImageUtils.Remote;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Describes images as <c>qemu-img info</c> does.</summary>
[Cmdlet(VerbsCommon.Get, "QemuImageInfo", DefaultParameterSetName = PathSet)]
[OutputType(typeof(QemuImageInfo))]
public sealed class GetQemuImageInfoCommand : RemoteInspectingCmdlet<QemuImageInfo>
{
    private ImageInfoReader? _reader;

    /// <summary>What the images must be.</summary>
    [Parameter(Position = 1)]
    [ImageFormat]
    public ImageFormat Format { get; set; }

    /// <summary>Read images that running guests write to.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    public SwitchParameter ForceShare { get; set; }

    /// <summary>Describe the images below as well.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    public SwitchParameter BackingChain { get; set; }

    /// <summary>Who is to answer.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    public InfoEngineChoice Engine { get; set; }

    /// <summary>The processor time that qemu-img may take, in seconds; 0: any.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [ValidateRange(0, ImageUtilsConfiguration.LongestTimeSeconds)]
    public int? CpuTimeLimit { get; set; }

    /// <summary>The address space that qemu-img may take, in bytes; 0: any.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [ValidateRange(0, long.MaxValue)]
    public long? AddressSpaceLimit { get; set; }

    /// <summary>The time by the clock that qemu-img may take, in seconds; 0: any.</summary>
    [Parameter(ParameterSetName = PathSet)]
    [Parameter(ParameterSetName = LiteralPathSet)]
    [Parameter(ParameterSetName = InputObjectSet)]
    [ValidateRange(0, ImageUtilsConfiguration.LongestTimeSeconds)]
    public int? TimeLimit { get; set; }

    /// <inheritdoc/>
    protected override RemoteInspectionOptions RemoteOptions => new()
    {
        Inspection = Options,
        KnownRaw = Format == ImageFormat.Raw,
        HoldsAgainstClaim = false,
    };

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        var limits = Configuration.QemuLimits;
        _reader = new ImageInfoReader(new ImageInfoOptions
        {
            Engine = Engine,
            Format = Format,
            BackingChain = BackingChain,
            ForceShare = ForceShare,
            Inspection = Options,
            Limits = limits with
            {
                CpuTime = ToTime(CpuTimeLimit, limits.CpuTime),
                AddressSpace = AddressSpaceLimit == 0 ? null : AddressSpaceLimit ?? limits.AddressSpace,
                WallTime = ToTime(TimeLimit, limits.WallTime),
            },
        });
    }

    /// <inheritdoc/>
    protected override ValueTask<QemuImageInfo> WorkAsync(string path) => new(_reader!.ReadAsync(path, StopToken));

    /// <inheritdoc/>
    protected override void Emit(string path, QemuImageInfo result) => WriteObject(result);

    /// <inheritdoc/>
    protected override void Emit(RemoteInspection result) => WriteObject(_reader!.Describe(result.Name, result.Image));

    private static TimeSpan? ToTime(int? seconds, TimeSpan? otherwise) => seconds switch
    {
        null => otherwise,
        0 => null,
        { } given => TimeSpan.FromSeconds(given),
    };
}
