using System.Net;
using System.Net.Sockets;
using System.Text;

namespace ImageUtils.Benchmarks;

/// <summary>An HTTP server on loopback that takes uploads and keeps nothing of them.</summary>
internal sealed class DiscardingServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    internal DiscardingServer()
    {
        _listener.Start();
        _ = Task.Run(AcceptAsync);
    }

    internal string Address => $"http://{_listener.LocalEndpoint}/image";

    public void Dispose() => _listener.Dispose();

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                _ = Task.Run(() => ServeAsync(client));
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
        }
    }

    private static async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            var stream = client.GetStream();
            var buffer = new byte[1 << 20];
            var filled = 0;
            int end;
            while ((end = buffer.AsSpan(0, filled).IndexOf("\r\n\r\n"u8)) < 0)
            {
                var read = await stream.ReadAsync(buffer.AsMemory(filled));
                if (read == 0)
                {
                    return;
                }

                filled += read;
            }

            var lines = Encoding.ASCII.GetString(buffer, 0, end).Split("\r\n");
            if (lines.Any(line => line.StartsWith("Expect:", StringComparison.OrdinalIgnoreCase)))
            {
                await stream.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());
            }

            var length = lines.First(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
            var left = long.Parse(length[15..]) - (filled - end - 4);
            while (left > 0 && await stream.ReadAsync(buffer) is > 0 and var count)
            {
                left -= count;
            }

            await stream.WriteAsync("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"u8.ToArray());
        }
    }
}
