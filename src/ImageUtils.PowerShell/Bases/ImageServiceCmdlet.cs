using System.Management.Automation;
using System.Runtime.CompilerServices;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.PowerShell.Binding;
using ImageUtils.Safety;
using ImageUtils.Signatures;

namespace ImageUtils.PowerShell.Bases;

/// <summary>A cmdlet that gets images from a cloud's image service, and looks at them.</summary>
public abstract class ImageServiceCmdlet : GlanceCmdlet
{
    // What was downloaded in a session, which other users' sessions do not see.
    private static readonly ConditionalWeakTable<ImageServiceSession, List<SavedGlanceImage>> s_saved = [];

    /// <summary>The images, by id or name.</summary>
    [Parameter(Mandatory = true, Position = 0, ValueFromPipeline = true, ValueFromPipelineByPropertyName = true)]
    [Alias("ImageId", "Name")]
    [ArgumentCompleter(typeof(GlanceImageIdCompleter))]
    [ValidateNotNullOrEmpty]
    public virtual string[] Id { get; set; } = [];

    /// <summary>Refuse images that are not signed.</summary>
    [Parameter]
    public SwitchParameter RequireSignature { get; set; }

    /// <summary>The certificate that signatures are verified with, instead of Barbican's.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? SigningCertificate { get; set; }

    /// <summary>Certificates that must have issued the signatures' one, up to a root.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? TrustedCertificate { get; set; }

    /// <summary>The createTypes of VMDKs that are allowed.</summary>
    [Parameter]
    [ValidateNotNull]
    public string[]? AllowedVmdkType { get; set; }

    /// <summary>What is allowed.</summary>
    [Parameter]
    [SafetyPolicy]
    [ValidateNotNull]
    public SafetyPolicy? Policy { get; set; }

    /// <summary>Where certificates come from.</summary>
    protected CertificateTrust Trust { get; private set; } = new();

    /// <summary>What is allowed; a remote image can name no other files.</summary>
    protected SafetyPolicy EffectivePolicy { get; private set; } = SafetyPolicy.Default;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        var policy = MakePolicy(Policy, null);
        EffectivePolicy = policy with
        {
            AllowedVmdkTypes = AllowedVmdkType ?? policy.AllowedVmdkTypes,
            BackingFileDirectories = [],
            DataFileDirectories = [],
        };
        try
        {
            Trust = new CertificateTrust
            {
                Certificate = SigningCertificate is null ? null : Await(
                    CertificateFile.ReadAsync(GetUnresolvedProviderPathFromPSPath(SigningCertificate), StopToken)),
                Fetch = new CertificateStore(Client.Session).FetchAsync,
                TrustedCertificates = TrustedCertificate is null ? null : Await(
                    CertificateFile.ReadAllAsync(GetUnresolvedProviderPathFromPSPath(TrustedCertificate), StopToken)),
            };
        }
        catch (ImageUtilsException exception)
        {
            ThrowTerminatingError(ErrorRecords.From(exception, SigningCertificate ?? TrustedCertificate));
        }
    }

    /// <inheritdoc/>
    protected override void ProcessRecord()
    {
        foreach (var id in Id)
        {
            ForItem(id, () => Work(id));
        }
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Trust.Certificate?.Dispose();
            foreach (var certificate in Trust.TrustedCertificates ?? [])
            {
                certificate.Dispose();
            }
        }

        base.Dispose(disposing);
    }

    /// <summary>Does one image's work.</summary>
    protected abstract void Work(string id);

    /// <summary>Remembers a download of this session, for later cmdlets.</summary>
    protected void Remember(SavedGlanceImage saved)
    {
        var own = s_saved.GetOrCreateValue(Client.Session);
        lock (own)
        {
            own.RemoveAll(one => one.ImageId == saved.ImageId);
            own.Add(saved);
        }
    }

    /// <summary>
    /// A download of an image by this session, whose file is as it was then; null where there is none. A name can have
    /// become another image's meanwhile.
    /// </summary>
    protected SavedGlanceImage? Recall(string idOrName)
    {
        if (!s_saved.TryGetValue(Client.Session, out var own))
        {
            return null;
        }

        lock (own)
        {
            return own.Find(one => (one.ImageId == idOrName || one.Name == idOrName) && one.IsUnchanged());
        }
    }
}
