using System.Diagnostics;

namespace ImageUtils.Conversion;

/// <summary>Passes progress on five times a second at most: nobody sees more, and a pipeline would be held up by it.</summary>
/// <param name="progress">Whom to tell; null: nobody.</param>
internal sealed class PacedProgress(IProgress<ConversionProgress>? progress)
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(200);

    private long _last;

    /// <summary>Tells how far it is, if nothing was told just before.</summary>
    /// <param name="stage">What is done.</param>
    /// <param name="position">How far it is, in bytes.</param>
    /// <param name="total">How far it goes.</param>
    internal void Report(ConversionStage stage, long position, long total)
    {
        var now = Stopwatch.GetTimestamp();
        if (progress is not null && Stopwatch.GetElapsedTime(_last, now) >= s_interval)
        {
            _last = now;
            progress.Report(new ConversionProgress(stage, position, total));
        }
    }
}
