using System.Management.Automation;
using System.Security;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Safety;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Says what an image file really is and whether it is safe.</summary>
[Cmdlet(VerbsDiagnostic.Test, "ImageFormat", DefaultParameterSetName = PathSet)]
[OutputType(typeof(ImageFormatReport), typeof(bool))]
public sealed class TestImageFormatCommand : ImageFileCmdlet
{
    private const string StreamSet = "Stream";

    private InspectionOptions _options = InspectionOptions.Default;
    private Passphrase? _passphrase;

    /// <summary>A stream to read to its end.</summary>
    [Parameter(Mandatory = true, ParameterSetName = StreamSet)]
    [ValidateNotNull]
    public Stream? Stream { get; set; }

    /// <summary>What the image is claimed to be.</summary>
    [Parameter(Position = 1)]
    [ImageFormat]
    public ImageFormat ExpectedFormat { get; set; }

    /// <summary>The image is raw: its content is not looked at.</summary>
    [Parameter]
    public SwitchParameter KnownRaw { get; set; }

    /// <summary>VMDK createTypes that are allowed.</summary>
    [Parameter]
    [AllowEmptyCollection]
    public string[]? AllowedVmdkType { get; set; }

    /// <summary>Directories below which backing files and parents may lie.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? AllowBackingFile { get; set; }

    /// <summary>The greatest virtual size, in bytes.</summary>
    [Parameter]
    [ValidateRange(0, long.MaxValue)]
    public long? MaximumVirtualSize { get; set; }

    /// <summary>What is allowed; the parameters above are put on top of it.</summary>
    [Parameter]
    [SafetyPolicy]
    [ValidateNotNull]
    public SafetyPolicy? Policy { get; set; }

    /// <summary>Opens LUKS volumes, so that what is inside is tested as well.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? Passphrase { get; set; }

    /// <summary>Emit only true or false.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        _passphrase = Passphrase is null ? null : new Passphrase(Passphrase);
        _options = new InspectionOptions { Policy = ToPolicy(), Passphrase = _passphrase?.Bytes };
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        if (ParameterSetName != StreamSet)
        {
            base.ProcessRecord();
            return;
        }

        const string Name = "(stream)";
        ForItem(Name, () => Emit(Name, Await(new ValueTask<ImageInspection>(
            StreamInspector.InspectAsync(Stream!, _options, StopToken)))));
    }

    /// <inheritdoc/>
    protected override void ProcessFile(string path) =>
        Emit(path, Await(ImageInspector.InspectFileAsync(path, _options, KnownRaw, StopToken)));

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _passphrase?.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Emit(string name, ImageInspection inspection)
    {
        var report = new ImageFormatReport(name, inspection, ExpectedFormat);
        WriteObject(Quiet ? report.IsAcceptable : report);
    }

    private SafetyPolicy ToPolicy()
    {
        var policy = Policy ?? SafetyPolicy.Default;
        return policy with
        {
            AllowedVmdkTypes = AllowedVmdkType ?? policy.AllowedVmdkTypes,
            BackingFileDirectories = AllowBackingFile is null
                ? policy.BackingFileDirectories
                : [.. AllowBackingFile.Select(GetUnresolvedProviderPathFromPSPath)],
            MaximumVirtualSize = MaximumVirtualSize ?? policy.MaximumVirtualSize,
        };
    }
}
