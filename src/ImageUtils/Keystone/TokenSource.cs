using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;
using ImageUtils.Errors;

namespace ImageUtils.Keystone;

/// <summary>
/// Keeps a token that is good: asks Keystone for the next one before it expires, or when it was refused.
/// </summary>
internal sealed class TokenSource(CloudSettings settings, ServiceConnection connection, TimeProvider clock)
    : IDisposable
{
    private const int MaximumAnswerLength = 16 << 20;
    private const int MaximumReadings = 3;

    private readonly SemaphoreSlim _one = new(1, 1);
    private KeystoneToken? _token;

    /// <summary>The token that there is; null before the first.</summary>
    internal KeystoneToken? Current => _token;

    /// <summary>What must not be in any message.</summary>
    internal IReadOnlyCollection<Secret> Secrets => [.. ((Secret?[])[
        settings.Password, settings.Token, settings.ApplicationCredentialSecret, _token?.Value]).OfType<Secret>()];

    /// <summary>Whether Keystone can be asked for another token.</summary>
    internal bool CanRenew => settings.Method is not (KeystoneMethod.None or KeystoneMethod.FixedToken);

    /// <summary>A token that is good for some time; null where there is no Keystone and none was given.</summary>
    /// <param name="refused">One that a service has just refused; null where none has.</param>
    /// <param name="cancellationToken">Ends it.</param>
    internal async Task<KeystoneToken?> GetAsync(KeystoneToken? refused, CancellationToken cancellationToken)
    {
        if (!CanRenew)
        {
            return _token ??= settings.Token is { } given ? new KeystoneToken(given, null, clock.GetUtcNow()) : null;
        }

        if (IsGood(_token))
        {
            return _token;
        }

        await _one.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // Whoever came first has asked already.
            if (!IsGood(_token))
            {
                _token = await AuthenticateAsync(cancellationToken).ConfigureAwait(false);
            }

            return _token;
        }
        catch (ServiceUnreachableException) when (
            _token is not null && !ReferenceEquals(_token, refused) && _token.Expires > clock.GetUtcNow())
        {
            // The old one lives yet; Keystone may be back before it ends.
            return _token;
        }
        finally
        {
            _one.Release();
        }

        bool IsGood(KeystoneToken? token) =>
            token is not null && !ReferenceEquals(token, refused) && !token.IsToBeRenewed(clock.GetUtcNow());
    }

    /// <summary>Tells Keystone that the token is not used any more; what goes wrong is of no consequence.</summary>
    internal async Task RevokeAsync(CancellationToken cancellationToken)
    {
        if (!CanRenew || _token is not { } token)
        {
            return;
        }

        try
        {
            using var response = await connection.SendAsync(
                () =>
                {
                    var request = new HttpRequestMessage(HttpMethod.Delete, TokensUri);
                    request.Headers.Add("X-Auth-Token", token.Value.Reveal());
                    request.Headers.Add("X-Subject-Token", token.Value.Reveal());
                    return request;
                },
                mayRepeat: false, TimeSpan.FromSeconds(5), cancellationToken).ConfigureAwait(false);
        }
        catch (ServiceUnreachableException)
        {
            // It expires of itself.
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // What it says of user and project stays.
        _token?.Value.Dispose();
        _one.Dispose();
    }

    private Uri TokensUri => ServiceUri.Combine(ServiceUri.ToIdentityRoot(settings.AuthUrl!), "auth/tokens");

    private async Task<KeystoneToken> AuthenticateAsync(CancellationToken cancellationToken)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await AuthenticateOnceAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (AnswerCutException exception)
            {
                // A token that nobody has read expires of itself.
                if (attempt == MaximumReadings)
                {
                    throw new ServiceUnreachableException(
                        $"POST {TokensUri}: the answer was cut: {exception.Message.TrimEnd('.')}. Try again.", TokensUri,
                        exception.InnerException);
                }
            }

            await Task.Delay(settings.RetryDelay * attempt, clock, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task<KeystoneToken> AuthenticateOnceAsync(CancellationToken cancellationToken)
    {
        var body = AuthenticationRequest.Write(settings);
        try
        {
            var response = await connection.SendAsync(
                () =>
                {
                    var request = new HttpRequestMessage(HttpMethod.Post, TokensUri)
                    {
                        Content = new ByteArrayContent(body),
                    };
                    request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                    request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
                    return request;
                },
                // A second token does no harm; a wrong credential gets 401, which is not asked again.
                mayRepeat: true, null, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.Created)
            {
                return await ReadAsync(response, cancellationToken).ConfigureAwait(false);
            }

            var error = await ServiceAnswers.ToErrorAsync(response, Secrets, cancellationToken).ConfigureAwait(false);
            // So Keystone says that a token expired or was revoked.
            throw error.Status == HttpStatusCode.NotFound && settings.Method == KeystoneMethod.Token
                ? new AuthenticationFailedException($"{error.Message} Get a new token.", error.RequestId)
                : error;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(body);
        }
    }

    private async Task<KeystoneToken> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        using (response)
        {
            var received = clock.GetUtcNow();
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(settings.Timeout);
            try
            {
                await response.Content.LoadIntoBufferAsync(MaximumAnswerLength, limited.Token).ConfigureAwait(false);
                var stream = await response.Content.ReadAsStreamAsync(limited.Token).ConfigureAwait(false);
                var answer = await JsonSerializer.DeserializeAsync(
                    stream, KeystoneJson.Default.TokenAnswer, limited.Token).ConfigureAwait(false);
                if (answer?.Token is { } body
                    && response.Headers.TryGetValues("X-Subject-Token", out var values)
                    && values.First() is { Length: > 0 } token)
                {
                    response.Headers.Remove("X-Subject-Token");
                    return new KeystoneToken(new Secret(token), body, received);
                }
            }
            catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
            {
                throw new AnswerCutException(
                    $"it was not there within {settings.Timeout.TotalSeconds:0.#} s", exception);
            }
            catch (Exception exception) when (exception is IOException
                or HttpRequestException { HttpRequestError: not HttpRequestError.ConfigurationLimitExceeded })
            {
                throw new AnswerCutException(exception.InnerException?.Message ?? exception.Message, exception);
            }
            catch (Exception exception) when (exception is JsonException or HttpRequestException)
            {
                // Without its words, which may quote what it read.
            }

            throw new ServiceAnswerException(
                $"{TokensUri} answered without a token. Check that it is Keystone's address.", response.StatusCode,
                ServiceAnswers.GetRequestId(response));
        }
    }

    /// <summary>The answer did not come whole; asking again may help.</summary>
    private sealed class AnswerCutException(string message, Exception innerException)
        : Exception(message, innerException);
}
