using System.Collections;
using System.Management.Automation;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Glance;
using ImageUtils.Inspection;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Signatures;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Makes images of Glance anew in another format.</summary>
[Cmdlet(VerbsData.Convert, "GlanceImage", DefaultParameterSetName = KeepSet, SupportsShouldProcess = true)]
[OutputType(typeof(GlanceConversionResult), typeof(GlanceImage))]
public sealed class ConvertGlanceImageCommand : ImageServiceCmdlet
{
    private const string KeepSet = "Keep";
    private const string RemoveSet = "Remove";

    private List<KeyValuePair<string, string>> _properties = [];

    /// <summary>The originals, by id or name.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("ImageId")]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    public override string[] Id { get; set; } = [];

    /// <summary>What the new images become.</summary>
    [Parameter(Mandatory = true, Position = 1)]
    [ImageFormat]
    public ImageFormat DiskFormat { get; set; }

    /// <summary>The new image's name; by itself the original's.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? Name { get; set; }

    /// <summary>Delete the original once the new image is there.</summary>
    [Parameter(Mandatory = true, ParameterSetName = RemoveSet)]
    public SwitchParameter RemoveOriginal { get; set; }

    /// <summary>Hide the original once the new image is there.</summary>
    [Parameter(ParameterSetName = KeepSet)]
    public SwitchParameter HideOriginal { get; set; }

    /// <summary>What it is wrapped in; compressed: by gzip.</summary>
    [Parameter]
    [ValidateSet("bare", "compressed")]
    public string ContainerFormat { get; set; } = "bare";

    /// <summary>The kind within the format.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(SubformatCompleter))]
    public string? Subformat { get; set; }

    /// <summary>Compress, where the format can.</summary>
    [Parameter]
    public SwitchParameter Compress { get; set; }

    /// <summary>The store that it goes to.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    [ArgumentCompleter(typeof(GlanceStoreCompleter))]
    public string? StoreId { get; set; }

    /// <summary>Properties beside the original's, or instead of them.</summary>
    [Parameter]
    [ValidateNotNull]
    public Hashtable? Property { get; set; }

    /// <summary>Tags instead of the original's.</summary>
    [Parameter]
    [ValidateNotNull]
    [AllowEmptyCollection]
    public string[]? Tag { get; set; }

    /// <summary>Who may see it, instead of whom the original's says.</summary>
    [Parameter]
    [ValidateSet("public", "private", "shared", "community")]
    public string? Visibility { get; set; }

    /// <summary>Signs the new image: a certificate with its private key.</summary>
    [Parameter]
    [ValidateNotNull]
    public X509Certificate2? Certificate { get; set; }

    /// <summary>The certificate's id in the key manager.</summary>
    [Parameter]
    public Guid? CertificateId { get; set; }

    /// <summary>Where temporary files go; the configured directory by itself.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? ConversionDirectory { get; set; }

    /// <summary>Make a new image even of one that has the format already.</summary>
    [Parameter]
    public SwitchParameter Force { get; set; }

    /// <summary>Emit the image instead of the result.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    private OriginalImage Original => RemoveOriginal
        ? OriginalImage.Removed
        : HideOriginal ? OriginalImage.Hidden : OriginalImage.Kept;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        _properties = NewImage.Properties(Property, Configuration.ReservedNamespaces, WriteWarning);
    }

    /// <inheritdoc/>
    protected override void Work(string id)
    {
        var image = Await(Client.FindAsync(id, StopToken));
        var also = Original switch
        {
            OriginalImage.Removed => ", and delete this one",
            OriginalImage.Hidden => ", and hide this one",
            _ => "",
        };
        if (!ShouldProcess($"{image}", $"Make a new image of it in the format {DiskFormat.ToName()}{also}")
            || !MayRemove(image))
        {
            return;
        }

        // A file that is here was verified when it came, by whatever certificate there was then.
        var mayRecall = !RequireSignature && SigningCertificate is null && TrustedCertificate is null;
        using var signer = Certificate is null
            ? null
            : new ImageSigner(Certificate, certificateId: CertificateId?.ToString("D"));
        var request = new GlanceConversionRequest
        {
            Client = Client,
            Image = image.Id,
            Format = DiskFormat,
            Target = NewImage.Target(DiskFormat, Subformat, Compress),
            Gzip = NewImage.Gzip(ContainerFormat),
            Always = Force,
            Original = Original,
            Name = Name,
            Visibility = Visibility,
            Tags = Tag,
            Properties = _properties,
            ReservedNamespaces = Configuration.ReservedNamespaces,
            StoreId = StoreId,
            Signer = signer,
            Saved = mayRecall ? Recall(image.Id) : null,
            Inspection = new InspectionOptions { Policy = EffectivePolicy },
            Trust = Trust,
            RequiresSignature = RequireSignature,
            ConversionDirectory = ConversionDirectory is null
                ? Configuration.ConversionDirectory
                : GetUnresolvedProviderPathFromPSPath(ConversionDirectory),
            ConversionDisabled = Configuration.ConversionDisabled,
        };
        Emit(AwaitWithProgress(
            progress => GlanceImageConverter.ConvertAsync(request, progress, StopToken),
            $"Converting the image {image}"));
    }

    private void Emit(GlanceConversionResult result)
    {
        if (!result.Converted)
        {
            WriteWarning(
                $"The image {result.ImageId} is {result.DiskFormat} in {result.ContainerFormat} already: nothing was done "
                + "with it. -Force makes a new one.");
        }
        else if (!result.HashVerified)
        {
            WriteWarning(NewImage.NotVerified(result.ImageId, result.HashAlgorithm));
        }

        if (PassThru)
        {
            WriteObject(Await(Client.GetAsync(result.ImageId, StopToken)));
        }
        else
        {
            WriteObject(result);
        }
    }

    // The impact is high with -RemoveOriginal only. Who said -Confirm was asked already, or will not be.
    private bool MayRemove(GlanceImage image) => !RemoveOriginal
        || MyInvocation.BoundParameters.ContainsKey("Confirm")
        || GetVariableValue("ConfirmPreference") is not ConfirmImpact.High
        || ShouldContinue(
            $"Once the new image is complete, delete the image {image} with its data?",
            "Convert-GlanceImage -RemoveOriginal");
}
