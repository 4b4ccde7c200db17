using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using ImageUtils.Keystone;

namespace ImageUtils.Tests.Glance;

/// <summary>One request's head, as it came.</summary>
internal sealed record ScriptedRequest(int Number, string Head)
{
    public string Method => Head[..Head.IndexOf(' ', StringComparison.Ordinal)];

    public string Path => Head.Split(' ')[1];

    public string? Header(string name) => Head.Split("\r\n").Skip(1)
        .FirstOrDefault(line => line.StartsWith(name + ": ", StringComparison.OrdinalIgnoreCase))?[(name.Length + 2)..];

    /// <summary>The first byte that Range asks for; 0 without one.</summary>
    public int From => Header("Range") is { } range
        ? int.Parse(range["bytes=".Length..range.IndexOf('-', StringComparison.Ordinal)], CultureInfo.InvariantCulture)
        : 0;
}

/// <summary>A service that does to each connection what a test says. One request for each connection.</summary>
internal sealed class ScriptedServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Func<ScriptedRequest, NetworkStream, Task> _serve;
    private readonly ConcurrentBag<TcpClient> _clients = [];
    private int _count;

    /// <summary>Begins to listen.</summary>
    /// <param name="serve">Answers the n-th request, from 1; the connection is closed afterwards.</param>
    public ScriptedServer(Func<ScriptedRequest, NetworkStream, Task> serve)
    {
        _serve = serve;
        _listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>The requests' heads, in order.</summary>
    public ConcurrentQueue<ScriptedRequest> Requests { get; } = new();

    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    public static Task AnswerAsync(
        Stream stream, int status, ReadOnlyMemory<byte> body = default, string headers = "", long? announced = null) =>
        SendAsync(stream, $"HTTP/1.1 {status} Made\r\nConnection: close\r\n{headers}"
            + $"Content-Length: {announced ?? body.Length}\r\n\r\n", body);

    public static Task AnswerAsync(Stream stream, int status, string body) =>
        AnswerAsync(stream, status, Encoding.UTF8.GetBytes(body));

    /// <summary>What a good server answers to a request for a range, or a piece of it that breaks off.</summary>
    public static Task AnswerRangeAsync(
        ScriptedRequest request, Stream stream, byte[] image, int? cutAfter = null, string headers = "")
    {
        var range = request.Header("Range");
        var from = request.From;
        var last = range is null || range.EndsWith('-')
            ? image.Length - 1
            : Math.Min(image.Length - 1, int.Parse(range[(range.IndexOf('-', StringComparison.Ordinal) + 1)..],
                CultureInfo.InvariantCulture));
        var length = last - from + 1;
        return AnswerAsync(
            stream, range is null ? 200 : 206, image.AsMemory(from, Math.Min(length, cutAfter ?? length)),
            headers + (range is null ? "" : $"Content-Range: bytes {from}-{last}/{image.Length}\r\n"), length);
    }

    public Task<ImageServiceSession> OpenAsync(Action<CloudSettings>? change = null)
    {
        var settings = new CloudSettings
        {
            Method = KeystoneMethod.None,
            RetryDelay = TimeSpan.FromMilliseconds(5),
            EndpointOverrides = { ["image"] = Address },
        };
        change?.Invoke(settings);
        return ImageServiceSession.ConnectAsync(settings);
    }

    public void Dispose()
    {
        _listener.Dispose();
        foreach (var client in _clients)
        {
            client.Dispose();
        }
    }

    private static async Task SendAsync(Stream stream, string head, ReadOnlyMemory<byte> body)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
        await stream.WriteAsync(body);
        await stream.FlushAsync();
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
            var stream = client.GetStream();
            var head = new StringBuilder();
            var letter = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && await stream.ReadAsync(letter) > 0)
            {
                head.Append((char)letter[0]);
            }

            if (head.Length > 0)
            {
                var request = new ScriptedRequest(Interlocked.Increment(ref _count), head.ToString());
                Requests.Enqueue(request);
                await _serve(request, stream);
                // Bytes that were sent but not read when the connection is closed would take the answer with them.
                client.Client.Shutdown(SocketShutdown.Send);
                var rest = new byte[65536];
                using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
                while (await stream.ReadAsync(rest, patience.Token) > 0)
                {
                }
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException or ObjectDisposedException
            or OperationCanceledException)
        {
            // The other side has gone; that is what is tested.
        }
    }
}
