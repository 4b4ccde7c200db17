using System.Diagnostics;
using System.IO.Compression;
using System.Net;
using System.Security.Cryptography;
using ImageUtils.Conversion;
using ImageUtils.Streaming;

namespace ImageUtils.Benchmarks;

/// <summary>
/// One image that is sent while it is made, and hashed on the way: a process of its own, to be measured.
/// </summary>
internal static class Sending
{
    internal const string Name = "send-one";

    /// <summary>
    /// Sends <c>SOURCE FORMAT ADDRESS</c>, or to nobody where the address is <c>-</c>, and there no more than the bytes
    /// of a fourth argument. After the format can come <c>+compressed</c>, for its own compression, or <c>+gzip</c>.
    /// </summary>
    internal static async Task<int> RunAsync(ReadOnlyMemory<string> arguments)
    {
        var (path, format, address) = (arguments.Span[0], arguments.Span[1], arguments.Span[2]);
        var most = arguments.Length > 3 ? long.Parse(arguments.Span[3]) : long.MaxValue;
        var started = Stopwatch.GetTimestamp();
        using var source = await ImageOpener.OpenAsync(path);
        var kind = format.Split('+');
        var request = new StreamedTargetRequest
        {
            Format = ImageFormatNames.Parse(kind[0]),
            Target = new WriterOptions { VirtualSize = 0, Compress = kind[^1] == "compressed" },
            Gzip = kind[^1] == "gzip" ? CompressionLevel.Optimal : null,
            TemporaryDirectory = Path.GetDirectoryName(path),
        };
        using var target = await StreamedTarget.PlanAsync(source, request, default);
        var planned = Stopwatch.GetElapsedTime(started);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA512);
        if (address != "-")
        {
            using var client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
            using var answer = await client.PutAsync(address, new Body(target, hash));
            answer.EnsureSuccessStatusCode();
        }
        else
        {
            using var stop = new CancellationTokenSource();
            try
            {
                await target.WriteToAsync(
                    Stream.Null, [hash.AppendData], sent => (sent >= most ? stop : null)?.Cancel(), stop.Token);
            }
            catch (OperationCanceledException)
            {
                Console.WriteLine($"Stopped after {most} bytes.");
            }
        }

        Console.WriteLine(
            $"{target.Length} bytes, {target.TemporaryBytes} temporary, planned in {planned.TotalSeconds:F2} s, all in "
            + $"{Stopwatch.GetElapsedTime(started).TotalSeconds:F2} s, "
            + $"{Convert.ToHexStringLower(hash.GetHashAndReset())}");
        return 0;
    }

    private sealed class Body(StreamedTarget target, IncrementalHash hash) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            target.WriteToAsync(stream, [hash.AppendData]);

        protected override bool TryComputeLength(out long length)
        {
            length = target.Length ?? 0;
            return target.Length is not null;
        }
    }
}
