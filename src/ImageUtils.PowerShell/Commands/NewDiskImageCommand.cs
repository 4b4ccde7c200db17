using System.Management.Automation;
using System.Security;
using ImageUtils.Conversion;
using ImageUtils.Creation;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Qemu;
using ImageUtils.Safety;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Makes empty disk images.</summary>
[Cmdlet(VerbsCommon.New, "DiskImage", SupportsShouldProcess = true)]
[OutputType(typeof(QemuImageInfo))]
public sealed class NewDiskImageCommand : CreatingCmdlet
{
    private InspectionOptions _inspection = InspectionOptions.Default;
    private QemuSettings _qemu = QemuSettings.Default;
    private Passphrase? _passphrase;
    private long? _size;

    /// <summary>What they are to be.</summary>
    [Parameter(Position = 1)]
    [ImageFormat]
    public ImageFormat Format { get; set; }

    /// <summary>The disk's size, such as 10GB.</summary>
    [Parameter(Position = 2)]
    [ValidateNotNullOrEmpty]
    public string? Size { get; set; }

    /// <summary>The kind within the format.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(SubformatCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Subformat { get; set; }

    /// <summary>The unit of allocation in bytes: cluster, block or grain.</summary>
    [Parameter]
    [ValidateRange(512, 256L << 20)]
    public long? ClusterSize { get; set; }

    /// <summary>What is taken up before data comes.</summary>
    [Parameter]
    public PreallocationMode Preallocation { get; set; }

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

    /// <summary>The controller that a VMDK is made for.</summary>
    [Parameter]
    [ValidateSet("ide", "buslogic", "lsilogic", "pvscsi")]
    public string? AdapterType { get; set; }

    /// <summary>The backing file (qcow2) or parent (vhd, vhdx), as it is written into the image.</summary>
    [Parameter]
    [Alias("Parent")]
    [ValidateNotNullOrEmpty]
    public string? BackingFile { get; set; }

    /// <summary>What the backing file must be.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat BackingFormat { get; set; }

    /// <summary>Directories below which that may lie which the backing file in turn is based on.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? AllowBackingFile { get; set; }

    /// <summary>What is allowed of the backing file.</summary>
    [Parameter]
    [SafetyPolicy]
    [ValidateNotNull]
    public SafetyPolicy? Policy { get; set; }

    /// <summary>Encrypts the new image: LUKS, or LUKS within qcow2.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>The cipher, such as aes-xts-plain64.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CipherSpec { get; set; }

    /// <summary>The cipher's key in bits.</summary>
    [Parameter]
    public int KeySize { get; set; } = 512;

    /// <summary>What makes it.</summary>
    [Parameter]
    public ConversionEngine Engine { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _inspection = new InspectionOptions { Policy = MakePolicy(Policy, AllowBackingFile) };
        try
        {
            _size = ParseSize(nameof(Size), Size);
            _passphrase = Passphrase is null ? null : new Passphrase(Passphrase);
            _qemu = MakeSettings();
        }
        catch (ImageUtilsException exception)
        {
            ThrowTerminatingError(ErrorRecords.From(exception, null));
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _passphrase?.Dispose();
        }
    }

    /// <inheritdoc/>
    protected override void Make(string path)
    {
        var format = FormatOf(path);
        var what = BackingFile is null ? "" : $" based on '{BackingFile}'";
        if (!ShouldProcess(path, $"Make an empty {format.ToName()} image{what}"))
        {
            return;
        }

        var request = new ImageCreationRequest
        {
            Path = path,
            Format = format,
            VirtualSize = _size,
            BackingFile = BackingFile,
            BackingFormat = BackingFormat,
            Inspection = _inspection,
            Engine = Engine,
            Overwrite = Force,
            Qemu = _qemu,
            Target = new WriterOptions
            {
                VirtualSize = 0,
                Subformat = Subformat,
                Version = FormatVersion,
                ClusterSize = ClusterSize,
                Preallocation = Preallocation,
                RefcountBits = RefcountBits is null ? null : int.Parse(RefcountBits),
                RoundToGeometry = RoundToGeometry,
                AzureAligned = AzureAligned,
                AdapterType = AdapterType,
            },
        };
        var made = AwaitWithProgress(
            _ => ImageCreator.CreateAsync(request, StopToken), $"Making {System.IO.Path.GetFileName(path)}");
        WriteObject(QemuImageInfo.FromInspection(path, made));
    }

    private ImageFormat FormatOf(string path)
    {
        if (Format != ImageFormat.Unknown)
        {
            return Format;
        }

        return ImageFormatNames.TryParse(System.IO.Path.GetExtension(path).TrimStart('.'), out var format)
            ? format
            : Configuration.DefaultFormat ?? throw new ImageOptionException(
                "Format",
                $"What is '{path}' to be? Name its format with -Format, give it an extension that says it, or set "
                + "DefaultFormat with Set-ImageUtilsConfiguration.");
    }

    private QemuSettings MakeSettings() => new()
    {
        Limits = Configuration.QemuLimits,
        Encryption = MakeEncryption(_passphrase, CipherSpec, KeySize),
    };
}
