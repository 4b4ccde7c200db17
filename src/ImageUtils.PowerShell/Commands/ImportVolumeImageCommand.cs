using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Glance;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Makes volumes of images: fetched, checked and converted in one pass.</summary>
[Cmdlet(VerbsData.Import, "VolumeImage", SupportsShouldProcess = true)]
[OutputType(typeof(VolumeImportResult))]
public sealed class ImportVolumeImageCommand : ImageServiceCmdlet
{
    /// <summary>The volume: a new file, a directory, or a block device that exists.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ValidateNotNullOrEmpty]
    public string Destination { get; set; } = "";

    /// <summary>What the volume becomes.</summary>
    [Parameter(Position = 2)]
    [ImageFormat]
    public ImageFormat Format { get; set; } = ImageFormat.Raw;

    /// <summary>The kind within the format.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(SubformatCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Subformat { get; set; }

    /// <summary>The volume's size in GiB, which the image must not exceed.</summary>
    [Parameter]
    [ValidateRange(1, 1L << 32)]
    public long? VolumeSize { get; set; }

    /// <summary>Download the image to the conversion directory, convert it from there, and keep it.</summary>
    [Parameter]
    public SwitchParameter KeepSource { get; set; }

    /// <summary>Where temporary files go, where one is needed; the configured directory by itself.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConversionDirectory { get; set; }

    /// <summary>Replace a file that exists, or overwrite a device.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <inheritdoc/>
    protected override void Work(string id)
    {
        var path = GetUnresolvedProviderPathFromPSPath(Destination);
        if (Directory.Exists(path))
        {
            var image = Await(Client.FindAsync(id, StopToken));
            path = Path.Join(path, $"{image.Id}.{Format.ToName()}");
        }

        if (!ShouldProcess(path, $"Make a volume of the image {id}"))
        {
            return;
        }

        var request = new VolumeImportRequest
        {
            Client = Client,
            Image = id,
            Destination = path,
            Format = Format,
            Target = new WriterOptions { VirtualSize = 0, Subformat = Subformat },
            VolumeSizeGiB = VolumeSize,
            Overwrite = Force,
            KeepSource = KeepSource,
            Saved = RequireSignature ? null : Recall(id),
            Inspection = new InspectionOptions { Policy = EffectivePolicy },
            Trust = Trust,
            RequiresSignature = RequireSignature,
            ConversionDirectory = ConversionDirectory is null
                ? Configuration.ConversionDirectory
                : GetUnresolvedProviderPathFromPSPath(ConversionDirectory),
            ConversionDisabled = Configuration.ConversionDisabled,
            Qemu = new QemuSettings { Limits = Configuration.QemuConversionLimits },
        };
        var result = AwaitWithProgress(
            progress => VolumeImporter.ImportAsync(request, progress, StopToken), $"Importing the image {id}");
        if (result.Source is { } source)
        {
            Remember(source);
        }

        WriteObject(result);
    }
}
