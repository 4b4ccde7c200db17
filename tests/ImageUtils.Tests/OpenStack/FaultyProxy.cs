using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ImageUtils.Tests.OpenStack;

/// <summary>
/// Stands between a client and real services, passes on what it is given, counts it, and does to each request what the
/// test wants. One request for each connection.
/// </summary>
internal sealed partial class FaultyProxy : IDisposable
{
    private readonly List<TcpListener> _listeners = [];
    private readonly IReadOnlyList<Fault> _faults;
    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentDictionary<Task, bool> _connections = new();
    private int _count;

    /// <param name="faults">What is done; nothing where there are none.</param>
    public FaultyProxy(params Fault[] faults) => _faults = faults;

    /// <summary>The requests, in the order in which they came.</summary>
    public ConcurrentQueue<Exchange> Exchanges { get; } = new();

    /// <summary>Opens a way to a service.</summary>
    /// <param name="service">The service.</param>
    /// <returns>The address to use in place of it.</returns>
    public Uri Open(Uri service)
    {
        var listener = new TcpListener(IPAddress.Loopback, 0);
        _listeners.Add(listener);
        listener.Start();
        _ = AcceptAsync(listener, service);
        return new Uri($"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}");
    }

    /// <summary>Closes all connections, those that stall too, and waits until the services have seen that.</summary>
    public async Task CloseAsync()
    {
        _listeners.ForEach(listener => listener.Stop());
        await _end.CancelAsync();
        await Task.WhenAll(_connections.Keys);
    }

    public void Dispose()
    {
        CloseAsync().GetAwaiter().GetResult();
        _listeners.ForEach(listener => listener.Dispose());
        _end.Dispose();
    }

    private async Task AcceptAsync(TcpListener listener, Uri service)
    {
        try
        {
            while (true)
            {
                var client = await listener.AcceptSocketAsync(_end.Token);
                var serving = ServeAsync(client, service);
                _connections[serving] = true;
                _ = serving.ContinueWith(ended => _connections.TryRemove(ended, out _), TaskScheduler.Default);
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException
            or OperationCanceledException)
        {
            // Closed.
        }
    }

    private async Task ServeAsync(Socket socket, Uri service)
    {
        using var client = socket;
        using var upstream = new Socket(SocketType.Stream, ProtocolType.Tcp);
        client.NoDelay = upstream.NoDelay = true;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(_end.Token);
        try
        {
            var (head, body) = await ReadHeadAsync(client, [], stop.Token);
            if (head.Length == 0)
            {
                return;
            }

            var line = Encoding.ASCII.GetString(head).Split(' ');
            var exchange = new Exchange(Interlocked.Increment(ref _count), line[0], line[1].Split('?')[0]);
            Exchanges.Enqueue(exchange);
            var fault = _faults.FirstOrDefault(one => one.Concerns(exchange.Number));
            await upstream.ConnectAsync(service.Host, service.Port, stop.Token);
            var connection = new Connection(client, upstream, exchange, fault);
            await connection.RunAsync(head, body, stop);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException
            or OperationCanceledException)
        {
            // One side has gone, or the test has ended.
            Reset(client);
        }
    }

    private static void Reset(Socket socket)
    {
        try
        {
            socket.LingerState = new LingerOption(true, 0);
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // It has been closed already.
        }

        socket.Dispose();
    }

    private static async Task<(byte[] Head, byte[] After)> ReadHeadAsync(
        Socket socket, byte[] before, CancellationToken cancellationToken)
    {
        var bytes = new List<byte>(before);
        var buffer = new byte[8192];
        while (true)
        {
            var end = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes).IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                return ([.. bytes.Take(end + 4)], [.. bytes.Skip(end + 4)]);
            }

            var length = await socket.ReceiveAsync(buffer, cancellationToken);
            if (length == 0)
            {
                return ([], [.. bytes]);
            }

            bytes.AddRange(buffer.AsSpan(0, length));
        }
    }
}
