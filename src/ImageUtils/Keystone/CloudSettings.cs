namespace ImageUtils.Keystone;

/// <summary>
/// How to reach a cloud and as whom: what clouds.yaml calls a cloud, with the environment and the caller's own wishes
/// laid over it. Names are openstacksdk's. It prints no secret.
/// </summary>
public sealed class CloudSettings : IDisposable
{
    /// <summary>The cloud's name in clouds.yaml; null where it comes from elsewhere.</summary>
    public string? Cloud { get; set; }

    /// <summary>How to authenticate.</summary>
    public KeystoneMethod Method { get; set; }

    /// <summary>Keystone, with or without <c>/v3</c>; null where there is none.</summary>
    public Uri? AuthUrl { get; set; }

    /// <summary>The user's name.</summary>
    public string? UserName { get; set; }

    /// <summary>The user's id, which needs no domain.</summary>
    public string? UserId { get; set; }

    /// <summary>The name of the user's domain.</summary>
    public string? UserDomainName { get; set; }

    /// <summary>The id of the user's domain.</summary>
    public string? UserDomainId { get; set; }

    /// <summary>The password, for <see cref="KeystoneMethod.Password"/>.</summary>
    public Secret? Password { get; set; }

    /// <summary>
    /// The token, for <see cref="KeystoneMethod.Token"/> and <see cref="KeystoneMethod.FixedToken"/>.
    /// </summary>
    public Secret? Token { get; set; }

    /// <summary>The application credential's id.</summary>
    public string? ApplicationCredentialId { get; set; }

    /// <summary>The application credential's name, which needs its user.</summary>
    public string? ApplicationCredentialName { get; set; }

    /// <summary>The application credential's secret.</summary>
    public Secret? ApplicationCredentialSecret { get; set; }

    /// <summary>The project to work in.</summary>
    public string? ProjectName { get; set; }

    /// <summary>The id of the project to work in, which needs no domain.</summary>
    public string? ProjectId { get; set; }

    /// <summary>The name of the project's domain.</summary>
    public string? ProjectDomainName { get; set; }

    /// <summary>The id of the project's domain.</summary>
    public string? ProjectDomainId { get; set; }

    /// <summary>The name of the domain to work in, where that is no project.</summary>
    public string? DomainName { get; set; }

    /// <summary>The id of the domain to work in, where that is no project.</summary>
    public string? DomainId { get; set; }

    /// <summary>Whether to work on the whole system, which is no project and no domain.</summary>
    public bool IsSystemScope { get; set; }

    /// <summary>The region of the catalogue; null takes the first that has the service.</summary>
    public string? Region { get; set; }

    /// <summary>The catalogue's interface: public, internal or admin.</summary>
    public string Interface { get; set; } = "public";

    /// <summary>Endpoints that go before the catalogue's, by type of service, such as <c>image</c>.</summary>
    public IDictionary<string, Uri> EndpointOverrides { get; } =
        new Dictionary<string, Uri>(StringComparer.OrdinalIgnoreCase);

    /// <summary>A file of the authorities' certificates (PEM), which are trusted instead of the system's.</summary>
    public string? CaFile { get; set; }

    /// <summary>
    /// Whether certificates are not checked. Only a caller sets it: what a file says is a warning, and no more.
    /// </summary>
    public bool SkipCertificateCheck { get; set; }

    /// <summary>The proxy. There is none, whatever http_proxy says, unless it is set here.</summary>
    public Uri? Proxy { get; set; }

    /// <summary>How long a service may take until it begins to answer.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How often a call that changes nothing is made again.</summary>
    public int Retries { get; set; } = 4;

    /// <summary>How long to wait before it is made again for the first time; twice as long each further time.</summary>
    public TimeSpan RetryDelay { get; set; } = TimeSpan.FromSeconds(0.5);

    /// <summary>What the caller should be told about the files.</summary>
    public IList<string> Warnings { get; } = [];

    /// <summary>Whether it says a project, a domain or the system.</summary>
    internal bool HasScope => IsSystemScope
        || (ProjectId ?? ProjectName ?? DomainId ?? DomainName) is not null;

    /// <inheritdoc/>
    public override string ToString() => $"{Cloud ?? AuthUrl?.ToString() ?? "cloud"} ({Method})";

    /// <inheritdoc/>
    public void Dispose()
    {
        Password?.Dispose();
        Token?.Dispose();
        ApplicationCredentialSecret?.Dispose();
    }
}
