using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

namespace ImageUtils.Tests.OpenStack;

/// <content>One request and its answer.</content>
internal sealed partial class FaultyProxy
{
    [GeneratedRegex("\r\nConnection:[^\r]*", RegexOptions.IgnoreCase)]
    private static partial Regex ConnectionHeader();

    [GeneratedRegex("\r\nContent-Length: *([0-9]+)", RegexOptions.IgnoreCase)]
    private static partial Regex LengthHeader();

    private sealed class Connection(Socket client, Socket upstream, Exchange exchange, Fault? fault)
    {
        private bool _isAnswered;

        internal async Task RunAsync(byte[] head, byte[] body, CancellationTokenSource stop)
        {
            var text = ConnectionHeader().Replace(Encoding.Latin1.GetString(head), "");
            if (fault is { Kind: FaultKind.OtherImageForRanges }
                && text.Contains("\r\nRange:", StringComparison.OrdinalIgnoreCase))
            {
                text = text.Replace(fault.Images.Asked, fault.Images.Given, StringComparison.Ordinal);
            }

            if (fault?.Kind is FaultKind.Status or FaultKind.Garbage)
            {
                await RefuseAsync(text, body, stop.Token);
                return;
            }

            head = Encoding.Latin1.GetBytes(text[..^2] + "Connection: close\r\n\r\n");
            exchange.RequestHead = head.Length;
            var sending = SendRequestAsync(head, body, stop);
            var answering = AnswerAsync(stop.Token);
            if (await Task.WhenAny(sending, answering) == sending)
            {
                await sending;
            }

            await answering;
            _isAnswered = true;
            await FinishAsync(stop.Token);
            await stop.CancelAsync();
            await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        // What is closed with bytes unread is reset, and the answer lost.
        private async Task FinishAsync(CancellationToken cancellationToken)
        {
            client.Shutdown(SocketShutdown.Send);
            using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            patience.CancelAfter(TimeSpan.FromSeconds(1));
            var buffer = new byte[65536];
            try
            {
                while (await client.ReceiveAsync(buffer, patience.Token) > 0)
                {
                }
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // It has had the time to read the answer.
            }
        }

        private async Task RefuseAsync(string head, byte[] body, CancellationToken cancellationToken)
        {
            var length = LengthHeader().Match(head) is { Success: true } match
                && !head.Contains("100-continue", StringComparison.OrdinalIgnoreCase)
                ? long.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)
                : 0;
            var buffer = new byte[65536];
            for (var got = (long)body.Length; got < length;)
            {
                var read = await client.ReceiveAsync(buffer, cancellationToken);
                got = read == 0 ? length : got + read;
            }

            await client.SendAsync(
                fault!.Kind == FaultKind.Garbage
                    ? "\0\u0001\u0002 nothing that one would expect\r\n\r\n"u8.ToArray()
                    : ToAnswer(fault.Status),
                cancellationToken);
            await FinishAsync(cancellationToken);
        }

        private static byte[] ToAnswer(int status) => Encoding.ASCII.GetBytes(
            $"HTTP/1.1 {status} Made\r\nContent-Length: 5\r\nConnection: close\r\n\r\nmade\n");

        private async Task SendRequestAsync(byte[] head, byte[] body, CancellationTokenSource stop)
        {
            await PassRequestAsync(head, false, stop);
            await PassRequestAsync(body, true, stop);
            var buffer = new byte[65536];
            int length;
            while ((length = await client.ReceiveAsync(buffer, stop.Token)) > 0)
            {
                await PassRequestAsync(buffer.AsMemory(0, length), true, stop);
            }

            if (!_isAnswered)
            {
                // The client has given up; so that the service sees it at once.
                Reset(upstream);
            }
        }

        private async Task PassRequestAsync(Memory<byte> bytes, bool isBody, CancellationTokenSource stop)
        {
            if (fault?.Kind is FaultKind.CutRequest or FaultKind.StallRequest
                && exchange.RequestLength + bytes.Length >= fault.At)
            {
                await upstream.SendAsync(bytes[..(int)Math.Max(0, fault.At - exchange.RequestLength)], stop.Token);
                exchange.RequestLength = fault.At;
                if (fault.Kind == FaultKind.StallRequest)
                {
                    await Task.Delay(Timeout.Infinite, stop.Token);
                }

                Reset(client);
                upstream.Dispose();
                await stop.CancelAsync();
                stop.Token.ThrowIfCancellationRequested();
            }

            if (isBody && fault?.Kind == FaultKind.ChangedRequest)
            {
                Change(bytes.Span, exchange.RequestLength - exchange.RequestHead);
            }

            await upstream.SendAsync(bytes, stop.Token);
            exchange.RequestLength += bytes.Length;
        }

        private async Task AnswerAsync(CancellationToken cancellationToken)
        {
            byte[] head, rest = [];
            while (true)
            {
                (head, rest) = await ReadHeadAsync(upstream, rest, cancellationToken);
                if (head.Length == 0 || !Encoding.ASCII.GetString(head).StartsWith("HTTP/1.1 1", StringComparison.Ordinal))
                {
                    break;
                }

                exchange.AnswerHead += head.Length;
                await PassAnswerAsync(head, cancellationToken);
            }

            if (fault?.Kind == FaultKind.StatusAfterwards)
            {
                await client.SendAsync(ToAnswer(fault.Status), cancellationToken);
                return;
            }

            var isChunked = fault?.Kind == FaultKind.TruncatedChunks && LengthHeader().IsMatch(Encoding.Latin1.GetString(head));
            head = fault?.Kind switch
            {
                FaultKind.WrongLength => Rewrite(head, length => $"\r\nContent-Length: {Math.Max(0, length + fault.At)}"),
                FaultKind.TruncatedChunks => Rewrite(head, _ => "\r\nTransfer-Encoding: chunked"),
                _ => head,
            };
            exchange.AnswerHead += head.Length;
            await PassAnswerAsync(head, cancellationToken);
            var (buffer, bytes, position) = (new byte[65536], rest.AsMemory(), 0L);
            do
            {
                if (fault?.Kind == FaultKind.ChangedAnswer)
                {
                    Change(bytes.Span, position);
                }

                position += bytes.Length;
                if (!isChunked)
                {
                    await PassAnswerAsync(bytes, cancellationToken);
                }
                else if (!await PassChunkAsync(bytes, position, cancellationToken))
                {
                    return;
                }

                bytes = buffer.AsMemory(0, await upstream.ReceiveAsync(buffer, cancellationToken));
            }
            while (bytes.Length > 0);
        }

        private async Task PassAnswerAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            if (fault?.Kind is FaultKind.CutAnswer or FaultKind.StallAnswer
                && exchange.AnswerLength + bytes.Length >= fault.At)
            {
                await client.SendAsync(bytes[..(int)Math.Max(0, fault.At - exchange.AnswerLength)], cancellationToken);
                exchange.AnswerLength = fault.At;
                if (fault.Kind == FaultKind.StallAnswer)
                {
                    await Task.Delay(Timeout.Infinite, cancellationToken);
                }

                Reset(client);
                throw new OperationCanceledException();
            }

            await client.SendAsync(bytes, cancellationToken);
            exchange.AnswerLength += bytes.Length;
        }

        // False: the body was to end here.
        private async Task<bool> PassChunkAsync(Memory<byte> bytes, long end, CancellationToken cancellationToken)
        {
            var excess = (int)Math.Clamp(end - fault!.At, 0, bytes.Length);
            if (bytes.Length > 0)
            {
                await client.SendAsync(Encoding.ASCII.GetBytes($"{bytes.Length:x}\r\n"), cancellationToken);
                await client.SendAsync(bytes[..^excess], cancellationToken);
            }

            if (excess == 0 && bytes.Length > 0)
            {
                await client.SendAsync("\r\n"u8.ToArray(), cancellationToken);
            }

            return end < fault.At;
        }

        private void Change(Span<byte> bytes, long position)
        {
            var at = fault!.At - position;
            if (at >= 0 && at < bytes.Length)
            {
                bytes[(int)at] ^= 1;
            }
        }

        private static byte[] Rewrite(byte[] head, Func<long, string> header) => Encoding.Latin1.GetBytes(
            LengthHeader().Replace(
                Encoding.Latin1.GetString(head),
                match => header(long.Parse(match.Groups[1].ValueSpan, CultureInfo.InvariantCulture)), 1));
    }
}
