using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Keystone;

namespace ImageUtils.Remote;

/// <summary>
/// Reads files on the web that anybody may read: by http and https, without cookies, credentials or a proxy that nobody
/// named, and, unless that is allowed, from machines on the public internet only. It may be used by several threads at
/// once.
/// </summary>
/// <remarks>
/// Which machine a name leads to is decided once for each connection, and held against <see cref="WebOptions"/> where
/// the connection is made: a name that is answered differently the next time leads nowhere else.
/// </remarks>
public sealed class WebReader : IDisposable
{
    /// <summary>How many redirections are followed.</summary>
    public const int MaximumRedirections = 5;

    private static readonly TimeSpan s_connectTimeout = TimeSpan.FromSeconds(15);

    private readonly ServiceConnection _connection;

    /// <summary>Makes a reader.</summary>
    /// <param name="options">How.</param>
    /// <exception cref="WebAddressException">The proxy is none, or needs private addresses allowed.</exception>
    public WebReader(WebOptions? options = null)
    {
        Options = options ?? WebOptions.Default;
        if (Options.Proxy is { } proxy)
        {
            WebAddress.ThrowIfUnusable(proxy);
            if (!Options.AllowPrivateAddresses)
            {
                throw new WebAddressException(
                    WebAddressProblem.Private,
                    $"Through the proxy '{WebAddress.ToText(proxy)}' it cannot be seen which machine is asked. Allow "
                    + "private addresses (-AllowPrivateAddress) if the proxy may be trusted with that.");
            }
        }

        _connection = new ServiceConnection(
            MakeHandler(Options), Options.Timeout, Options.Retries, Options.RetryDelay, TimeProvider.System,
            "Have this machine trust its authority, if you do.");
    }

    internal WebOptions Options { get; }

    /// <inheritdoc/>
    public void Dispose() => _connection.Dispose();

    /// <summary>Asks for a file, or a range of it, wherever redirections lead.</summary>
    /// <param name="uri">Its address.</param>
    /// <param name="range">The range; null for all of it.</param>
    /// <param name="validator">The file's strong tag, which it still must have; null for none.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>The answer, of whatever status, and the address that gave it.</returns>
    /// <exception cref="WebAddressException">It leads where nobody is to be led.</exception>
    /// <exception cref="ServiceUnreachableException">There was no answer.</exception>
    internal async Task<(HttpResponseMessage Response, Uri Uri)> GetAsync(
        Uri uri, RangeHeaderValue? range, EntityTagHeaderValue? validator, CancellationToken cancellationToken)
    {
        WebAddress.ThrowIfUnusable(uri);
        var first = uri;
        for (var redirections = 0; ; redirections++)
        {
            var at = uri;
            var response = await _connection.SendAsync(
                () => MakeMessage(at, range, validator), mayRepeat: true, null, cancellationToken)
                .ConfigureAwait(false);
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found
                or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
            {
                return (response, uri);
            }

            using (response)
            {
                if (redirections == MaximumRedirections)
                {
                    throw new WebAddressException(
                        WebAddressProblem.Redirection,
                        $"'{WebAddress.ToText(first)}' leads on more than {MaximumRedirections} times, at last to "
                        + $"'{WebAddress.ToText(uri)}'. Name the address that the file is at.");
                }

                uri = WebAddress.Follow(uri, response.Headers.Location);
            }
        }
    }

    private static HttpRequestMessage MakeMessage(Uri uri, RangeHeaderValue? range, EntityTagHeaderValue? validator)
    {
        var message = new HttpRequestMessage(HttpMethod.Get, uri);
        // The bytes themselves are what is looked at, and ranges are of them.
        message.Headers.TryAddWithoutValidation("Accept-Encoding", "identity");
        message.Headers.Range = range;
        message.Headers.IfRange = validator is null ? null : new RangeConditionHeaderValue(validator);
        return message;
    }

    private static SocketsHttpHandler MakeHandler(WebOptions options) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseProxy = options.Proxy is not null,
        Proxy = options.Proxy is null ? null : new WebProxy(options.Proxy),
        ConnectTimeout = s_connectTimeout,
        PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        PooledConnectionIdleTimeout = TimeSpan.FromSeconds(15),
        // Where a server sends more than was asked for, a new connection is cheaper than the rest of it.
        MaxResponseDrainSize = 64 << 10,
        ConnectCallback = (context, token) => ConnectAsync(context.DnsEndPoint, options, token),
    };

    private static async ValueTask<Stream> ConnectAsync(
        DnsEndPoint endPoint, WebOptions options, CancellationToken cancellationToken)
    {
        var host = endPoint.Host.Trim('[', ']');
        var addresses = IPAddress.TryParse(host, out var literal)
            ? [literal]
            : await options.Resolve(host, cancellationToken).ConfigureAwait(false);
        var allowed = options.AllowPrivateAddresses
            ? addresses
            : Array.FindAll(addresses, address => options.WhyNotPublic(address) is null);
        if (allowed.Length == 0 && addresses.Length > 0)
        {
            var kind = options.WhyNotPublic(addresses[0]);
            throw new WebAddressException(
                WebAddressProblem.Private,
                $"'{Printable.Text(host)}' is {(literal is null ? $"at {addresses[0]}, {kind}" : kind)}. Allow that "
                + "(-AllowPrivateAddress) if whoever gave you the address may have you ask machines of your own "
                + "network.");
        }

        SocketException? failure = null;
        foreach (var address in allowed)
        {
            // One that does not answer leaves time for the others.
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(s_connectTimeout / allowed.Length);
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, endPoint.Port), limited.Token)
                    .ConfigureAwait(false);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException exception)
            {
                socket.Dispose();
                failure = exception;
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                socket.Dispose();
                failure = new SocketException((int)SocketError.TimedOut);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        throw failure ?? new SocketException((int)SocketError.HostNotFound);
    }
}
