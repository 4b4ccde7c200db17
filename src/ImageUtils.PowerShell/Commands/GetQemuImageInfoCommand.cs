using System.Management.Automation;
using System.Security;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Describes images as <c>qemu-img info</c> does.</summary>
[Cmdlet(VerbsCommon.Get, "QemuImageInfo", DefaultParameterSetName = PathSet)]
[OutputType(typeof(QemuImageInfo))]
public sealed class GetQemuImageInfoCommand : ImageFileCmdlet
{
    private Passphrase? _passphrase;
    private ImageInfoReader? _reader;

    /// <summary>What the images must be.</summary>
    [Parameter(Position = 1)]
    [ImageFormat]
    public ImageFormat Format { get; set; }

    /// <summary>Read images that running guests write to.</summary>
    [Parameter]
    public SwitchParameter ForceShare { get; set; }

    /// <summary>Directories below which backing files and parents may lie.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? AllowBackingFile { get; set; }

    /// <summary>Describe the images below as well.</summary>
    [Parameter]
    public SwitchParameter BackingChain { get; set; }

    /// <summary>Who is to answer.</summary>
    [Parameter]
    public InfoEngineChoice Engine { get; set; }

    /// <summary>What is allowed; -AllowBackingFile is put on top of it.</summary>
    [Parameter]
    [SafetyPolicy]
    [ValidateNotNull]
    public SafetyPolicy? Policy { get; set; }

    /// <summary>Opens LUKS volumes, so that what is inside is inspected before qemu-img is started.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>The processor time that qemu-img may take, in seconds; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int CpuTimeLimit { get; set; } = (int)ProcessLimits.Default.CpuTime!.Value.TotalSeconds;

    /// <summary>The address space that qemu-img may take, in bytes; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long AddressSpaceLimit { get; set; } = ProcessLimits.Default.AddressSpace!.Value;

    /// <summary>The time by the clock that qemu-img may take, in seconds; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int TimeLimit { get; set; } = (int)ProcessLimits.Default.WallTime!.Value.TotalSeconds;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _passphrase = Passphrase is null ? null : new Passphrase(Passphrase);
        _reader = new ImageInfoReader(new ImageInfoOptions
        {
            Engine = Engine,
            Format = Format,
            BackingChain = BackingChain,
            ForceShare = ForceShare,
            Inspection = new InspectionOptions
            {
                Policy = (Policy ?? SafetyPolicy.Default) with
                {
                    BackingFileDirectories = AllowBackingFile is null
                        ? Policy?.BackingFileDirectories ?? []
                        : [.. AllowBackingFile.Select(GetUnresolvedProviderPathFromPSPath)],
                },
                Passphrase = _passphrase?.Bytes,
            },
            Limits = ProcessLimits.Default with
            {
                CpuTime = CpuTimeLimit == 0 ? null : TimeSpan.FromSeconds(CpuTimeLimit),
                AddressSpace = AddressSpaceLimit == 0 ? null : AddressSpaceLimit,
                WallTime = TimeLimit == 0 ? null : TimeSpan.FromSeconds(TimeLimit),
            },
        });
    }

    /// <inheritdoc/>
    protected override void ProcessFile(string path) =>
        WriteObject(Await(new ValueTask<QemuImageInfo>(_reader!.ReadAsync(path, StopToken))));

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _passphrase?.Dispose();
        }

        base.Dispose(disposing);
    }
}
