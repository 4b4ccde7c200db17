using System.Management.Automation;
using System.Security;
using ImageUtils.Conversion;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Converts disk images.</summary>
[Cmdlet(VerbsData.Convert, "DiskImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(ImageConversionResult), typeof(FileInfo))]
public sealed class ConvertDiskImageCommand : TargetCmdlet<ImageConversionResult?>
{
    private Passphrase? _destinationPassphrase;
    private Destinations? _destinations;
    private ImageFormat _format;
    private QemuSettings _qemu = QemuSettings.Default;

    /// <summary>The new file, a directory for many, or a block device.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? Destination { get; set; }

    /// <summary>What the images become.</summary>
    [Parameter(Position = 2)]
    [ImageFormat]
    public ImageFormat DestinationFormat { get; set; }

    /// <summary>Replace each image by what it becomes.</summary>
    [Parameter]
    public SwitchParameter InPlace { get; set; }

    /// <summary>Read back and compare.</summary>
    [Parameter]
    public SwitchParameter Verify { get; set; }

    /// <summary>Keep what is done when interrupted, and go on from what an earlier run kept.</summary>
    [Parameter]
    public SwitchParameter Resume { get; set; }

    /// <summary>Replace files that exist.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emit the new file instead of the result.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>What does it.</summary>
    [Parameter]
    public ConversionEngine Engine { get; set; }

    /// <summary>The most that is written, in bytes a second; 0: any.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? BandwidthLimit { get; set; }

    /// <summary>An existing cgroup v2 directory to put qemu-img under.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CgroupPath { get; set; }

    /// <summary>Put the configuration's elevation command before qemu-img.</summary>
    [Parameter]
    public SwitchParameter Elevate { get; set; }

    /// <summary>Encrypts the new image: LUKS, or LUKS within qcow2.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? DestinationPassphrase { get; set; }

    /// <summary>The cipher, such as aes-xts-plain64.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CipherSpec { get; set; }

    /// <summary>The cipher's key in bits.</summary>
    [Parameter]
    public int KeySize { get; set; } = 512;

    /// <summary>Allow an encrypted image to become one that is not.</summary>
    [Parameter]
    public SwitchParameter AllowDecrypt { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        _destinations = new Destinations(this, Destination, InPlace);
        _format = DestinationFormat != ImageFormat.Unknown
            ? DestinationFormat
            : Configuration.DefaultFormat ?? _destinations.FormatOfExtension;
        if (_format == ImageFormat.Unknown && !InPlace)
        {
            ThrowTerminatingError(ErrorRecords.NoDestinationFormat());
        }

        if (_format == ImageFormat.Unknown)
        {
            WriteWarning(
                "No destination format is named or configured: images are passed through as they are. Use "
                + "-DestinationFormat, or Set-ImageUtilsConfiguration -DefaultFormat.");
        }

        _destinationPassphrase = DestinationPassphrase is null ? null : new Passphrase(DestinationPassphrase);
        try
        {
            _qemu = MakeSettings();
        }
        catch (Errors.ImageUtilsException exception)
        {
            ThrowTerminatingError(ErrorRecords.From(exception, CipherSpec));
        }
    }

    /// <inheritdoc/>
    protected override ImageConversionResult? Work(string path)
    {
        var format = _format;
        if (InPlace && IsAlready(path))
        {
            return PassedThrough(path);
        }

        var destination = _destinations!.Find(NameIn(path, format)) ?? path;
        if (!_destinations.Take(path, destination))
        {
            return null;
        }

        if (!ShouldProcess(path, InPlace ? $"Convert to {format.ToName()} in place" : $"Convert to {format.ToName()} as '{destination}'"))
        {
            return null;
        }

        var configuration = Configuration;
        var request = new ConversionRequest
        {
            SourcePath = path,
            DestinationPath = destination,
            DestinationFormat = format,
            Source = Source,
            Target = Target,
            Engine = Engine,
            Overwrite = Force || InPlace,
            InPlace = InPlace,
            Verify = Verify,
            Resume = Resume,
            BandwidthLimit = BandwidthLimit switch { null => configuration.BandwidthLimit, 0 => null, _ => BandwidthLimit },
            ConversionDisabled = configuration.ConversionDisabled,
            TemporaryDirectory = configuration.ConversionDirectory,
            Qemu = _qemu,
        };
        return AwaitWithProgress(
            progress => ImageConverter.ConvertAsync(request, progress, StopToken),
            $"Converting {System.IO.Path.GetFileName(path)} to {format.ToName()}");
    }

    /// <inheritdoc/>
    protected override void Emit(string path, ImageConversionResult? result)
    {
        if (result is not null)
        {
            WriteObject(PassThru ? new FileInfo(result.Destination) : result);
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _destinationPassphrase?.Dispose();
        }
    }

    private static string NameIn(string path, ImageFormat format) =>
        $"{System.IO.Path.GetFileNameWithoutExtension(path)}.{format.ToName()}";

    private QemuSettings MakeSettings() => new()
    {
        Limits = Configuration.QemuConversionLimits,
        CgroupPath = CgroupPath is null ? null : GetUnresolvedProviderPathFromPSPath(CgroupPath),
        ElevationCommand = Elevate ? Configuration.ElevationCommand : [],
        SourcePassphrase = Options.Passphrase,
        AllowDecrypt = AllowDecrypt,
        Encryption = MakeEncryption(_destinationPassphrase, CipherSpec, KeySize),
    };

    // Glance's convert task does nothing where there is nothing to convert.
    private bool IsAlready(string path)
    {
        if (_format == ImageFormat.Unknown)
        {
            return true;
        }

        var found = Await(Inspection.ImageInspector.InspectFileAsync(path, Options, KnownRaw, StopToken));
        return found.IsSafe && Target == new WriterOptions { VirtualSize = 0 } && DestinationPassphrase is null
            && (found.Format == _format || (_format == ImageFormat.Raw && found.Format.ToQemuName() == "raw"));
    }

    private ImageConversionResult PassedThrough(string path)
    {
        var found = Await(Inspection.ImageInspector.InspectFileAsync(path, Options, KnownRaw, StopToken));
        if (!found.IsSafe)
        {
            throw new Errors.ImageUnsafeException(path, [.. found.Failures]);
        }

        return new ImageConversionResult
        {
            Source = path,
            Destination = path,
            SourceFormat = found.Format,
            DestinationFormat = found.Format,
            Subformat = found.Subformat,
            VirtualSize = found.VirtualSize ?? 0,
            FileSize = found.FileSize,
            Duration = TimeSpan.Zero,
            Engine = ConversionEngine.Native,
            Converted = false,
        };
    }
}
