using System.Diagnostics;

namespace ImageUtils.Conversion;

/// <summary>Keeps a rate: whoever takes more than has come in waits until it has.</summary>
/// <param name="bytesPerSecond">The rate.</param>
internal sealed class TokenBucket(long bytesPerSecond)
{
    // What may go out at once after a pause.
    private static readonly TimeSpan s_burst = TimeSpan.FromMilliseconds(100);

    private long _last = Stopwatch.GetTimestamp();
    private double _tokens;

    /// <summary>Takes bytes, and waits for as long as they take at the rate.</summary>
    internal async ValueTask TakeAsync(long bytes, CancellationToken cancellationToken)
    {
        var now = Stopwatch.GetTimestamp();
        var most = s_burst.TotalSeconds * bytesPerSecond;
        _tokens = Math.Min(most, _tokens + Stopwatch.GetElapsedTime(_last, now).TotalSeconds * bytesPerSecond) - bytes;
        _last = now;
        if (_tokens < 0)
        {
            await Task.Delay(TimeSpan.FromSeconds(-_tokens / bytesPerSecond), cancellationToken)
                .ConfigureAwait(false);
        }
    }
}
