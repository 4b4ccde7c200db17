using System.Management.Automation;
using System.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Signatures;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Signs images as OpenStack verifies them.</summary>
[Cmdlet(VerbsCommon.New, "ImageSignature", DefaultParameterSetName = PathSet)]
[OutputType(typeof(ImageFileSignature))]
public sealed class NewImageSignatureCommand : ImageFileCmdlet<ImageFileSignature>
{
    private X509Certificate2? _fromFile;
    private SignatureHashMethod _method;

    /// <summary>A PFX file with the certificate and its private key.</summary>
    [Parameter(Position = 1)]
    [ValidateNotNullOrEmpty]
    public string? PfxPath { get; set; }

    /// <summary>The password of the PFX file.</summary>
    [Parameter]
    [ValidateNotNull]
    public SecureString? PfxPassword { get; set; }

    /// <summary>The certificate with its private key.</summary>
    [Parameter]
    [ValidateNotNull]
    public X509Certificate2? Certificate { get; set; }

    /// <summary>What the images are hashed with.</summary>
    [Parameter]
    [ValidateSet("SHA-224", "SHA-256", "SHA-384", "SHA-512")]
    public string HashMethod { get; set; } = "SHA-256";

    /// <summary>The id of the certificate in the key manager.</summary>
    [Parameter]
    public Guid? CertificateId { get; set; }

    /// <inheritdoc/>
    protected override bool MayWorkBeside => false;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        if (Certificate is null == PfxPath is null)
        {
            ThrowTerminatingError(ErrorRecords.OneCertificate(nameof(PfxPath)));
        }

        _ = SignatureNames.TryParse(HashMethod.ToUpperInvariant(), out _method);
        try
        {
            _fromFile = PfxPath is null ? null : ReadPfx(GetUnresolvedProviderPathFromPSPath(PfxPath));

            // What is wrong with the certificate is wrong for all images.
            using var signer = MakeSigner();
        }
        catch (ImageUtilsException exception)
        {
            ThrowTerminatingError(ErrorRecords.From(exception, (object?)PfxPath ?? Certificate));
        }

        if (CertificateId is null)
        {
            WriteVerbose($"No -CertificateId: set {ImageSignature.CertificateIdProperty} before it is used.");
        }
    }

    /// <inheritdoc/>
    protected override ImageFileSignature Work(string path) => AwaitWithProgress(
        async progress =>
        {
            using var signer = MakeSigner();
            return await ImageFileSignatures.SignAsync(path, signer, progress, StopToken).ConfigureAwait(false);
        },
        $"Signing {System.IO.Path.GetFileName(path)}");

    /// <inheritdoc/>
    protected override ValueTask<ImageFileSignature> WorkAsync(string path) =>
        throw new InvalidOperationException("Images are signed one by one.");

    /// <inheritdoc/>
    protected override void Emit(string path, ImageFileSignature result) => WriteObject(result);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing)
        {
            _fromFile?.Dispose();
        }
    }

    private ImageSigner MakeSigner() =>
        new(_fromFile ?? Certificate!, _method, CertificateId?.ToString("D"));

    private X509Certificate2 ReadPfx(string path)
    {
        using var password = PfxPassword is null ? null : new Passphrase(PfxPassword);
        var characters = new char[password?.Bytes.Length ?? 0];
        try
        {
            var length = password is null ? 0 : Encoding.UTF8.GetChars(password.Bytes.Span, characters);
            return Await(new ValueTask<X509Certificate2>(
                CertificateFile.ReadPfxAsync(path, characters.AsMemory(0, length), StopToken)));
        }
        finally
        {
            Array.Clear(characters);
        }
    }
}
