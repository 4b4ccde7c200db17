using System.Collections;
using System.Management.Automation;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Conversion;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Signatures;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Makes images of volumes: converted on the way into the upload.</summary>
[Cmdlet(VerbsData.Publish, "VolumeImage", DefaultParameterSetName = PathSet, SupportsShouldProcess = true)]
[OutputType(typeof(VolumePublishResult), typeof(GlanceImage))]
public sealed class PublishVolumeImageCommand : ImageFileCmdlet<VolumePublishResult?>
{
    private GlanceClient? _client;

    /// <summary>An image that is queued, to be given the data; by itself a new one is made.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Id { get; set; }

    /// <summary>The new image's name; by itself the volume's.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>What the image becomes.</summary>
    [Parameter(Position = 1)]
    [ImageFormat]
    public ImageFormat DiskFormat { get; set; } = ImageFormat.Qcow2;

    /// <summary>What it is wrapped in; compressed: by gzip.</summary>
    [Parameter]
    [ValidateSet("bare", "compressed")]
    public string ContainerFormat { get; set; } = "bare";

    /// <summary>What the volume is. A raw one is not looked into; block devices are raw by themselves.</summary>
    [Parameter]
    [ImageFormat]
    public ImageFormat VolumeFormat { get; set; }

    /// <summary>The kind within the format.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(SubformatCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Subformat { get; set; }

    /// <summary>Compress, where the format can.</summary>
    [Parameter]
    public SwitchParameter Compress { get; set; }

    /// <summary>The store that it goes to.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(GlanceStoreCompleter))]
    [ValidateNotNullOrEmpty]
    public string? StoreId { get; set; }

    /// <summary>The id of the image that the volume was made of.</summary>
    [Parameter]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    [ValidateNotNullOrEmpty]
    public string? BaseImageRef { get; set; }

    /// <summary>More properties.</summary>
    [Parameter]
    [ValidateNotNull]
    public Hashtable? Property { get; set; }

    /// <summary>Who may see it.</summary>
    [Parameter]
    [ValidateSet("public", "private", "shared", "community")]
    public string? Visibility { get; set; }

    /// <summary>Tags.</summary>
    [Parameter]
    [ValidateNotNull]
    public string[] Tag { get; set; } = [];

    /// <summary>Whether it cannot be deleted.</summary>
    [Parameter]
    public SwitchParameter Protected { get; set; }

    /// <summary>The smallest disk that it may be put on, in GiB.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? MinDisk { get; set; }

    /// <summary>The least memory that a guest needs, in MiB.</summary>
    [Parameter]
    [ValidateRange(0, int.MaxValue)]
    public int? MinRam { get; set; }

    /// <summary>Send it through Glance's import.</summary>
    [Parameter]
    public SwitchParameter Import { get; set; }

    /// <summary>Upload it directly, which is so by itself.</summary>
    [Parameter]
    public SwitchParameter Direct { get; set; }

    /// <summary>Signs the image: a certificate with its private key.</summary>
    [Parameter]
    [ValidateNotNull]
    public X509Certificate2? SigningCertificate { get; set; }

    /// <summary>The certificate's id in the key manager.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CertificateId { get; set; }

    /// <summary>Emit the image instead of the result.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>The session; the last that was made, where none is named.</summary>
    [Parameter]
    [ValidateNotNull]
    public ImageServiceSession? Session { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if ((Session ?? SessionTable.Default) is not { } session)
        {
            ThrowTerminatingError(ErrorRecords.NotConnected());
            return;
        }

        if (Import && Direct)
        {
            ThrowTerminatingError(ErrorRecords.ImportOrDirect());
        }

        _client = new GlanceClient(session);
    }

    /// <inheritdoc/>
    protected override VolumePublishResult? Work(string path)
    {
        var name = Name ?? System.IO.Path.GetFileNameWithoutExtension(path);
        if (!ShouldProcess(path, Id is null ? $"Publish as the image '{name}'" : $"Publish as the data of the image {Id}"))
        {
            return null;
        }

        using var signer = SigningCertificate is null ? null : new ImageSigner(SigningCertificate, certificateId: CertificateId);
        var request = new VolumePublishRequest
        {
            Client = _client!,
            Path = path,
            Source = new OpenOptions
            {
                KnownRaw = VolumeFormat.ToQemuName() == "raw",
                ClaimedFormat = VolumeFormat,
                Inspection = new Inspection.InspectionOptions { Policy = MakePolicy(null, null) },
            },
            ImageId = Id,
            Image = new NewGlanceImage
            {
                Name = name,
                DiskFormat = DiskFormat.ToName(),
                ContainerFormat = ContainerFormat,
                Visibility = Visibility,
                Protected = Protected ? true : null,
                MinDisk = MinDisk,
                MinRam = MinRam,
                Tags = Tag,
                Properties = MakeProperties(),
            },
            Format = DiskFormat,
            Target = NewImage.Target(DiskFormat, Subformat, Compress),
            Gzip = NewImage.Gzip(ContainerFormat),
            StoreId = StoreId,
            UsesImport = Import,
            Signer = signer,
            TemporaryDirectory = Configuration.ConversionDirectory,
        };
        return AwaitWithProgress(
            progress => VolumePublisher.PublishAsync(request, progress, StopToken), $"Publishing {path}");
    }

    /// <inheritdoc/>
    protected override void Emit(string path, VolumePublishResult? result)
    {
        if (result is null)
        {
            return;
        }

        if (!result.HashVerified)
        {
            WriteWarning(NewImage.NotVerified(result.ImageId, result.HashAlgorithm));
        }

        WriteObject(PassThru
            ? Await(new ValueTask<GlanceImage>(_client!.GetAsync(result.ImageId, StopToken)))
            : result);
    }

    private List<KeyValuePair<string, string>> MakeProperties()
    {
        var properties = NewImage.Properties(Property, Configuration.ReservedNamespaces, WriteWarning);
        if (BaseImageRef is not null)
        {
            properties.Add(new("base_image_ref", BaseImageRef));
        }

        return properties;
    }
}
