using System.Globalization;
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

            if (lines.FirstOrDefault(line => line.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase))
                is { } length)
            {
                var left = long.Parse(length[15..]) - (filled - end - 4);
                while (left > 0 && await stream.ReadAsync(buffer) is > 0 and var count)
                {
                    left -= count;
                }
            }
            else
            {
                await TakeChunksAsync(stream, buffer, end + 4, filled);
            }

            await stream.WriteAsync("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"u8.ToArray());
        }
    }

    // RFC 9112, section 7.1, without trailers.
    private static async Task TakeChunksAsync(NetworkStream stream, byte[] buffer, int start, int filled)
    {
        while (true)
        {
            int end;
            while ((end = buffer.AsSpan(start, filled - start).IndexOf("\r\n"u8)) < 0)
            {
                buffer.AsSpan(start, filled - start).CopyTo(buffer);
                (start, filled) = (0, filled - start);
                var read = await stream.ReadAsync(buffer.AsMemory(filled));
                if (read == 0)
                {
                    return;
                }

                filled += read;
            }

            var size = long.Parse(buffer.AsSpan(start, end), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            start += end + 2;

            // With the line's end that follows the data.
            for (var left = size + 2; left > 0;)
            {
                var piece = (int)Math.Min(left, filled - start);
                (start, left) = (start + piece, left - piece);
                if (left > 0)
                {
                    (start, filled) = (0, await stream.ReadAsync(buffer));
                    if (filled == 0)
                    {
                        return;
                    }
                }
            }

            if (size == 0)
            {
                return;
            }
        }
    }
}
