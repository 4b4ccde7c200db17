using ImageUtils.Errors;

namespace ImageUtils.Keystone;

/// <summary>
/// A session with a cloud's image service: who, where, and a sender that puts a good token on each request. It may be
/// used by several threads at once. It prints no secret; the settings that it was made of are its own and are disposed
/// of with it.
/// </summary>
public sealed class ImageServiceSession : IDisposable
{
    private readonly CloudSettings _settings;
    private readonly ServiceConnection _connection;
    private readonly TokenSource _tokens;
    private bool _isClosed;

    private ImageServiceSession(CloudSettings settings, TimeProvider clock)
    {
        _settings = settings;
        _connection = new ServiceConnection(settings, clock);
        _tokens = new TokenSource(settings, _connection, clock);
        Connected = clock.GetUtcNow();
    }

    /// <summary>The cloud's name in clouds.yaml; null where it comes from elsewhere.</summary>
    public string? Cloud => _settings.Cloud;

    /// <summary>The image service, without a version and with a slash at its end.</summary>
    public Uri Endpoint { get; private set; } = null!;

    /// <summary>Keystone; null where there is none.</summary>
    public Uri? AuthUrl => _settings.AuthUrl;

    /// <summary>How the session proves who it is.</summary>
    public KeystoneMethod Method => _settings.Method;

    /// <summary>The user's name; null without Keystone.</summary>
    public string? User => _tokens.Current?.Body?.User?.Name;

    /// <summary>The user's id; null without Keystone.</summary>
    public string? UserId => _tokens.Current?.Body?.User?.Id;

    /// <summary>The project's name; null where the session works in none.</summary>
    public string? Project => _tokens.Current?.Body?.Project?.Name;

    /// <summary>The project's id; null where the session works in none. It owns what the session publishes.</summary>
    public string? ProjectId => _tokens.Current?.Body?.Project?.Id;

    /// <summary>What the token is good for: a project, a domain, the system, or nothing.</summary>
    public string Scope => _tokens.Current?.Body switch
    {
        { Project: { } project } => $"project {project.Name}",
        { Domain: { } domain } => $"domain {domain.Name}",
        { System: not null } => "system",
        null => "none",
        _ => "unscoped",
    };

    /// <summary>The roles' names.</summary>
    public IReadOnlyList<string> Roles => [.. (_tokens.Current?.Body?.Roles ?? []).Select(role => role.Name ?? "")];

    /// <summary>The image service's region; null where it is not known.</summary>
    public string? Region { get; private set; }

    /// <summary>The catalogue's interface.</summary>
    public string Interface => _settings.Interface;

    /// <summary>When the token ends, before which another is fetched; null where it is not known.</summary>
    public DateTimeOffset? TokenExpires => _tokens.Current?.Expires;

    /// <summary>When the session was made.</summary>
    public DateTimeOffset Connected { get; }

    /// <summary>Whether it was closed.</summary>
    public bool IsClosed => _isClosed;

    /// <summary>Whether certificates are not checked.</summary>
    public bool SkipsCertificateCheck => _settings.SkipCertificateCheck;

    /// <summary>The token that there is, for the tests that look for it in what is printed.</summary>
    internal Secret? CurrentToken => _tokens.Current?.Value;

    /// <summary>Authenticates, and finds the image service.</summary>
    /// <param name="settings">Whom to be and where; the session's from now on, also where this fails.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CloudConfigurationException">A setting is missing or wrong.</exception>
    /// <exception cref="AuthenticationFailedException">Keystone does not accept the credential.</exception>
    /// <exception cref="EndpointNotFoundException">The catalogue has no image service there.</exception>
    /// <exception cref="ServiceUnreachableException">Keystone does not answer.</exception>
    public static Task<ImageServiceSession> ConnectAsync(
        CloudSettings settings, CancellationToken cancellationToken = default) =>
        ConnectAsync(settings, TimeProvider.System, cancellationToken);

    /// <summary>A service's address without a version, with a slash at its end.</summary>
    /// <param name="serviceType">The service's type, such as <c>image</c> or <c>key-manager</c>.</param>
    /// <exception cref="EndpointNotFoundException">Neither the settings nor the catalogue have one.</exception>
    public Uri GetEndpoint(string serviceType) => FindEndpoint(serviceType).Endpoint;

    /// <summary>
    /// Sends a request and returns the answer as soon as its headers are there; its body is the caller's to read and to
    /// dispose of. A token that is refused is replaced once, and the request made again.
    /// </summary>
    /// <param name="request">What is asked.</param>
    /// <param name="cancellationToken">Ends it; not the reading of the body.</param>
    /// <returns>An answer of the statuses 200 to 299.</returns>
    /// <exception cref="ServiceResponseException">Any other status.</exception>
    /// <exception cref="ServiceUnreachableException">No answer.</exception>
    /// <exception cref="SessionClosedException">The session was closed.</exception>
    public async Task<HttpResponseMessage> SendAsync(
        ServiceRequest request, CancellationToken cancellationToken = default)
    {
        ThrowIfClosed();
        KeystoneToken? refused = null;
        while (true)
        {
            var token = await _tokens.GetAsync(refused, cancellationToken).ConfigureAwait(false);
            var response = await _connection.SendAsync(
                () => MakeMessage(request, token), request.MayRepeat, request.AnswerWithin, cancellationToken)
                .ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
            {
                return response;
            }

            if (response.StatusCode == System.Net.HttpStatusCode.Unauthorized
                && refused is null && _tokens.CanRenew && request.IsContentReplayable)
            {
                response.Dispose();
                refused = token;
                continue;
            }

            throw await ServiceAnswers.ToErrorAsync(response, _tokens.Secrets, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Gives the token back and closes the session. A token that the caller brought stays as it is.</summary>
    /// <param name="cancellationToken">Ends the giving back.</param>
    public async Task CloseAsync(CancellationToken cancellationToken = default)
    {
        if (!_isClosed)
        {
            try
            {
                await _tokens.RevokeAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                Dispose();
            }
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Cloud ?? Endpoint?.ToString()} ({User ?? Method.ToString()}, {Scope})";

    /// <summary>Closes the session without a word to Keystone.</summary>
    public void Dispose()
    {
        if (!_isClosed)
        {
            _isClosed = true;
            _connection.Dispose();
            _tokens.Dispose();
            _settings.Dispose();
        }
    }

    internal static async Task<ImageServiceSession> ConnectAsync(
        CloudSettings settings, TimeProvider clock, CancellationToken cancellationToken)
    {
        ImageServiceSession? session = null;
        try
        {
            ThrowIfUnusable(settings);
            if (settings.Method is not (KeystoneMethod.None or KeystoneMethod.FixedToken))
            {
                AuthenticationRequest.ThrowIfIncomplete(settings);
            }
            else if (!settings.EndpointOverrides.ContainsKey("image"))
            {
                throw new CloudConfigurationException(
                    CloudConfigurationProblem.SettingMissing, "endpoint",
                    $"{settings} has no Keystone, and no endpoint of the image service. Add one.");
            }

            session = new ImageServiceSession(settings, clock);
            await session._tokens.GetAsync(null, cancellationToken).ConfigureAwait(false);
            (session.Endpoint, session.Region) = session.FindEndpoint("image");
            return session;
        }
        catch
        {
            session?.Dispose();
            settings.Dispose();
            throw;
        }
    }

    private static void ThrowIfUnusable(CloudSettings settings)
    {
        foreach (var (setting, uri) in settings.EndpointOverrides.Select(pair => (pair.Key, pair.Value))
            .Append(("auth_url", settings.AuthUrl!)).Where(pair => pair.Item2 is not null))
        {
            if (!ServiceUri.IsUsable(uri))
            {
                throw new CloudConfigurationException(
                    CloudConfigurationProblem.InvalidValue, setting,
                    $"The address of {setting} should begin with http:// or https:// and have no user name. "
                    + "Correct it.");
            }
        }
    }

    private (Uri Endpoint, string? Region) FindEndpoint(string serviceType)
    {
        ThrowIfClosed();
        return _settings.EndpointOverrides.TryGetValue(serviceType, out var endpoint)
            ? (ServiceUri.WithoutVersion(endpoint), _settings.Region)
            : ServiceCatalog.Find(
                _tokens.Current?.Body?.Catalog, serviceType, _settings.Interface, _settings.Region);
    }

    private HttpRequestMessage MakeMessage(ServiceRequest request, KeystoneToken? token)
    {
        var root = request.ServiceType == "image" ? Endpoint : GetEndpoint(request.ServiceType);
        var message = new HttpRequestMessage(request.Method, ServiceUri.Combine(root, request.Path))
        {
            Content = request.Content?.Invoke(),
        };
        foreach (var (name, value) in request.Headers)
        {
            message.Headers.TryAddWithoutValidation(name, value);
        }

        if (token is not null)
        {
            message.Headers.TryAddWithoutValidation("X-Auth-Token", token.Value.Reveal());
        }

        return message;
    }

    private void ThrowIfClosed()
    {
        if (_isClosed)
        {
            throw new SessionClosedException();
        }
    }
}
