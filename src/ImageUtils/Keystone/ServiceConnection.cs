using System.Net;
using System.Runtime.ExceptionServices;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using Polly;
using Polly.Retry;

namespace ImageUtils.Keystone;

/// <summary>
/// Sends requests: with the trust that the settings say, without a proxy that nobody named, without following
/// redirections (a token would go along), and again where that is safe. It knows nothing of tokens.
/// </summary>
internal sealed class ServiceConnection : IDisposable
{
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(15);

    private readonly HttpClient _client;
    private readonly ResiliencePipeline<HttpResponseMessage> _retrying;
    private readonly TimeSpan _timeout;
    private readonly string _trustAdvice;

    internal ServiceConnection(CloudSettings settings, TimeProvider clock)
        : this(
            MakeHandler(settings), settings.Timeout, settings.Retries, settings.RetryDelay, clock,
            settings.CaFile is not null
                ? "Check that the CA file has its authority."
                : "Name its authority with a CA file.")
    {
    }

    /// <summary>Makes a connection by other rules than a cloud's.</summary>
    /// <param name="handler">Connects; the connection's from now on. It follows no redirections.</param>
    /// <param name="timeout">How long an answer may take, where a call does not say.</param>
    /// <param name="retries">How often a request is made again.</param>
    /// <param name="retryDelay">How long is waited before; longer each time.</param>
    /// <param name="clock">By which it is waited.</param>
    /// <param name="trustAdvice">What to do about a certificate that is not trusted.</param>
    internal ServiceConnection(
        SocketsHttpHandler handler, TimeSpan timeout, int retries, TimeSpan retryDelay, TimeProvider clock,
        string trustAdvice)
    {
        _timeout = timeout;
        _trustAdvice = trustAdvice;
        _client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.UserAgent.ParseAdd("ImageUtils");
        var builder = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = clock };
        if (retries > 0)
        {
            builder.AddRetry(new RetryStrategyOptions<HttpResponseMessage>
            {
                MaxRetryAttempts = retries,
                Delay = retryDelay,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                MaxDelay = s_longestWait,
                ShouldHandle = static attempt => ValueTask.FromResult(IsWorthRepeating(attempt.Outcome)),
                DelayGenerator = static attempt => ValueTask.FromResult(GetWishedDelay(attempt.Outcome.Result)),
                OnRetry = static attempt =>
                {
                    attempt.Outcome.Result?.Dispose();
                    return default;
                },
            });
        }

        _retrying = builder.Build();
    }

    /// <summary>Sends and returns the answer, whatever its status, as soon as its headers are there.</summary>
    /// <param name="make">Makes the message, anew for each attempt.</param>
    /// <param name="mayRepeat">Whether it may be sent again.</param>
    /// <param name="within">How long it may take until the headers are there; null for what the settings say.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="ServiceUnreachableException">There was no answer.</exception>
    internal Task<HttpResponseMessage> SendAsync(
        Func<HttpRequestMessage> make, bool mayRepeat, TimeSpan? within, CancellationToken cancellationToken) =>
        mayRepeat
            ? _retrying.ExecuteAsync(
                async token => await SendOnceAsync(make, within ?? _timeout, token).ConfigureAwait(false),
                cancellationToken).AsTask()
            : SendOnceAsync(make, within ?? _timeout, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private static bool IsWorthRepeating(Outcome<HttpResponseMessage> outcome) => outcome.Exception is { } exception
        ? exception is ServiceUnreachableException and not ServiceCertificateException
        : outcome.Result?.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.InternalServerError
            or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;

    private static TimeSpan? GetWishedDelay(HttpResponseMessage? response)
    {
        var wish = response?.Headers.RetryAfter;
        var delay = wish?.Delta ?? wish?.Date - DateTimeOffset.UtcNow;
        return delay is { } some && some > TimeSpan.Zero ? some < s_longestWait ? some : s_longestWait : null;
    }

    private static SocketsHttpHandler MakeHandler(CloudSettings settings)
    {
        var handler = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = settings.Proxy is not null,
            Proxy = settings.Proxy is null ? null : new WebProxy(settings.Proxy),
            ConnectTimeout = s_connectTimeout,
            // So that a service that moved to another address is found there.
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
        };
        if (settings.SkipCertificateCheck)
        {
#pragma warning disable CA5359 // Only by the caller's own word.
            handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (settings.CaFile is { } file)
        {
            var policy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            policy.CustomTrustStore.AddRange(ReadAuthorities(file));
            handler.SslOptions.CertificateChainPolicy = policy;
        }

        return handler;
    }

    private static X509Certificate2Collection ReadAuthorities(string file)
    {
        var authorities = new X509Certificate2Collection();
        try
        {
            authorities.ImportFromPemFile(file);
        }
        catch (Exception exception) when (exception is CryptographicException or IOException
            or UnauthorizedAccessException)
        {
            throw new CloudConfigurationException(
                CloudConfigurationProblem.InvalidValue, file,
                $"The file of authorities '{Printable.Text(file)}' cannot be read: {exception.Message}");
        }

        return authorities.Count > 0 ? authorities : throw new CloudConfigurationException(
            CloudConfigurationProblem.InvalidValue, file,
            $"The file of authorities '{Printable.Text(file)}' has no certificate in PEM. Name another.");
    }

    private async Task<HttpResponseMessage> SendOnceAsync(
        Func<HttpRequestMessage> make, TimeSpan within, CancellationToken cancellationToken)
    {
        using var request = make();
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(within);
        try
        {
            var response = await _client.SendAsync(
                request, HttpCompletionOption.ResponseHeadersRead, limited.Token).ConfigureAwait(false);
            // Whoever prints the answer's request prints its headers.
            response.RequestMessage?.Headers.Remove("X-Auth-Token");
            response.RequestMessage?.Headers.Remove("X-Subject-Token");
            return response;
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            var waited = limited.IsCancellationRequested ? within : s_connectTimeout;
            throw new ServiceTimedOutException(
                $"{Describe(request)}: no answer within {waited.TotalSeconds:0.#} s. Try again, or allow more time.",
                Shown(request), exception);
        }
        catch (HttpRequestException exception) when (exception.InnerException is ImageUtilsException own)
        {
            // Whoever connects has refused, which is no fault of the network.
            ExceptionDispatchInfo.Throw(own);
            throw;
        }
        catch (HttpRequestException exception)
        {
            throw exception is { InnerException: AuthenticationException }
                or { HttpRequestError: HttpRequestError.SecureConnectionError }
                ? new ServiceCertificateException(
                    $"{Describe(request)}: the certificate is not trusted: {Reason(exception)} "
                    + _trustAdvice,
                    Shown(request), exception)
                : new ServiceUnreachableException(
                    $"{Describe(request)}: {Reason(exception)} Check the address and that the service runs.",
                    Shown(request), exception);
        }
    }

    // A query can hold what grants access, and errors are printed with all that they have.
    private static Uri Shown(HttpRequestMessage request) => new(request.RequestUri!.GetLeftPart(UriPartial.Path));

    private static string Describe(HttpRequestMessage request) =>
        $"{request.Method} {request.RequestUri!.GetLeftPart(UriPartial.Path)}";

    private static string Reason(HttpRequestException exception)
    {
        var reason = (exception.InnerException as AuthenticationException ?? (Exception)exception).Message;
        return reason.TrimEnd('.') + ".";
    }
}
