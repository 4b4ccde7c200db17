using System.CommandLine;
using ImageUtils.Conversion;

namespace ImageUtils.Cli;

/// <summary><c>imageutils compare</c>, with qemu-img's options, messages and exit codes.</summary>
internal sealed class CompareCommand
{
    private readonly SourceOptions _source = new();

    private readonly Argument<string> _first = new("IMAGE1") { Description = "The image." };

    private readonly Argument<string> _second = new("IMAGE2") { Description = "What it is compared with." };

    private readonly Option<ImageFormat> _secondFormat = new("-F", "--second-format")
    {
        Description = "What the second image must be; without it, what it is found to be is taken.",
        HelpName = "FORMAT",
        CustomParser = SourceOptions.ParseFormat,
    };

    private readonly Option<bool> _strict = new("-s", "--strict")
    {
        Description = "Disks of different sizes are different, even where the rest is zero.",
    };

    private readonly Option<bool> _quiet = new("-q", "--quiet") { Description = "Print errors only." };

    private readonly Option<bool> _progress = new("-p", "--progress") { Description = "Show how far it is." };

    internal static Command Create()
    {
        var self = new CompareCommand();
        var command = new Command(
            "compare",
            "Compare what guests would see of two images. Exit code: 0 identical, 1 different, 2 error.")
        {
            self._first, self._second, self._secondFormat, self._strict, self._quiet, self._progress,
        };
        self._source.AddTo(command);
        command.SetAction((parsed, token) => CommandErrors.RunAsync(() => self.RunAsync(parsed, token)));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var open = _source.Get(parsed);
        using var progress = new ProgressLine(parsed.GetValue(_progress));
        var result = await DiskComparer.CompareAsync(
            new DiskComparisonRequest
            {
                Path = parsed.GetValue(_first)!,
                ReferencePath = parsed.GetValue(_second)!,
                Image = open with { KnownRaw = open.KnownRaw && open.ClaimedFormat == ImageFormat.Raw },
                Reference = open with
                {
                    ClaimedFormat = parsed.GetValue(_secondFormat),
                    KnownRaw = open.KnownRaw && parsed.GetValue(_secondFormat) == ImageFormat.Raw,
                },
                Strict = parsed.GetValue(_strict),
            },
            progress,
            cancellationToken).ConfigureAwait(false);
        progress.Dispose();
        if (!parsed.GetValue(_quiet))
        {
            await PrintAsync(result).ConfigureAwait(false);
        }

        return result.IsIdentical ? ExitCode.Safe : ExitCode.Unacceptable;
    }

    private static async Task PrintAsync(DiskImageComparison result)
    {
        if (!result.IsSameSize && result.Difference != DiskDifference.Size)
        {
            await Console.Error.WriteLineAsync(
                $"Warning: Image size mismatch! {result.VirtualSize} and {result.ReferenceVirtualSize} bytes")
                .ConfigureAwait(false);
        }

        await Console.Out.WriteLineAsync(result.Difference switch
        {
            DiskDifference.Size =>
                $"Strict mode: Image size mismatch! {result.VirtualSize} and {result.ReferenceVirtualSize} bytes",
            DiskDifference.Content => $"Content mismatch at offset {result.FirstDifference}!",
            _ => "Images are identical.",
        }).ConfigureAwait(false);
    }
}
