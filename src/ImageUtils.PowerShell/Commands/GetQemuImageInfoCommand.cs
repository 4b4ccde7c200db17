using System.Management.Automation;
using ImageUtils.Configuration;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Qemu;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Describes images as <c>qemu-img info</c> does.</summary>
[Cmdlet(VerbsCommon.Get, "QemuImageInfo", DefaultParameterSetName = PathSet)]
[OutputType(typeof(QemuImageInfo))]
public sealed class GetQemuImageInfoCommand : InspectingCmdlet<QemuImageInfo>
{
    private ImageInfoReader? _reader;

    /// <summary>What the images must be.</summary>
    [Parameter(Position = 1)]
    [ImageFormat]
    public ImageFormat Format { get; set; }

    /// <summary>Read images that running guests write to.</summary>
    [Parameter]
    public SwitchParameter ForceShare { get; set; }

    /// <summary>Describe the images below as well.</summary>
    [Parameter]
    public SwitchParameter BackingChain { get; set; }

    /// <summary>Who is to answer.</summary>
    [Parameter]
    public InfoEngineChoice Engine { get; set; }

    /// <summary>The processor time that qemu-img may take, in seconds; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, ImageUtilsConfiguration.LongestTimeSeconds)]
    public int? CpuTimeLimit { get; set; }

    /// <summary>The address space that qemu-img may take, in bytes; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? AddressSpaceLimit { get; set; }

    /// <summary>The time by the clock that qemu-img may take, in seconds; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, ImageUtilsConfiguration.LongestTimeSeconds)]
    public int? TimeLimit { get; set; }

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

    private static TimeSpan? ToTime(int? seconds, TimeSpan? otherwise) => seconds switch
    {
        null => otherwise,
        0 => null,
        { } given => TimeSpan.FromSeconds(given),
    };
}
