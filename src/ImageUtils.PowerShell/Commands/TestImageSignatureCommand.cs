using System.Collections;
using System.Management.Automation;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;
using ImageUtils.PowerShell.Bases;
using ImageUtils.Signatures;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Verifies signatures of images as OpenStack does.</summary>
[Cmdlet(VerbsDiagnostic.Test, "ImageSignature", DefaultParameterSetName = PathSet)]
[OutputType(typeof(ImageSignatureCheck), typeof(bool))]
public sealed class TestImageSignatureCommand : ImageFileCmdlet<ImageSignatureCheck>
{
    private readonly List<X509Certificate2> _fromFiles = [];
    private CertificateTrust _trust = new();

    /// <summary>The image's properties.</summary>
    [Parameter(Mandatory = true, Position = 1, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNull]
    public IDictionary Property { get; set; } = new Hashtable();

    /// <summary>The file of the certificate that the image was signed with.</summary>
    [Parameter(Position = 2)]
    [ValidateNotNullOrEmpty]
    public string? CertificatePath { get; set; }

    /// <summary>The certificate that the image was signed with.</summary>
    [Parameter]
    [ValidateNotNull]
    public X509Certificate2? Certificate { get; set; }

    /// <summary>Files of certificates that must have issued it, up to a root.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string[]? TrustedCertificatePath { get; set; }

    /// <summary>Emit only true or false.</summary>
    [Parameter]
    public SwitchParameter Quiet { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (Certificate is null == CertificatePath is null)
        {
            ThrowTerminatingError(ErrorRecords.OneCertificate(nameof(CertificatePath)));
        }

        _trust = new CertificateTrust
        {
            Certificate = Certificate ?? Read(CertificatePath!)[0],
            TrustedCertificates = TrustedCertificatePath?.SelectMany(Read).ToList(),
        };
    }

    /// <inheritdoc/>
    protected override ImageSignatureCheck Work(string path)
    {
        var properties = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (DictionaryEntry property in Property)
        {
            properties[property.Key.ToString() ?? ""] =
                property.Value is null ? null : LanguagePrimitives.ConvertTo<string>(property.Value);
        }

        var signature = ImageSignature.FromProperties(properties, isCertificateAtHand: true)
            ?? throw new ImageNotSignedException();
        if (signature.CertificateId is null)
        {
            WriteWarning($"'{path}' lacks {ImageSignature.CertificateIdProperty}, without which OpenStack refuses it.");
        }

        return AwaitWithProgress(
            progress => ImageFileSignatures.CheckAsync(path, signature, _trust, progress, StopToken),
            $"Verifying {System.IO.Path.GetFileName(path)}");
    }

    /// <inheritdoc/>
    protected override ValueTask<ImageSignatureCheck> WorkAsync(string path) =>
        throw new InvalidOperationException("Signatures are verified one by one.");

    /// <inheritdoc/>
    protected override void Emit(string path, ImageSignatureCheck result) =>
        WriteObject(Quiet ? result.IsValid : result);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _fromFiles.ForEach(certificate => certificate.Dispose());
        }
    }

    private IReadOnlyList<X509Certificate2> Read(string path)
    {
        try
        {
            var found = Await(new ValueTask<IReadOnlyList<X509Certificate2>>(
                CertificateFile.ReadAllAsync(GetUnresolvedProviderPathFromPSPath(path), StopToken)));
            _fromFiles.AddRange(found);
            return found;
        }
        catch (ImageUtilsException exception)
        {
            ThrowTerminatingError(ErrorRecords.From(exception, path));
            throw;
        }
    }
}
