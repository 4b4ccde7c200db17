using System.Management.Automation;
using System.Security;
using ImageUtils.Errors;
using ImageUtils.Keystone;
using ImageUtils.PowerShell.Bases;
using ImageUtils.PowerShell.Binding;

namespace ImageUtils.PowerShell.Commands;

/// <summary>Makes a session with a cloud's image service, which later cmdlets use.</summary>
[Cmdlet(VerbsCommunications.Connect, "ImageService", DefaultParameterSetName = CloudSet)]
[OutputType(typeof(ImageServiceSession))]
public sealed class ConnectImageServiceCommand : ImageUtilsCmdlet
{
    private const string CloudSet = "Cloud";
    private const string PasswordSet = "Password";
    private const string TokenSet = "Token";
    private const string ApplicationSet = "ApplicationCredential";
    private const string EndpointSet = "Endpoint";
    private const string DefaultDomain = "Default";

    /// <summary>A cloud of clouds.yaml. Without it: OS_CLOUD's, the OS_ variables', or the only one.</summary>
    [Parameter(Position = 0, ParameterSetName = CloudSet)]
    [ArgumentCompleter(typeof(CloudNameCompleter))]
    [ValidateNotNullOrEmpty]
    public string? Cloud { get; set; }

    /// <summary>Keystone's address.</summary>
    [Parameter(Mandatory = true, ParameterSetName = PasswordSet)]
    [Parameter(Mandatory = true, ParameterSetName = TokenSet)]
    [Parameter(Mandatory = true, ParameterSetName = ApplicationSet)]
    [ValidateNotNull]
    public Uri? AuthUrl { get; set; }

    /// <summary>The user and the password.</summary>
    [Parameter(Mandatory = true, ParameterSetName = PasswordSet)]
    [Credential]
    [ValidateNotNull]
    public PSCredential? Credential { get; set; }

    /// <summary>A token that Keystone gave; with -Endpoint, any token that the service takes.</summary>
    [Parameter(Mandatory = true, ParameterSetName = TokenSet)]
    [Parameter(ParameterSetName = EndpointSet)]
    [ValidateNotNull]
    public SecureString? Token { get; set; }

    /// <summary>An application credential: its id, or with -UserName its name, and its secret.</summary>
    [Parameter(Mandatory = true, ParameterSetName = ApplicationSet)]
    [Credential]
    [ValidateNotNull]
    public PSCredential? ApplicationCredential { get; set; }

    /// <summary>The user whose application credential it is, where that is named by its name.</summary>
    [Parameter(ParameterSetName = ApplicationSet)]
    [ValidateNotNullOrEmpty]
    public string? UserName { get; set; }

    /// <summary>The name of the user's domain.</summary>
    [Parameter(ParameterSetName = PasswordSet)]
    [Parameter(ParameterSetName = ApplicationSet)]
    [ValidateNotNullOrEmpty]
    public string UserDomain { get; set; } = DefaultDomain;

    /// <summary>The image service's own address, where there is no Keystone.</summary>
    [Parameter(Mandatory = true, ParameterSetName = EndpointSet)]
    [ValidateNotNull]
    public Uri? Endpoint { get; set; }

    /// <summary>The name of the project to work in.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [Parameter(ParameterSetName = PasswordSet)]
    [Parameter(ParameterSetName = TokenSet)]
    [ValidateNotNullOrEmpty]
    public string? Project { get; set; }

    /// <summary>The id of the project to work in.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [Parameter(ParameterSetName = PasswordSet)]
    [Parameter(ParameterSetName = TokenSet)]
    [ValidateNotNullOrEmpty]
    public string? ProjectId { get; set; }

    /// <summary>The name of the project's domain.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [Parameter(ParameterSetName = PasswordSet)]
    [Parameter(ParameterSetName = TokenSet)]
    [ValidateNotNullOrEmpty]
    public string ProjectDomain { get; set; } = DefaultDomain;

    /// <summary>The name of the domain to work on, instead of a project.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [Parameter(ParameterSetName = PasswordSet)]
    [Parameter(ParameterSetName = TokenSet)]
    [ValidateNotNullOrEmpty]
    public string? Domain { get; set; }

    /// <summary>Work on the whole system, instead of a project.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [Parameter(ParameterSetName = PasswordSet)]
    [Parameter(ParameterSetName = TokenSet)]
    public SwitchParameter SystemScope { get; set; }

    /// <summary>The region of the catalogue.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [Parameter(ParameterSetName = PasswordSet)]
    [Parameter(ParameterSetName = TokenSet)]
    [Parameter(ParameterSetName = ApplicationSet)]
    [ValidateNotNullOrEmpty]
    public string? Region { get; set; }

    /// <summary>The interface of the catalogue.</summary>
    [Parameter(ParameterSetName = CloudSet)]
    [Parameter(ParameterSetName = PasswordSet)]
    [Parameter(ParameterSetName = TokenSet)]
    [Parameter(ParameterSetName = ApplicationSet)]
    [ValidateSet("public", "internal", "admin")]
    public string? Interface { get; set; }

    /// <summary>A file of authorities' certificates (PEM), trusted instead of the system's.</summary>
    [Parameter]
    [ValidateNotNullOrEmpty]
    public string? CaFile { get; set; }

    /// <summary>Do not check certificates.</summary>
    [Parameter]
    public SwitchParameter SkipCertificateCheck { get; set; }

    /// <summary>The proxy. http_proxy and its like are not looked at.</summary>
    [Parameter]
    [ValidateNotNull]
    public Uri? Proxy { get; set; }

    /// <summary>How many seconds a service may take until it begins to answer.</summary>
    [Parameter]
    [ValidateRange(1, 86400)]
    public int TimeoutSec { get; set; }

    /// <inheritdoc/>
    protected override void EndProcessing()
    {
        try
        {
            var settings = MakeSettings();
            foreach (var warning in settings.Warnings.Where(_ => !SkipCertificateCheck))
            {
                WriteWarning(warning);
            }

            var session = Await(new ValueTask<ImageServiceSession>(
                ImageServiceSession.ConnectAsync(settings, StopToken)));
            SessionTable.Add(session);
            WriteObject(session);
        }
        catch (OperationCanceledException) when (StopToken.IsCancellationRequested)
        {
            // The pipeline is stopping; there is nobody left to tell.
        }
        catch (ImageUtilsException exception)
        {
            ThrowTerminatingError(ErrorRecords.From(exception, Cloud ?? (object?)AuthUrl ?? Endpoint));
        }
    }

    private static Secret ToSecret(SecureString text)
    {
        using var passphrase = new Passphrase(text);
        return new Secret(passphrase.Bytes.Span);
    }

    private CloudSettings MakeSettings()
    {
        var settings = ParameterSetName switch
        {
            CloudSet => CloudConfiguration.Load(SessionState.Path.CurrentFileSystemLocation.ProviderPath)
                .Get(Cloud, Region),
            PasswordSet => new CloudSettings
            {
                Method = KeystoneMethod.Password,
                UserName = Credential!.UserName,
                UserDomainName = UserDomain,
                Password = ToSecret(Credential.Password),
            },
            TokenSet => new CloudSettings { Method = KeystoneMethod.Token, Token = ToSecret(Token!) },
            ApplicationSet => new CloudSettings
            {
                Method = KeystoneMethod.ApplicationCredential,
                ApplicationCredentialId = UserName is null ? ApplicationCredential!.UserName : null,
                ApplicationCredentialName = UserName is null ? null : ApplicationCredential!.UserName,
                ApplicationCredentialSecret = ToSecret(ApplicationCredential!.Password),
                UserName = UserName,
                UserDomainName = UserDomain,
            },
            _ => new CloudSettings
            {
                Method = Token is null ? KeystoneMethod.None : KeystoneMethod.FixedToken,
                Token = Token is null ? null : ToSecret(Token),
                EndpointOverrides = { ["image"] = Endpoint! },
            },
        };
        settings.AuthUrl = AuthUrl ?? settings.AuthUrl;
        settings.Region = Region ?? settings.Region;
        settings.Interface = Interface ?? settings.Interface;
        settings.CaFile = CaFile is null ? settings.CaFile : GetUnresolvedProviderPathFromPSPath(CaFile);
        settings.SkipCertificateCheck = SkipCertificateCheck;
        settings.Proxy = Proxy;
        settings.Timeout = TimeoutSec > 0 ? TimeSpan.FromSeconds(TimeoutSec) : settings.Timeout;
        ApplyScope(settings);
        return settings;
    }

    private void ApplyScope(CloudSettings settings)
    {
        if ((Project ?? ProjectId ?? Domain) is null && !SystemScope)
        {
            return;
        }

        settings.ProjectName = Project;
        settings.ProjectId = ProjectId;
        settings.ProjectDomainId = null;
        settings.ProjectDomainName = Project is null ? null : ProjectDomain;
        settings.DomainId = null;
        settings.DomainName = Domain;
        settings.IsSystemScope = SystemScope;
    }
}
