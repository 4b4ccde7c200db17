using System.Diagnostics;
using ImageUtils.Conversion;

namespace ImageUtils.Cli;

/// <summary>One line on the terminal that says how far a conversion is; on anything else, nothing.</summary>
internal sealed class ProgressLine : IProgress<ConversionProgress>, IDisposable
{
    private const int BarWidth = 30;

    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly bool _isShown;
    private int _longest;

    internal ProgressLine(bool isAsked) => _isShown = isAsked && !Console.IsErrorRedirected;

    public void Report(ConversionProgress value)
    {
        if (!_isShown)
        {
            return;
        }

        var full = (int)(value.Percent * BarWidth / 100);
        var seconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
        var left = value.Percent > 0 ? TimeSpan.FromSeconds(seconds * (100 - value.Percent) / value.Percent) : default;
        var text = $"\r{value.Stage,-10} [{new string('#', full)}{new string(' ', BarWidth - full)}] "
            + $"{value.Percent,5:0.0} %  {value.Position / 1e6 / Math.Max(seconds, 0.001):0} MB/s  {left:h\\:mm\\:ss} left";
        Console.Error.Write(text.PadRight(_longest));
        _longest = Math.Max(_longest, text.Length);
    }

    public void Dispose()
    {
        if (_longest > 0)
        {
            Console.Error.Write("\r" + new string(' ', _longest) + "\r");
        }
    }
}
