using ImageUtils.Conversion;

namespace ImageUtils.Benchmarks;

/// <summary>A conversion in place in a process of its own, so that it can be killed.</summary>
internal static class InPlaceConversion
{
    internal const string Name = "in-place";

    internal static int Run(ReadOnlySpan<string> arguments)
    {
        var (path, name) = (arguments[0], arguments[1]);
        if (!ImageFormatNames.TryParse(name, out var format))
        {
            throw new ArgumentException($"'{name}' is no format.");
        }

        ImageConverter.ConvertAsync(new ConversionRequest
        {
            SourcePath = path,
            DestinationPath = path,
            DestinationFormat = format,
            Source = OpenOptions.Default with { ClaimedFormat = ImageFormat.Raw },
            Target = new WriterOptions { VirtualSize = 0, Compress = arguments.Contains("-c") },
            Engine = ConversionEngine.Native,
            Overwrite = true,
            InPlace = true,
        }).GetAwaiter().GetResult();
        return 0;
    }
}
