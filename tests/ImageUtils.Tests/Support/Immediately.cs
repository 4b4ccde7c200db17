using ImageUtils.Conversion;

namespace ImageUtils.Tests.Support;

/// <summary>Does something at each report, on the thread that makes it.</summary>
internal sealed class Immediately(Action action) : IProgress<ConversionProgress>
{
    public void Report(ConversionProgress value) => action();
}
