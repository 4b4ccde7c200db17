using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;

namespace ImageUtils.Tests.Keystone;

/// <summary>Stands before a real server: speaks TLS for it, answers in its place, or counts what it is asked.</summary>
internal sealed class ServiceFront : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Uri _server;
    private readonly X509Certificate2? _certificate;
    private readonly Func<int, string?> _answerInstead;
    private readonly ConcurrentBag<TcpClient> _clients = [];
    private int _connections;
    private int _count;

    /// <summary>Begins to listen.</summary>
    /// <param name="server">The real server.</param>
    /// <param name="answerInstead">
    /// For the n-th connection, from 1, what is answered instead of the server: a whole HTTP answer, "" for a
    /// connection that is closed without one, null for the server's own answer.
    /// </param>
    /// <param name="certificate">With which TLS is spoken; null for none.</param>
    public ServiceFront(string server, Func<int, string?> answerInstead, X509Certificate2? certificate = null)
    {
        _server = new Uri(server);
        _certificate = certificate;
        _answerInstead = answerInstead;
        _listener.Start();
        _ = AcceptAsync();
    }

    public Uri Address => new($"{(_certificate is null ? "http" : "https")}://127.0.0.1:"
        + ((IPEndPoint)_listener.LocalEndpoint).Port);

    /// <summary>How many requests there were.</summary>
    public int Count => _count;

    /// <summary>A whole answer that ends its connection.</summary>
    public static string Answer(int status, string body = "", string headers = "") =>
        $"HTTP/1.1 {status} Made\r\nConnection: close\r\n{headers}Content-Length: {body.Length}\r\n\r\n{body}";

    public void Dispose()
    {
        _listener.Dispose();
        foreach (var client in _clients)
        {
            client.Dispose();
        }
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync());
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // Disposed of.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var one = client;
        _clients.Add(client);
        try
        {
            Stream stream = client.GetStream();
            if (_certificate is not null)
            {
                var secured = new SslStream(stream);
                await secured.AuthenticateAsServerAsync(_certificate);
                stream = secured;
            }

            await using var front = stream;
            if (_answerInstead(Interlocked.Increment(ref _connections)) is { } answer)
            {
                Interlocked.Increment(ref _count);
                var buffer = new byte[65536];
                _ = await front.ReadAsync(buffer);
                await front.WriteAsync(System.Text.Encoding.ASCII.GetBytes(answer));
                return;
            }

            using var server = new TcpClient(_server.Host, _server.Port);
            await using var back = server.GetStream();
            await Task.WhenAny(CopyRequestsAsync(front, back), back.CopyToAsync(front));
        }
        catch (Exception exception) when (exception is IOException or SocketException or ObjectDisposedException
            or System.Security.Authentication.AuthenticationException)
        {
            // The other side has gone; that is what is tested.
        }
    }

    private async Task CopyRequestsAsync(Stream front, Stream back)
    {
        var buffer = new byte[65536];
        int length;
        while ((length = await front.ReadAsync(buffer)) > 0)
        {
            // A request's head comes at once, and at the beginning.
            if (buffer.AsSpan(0, length).IndexOf(" HTTP/1.1\r\n"u8) > 0)
            {
                Interlocked.Increment(ref _count);
            }

            await back.WriteAsync(buffer.AsMemory(0, length));
        }
    }
}
