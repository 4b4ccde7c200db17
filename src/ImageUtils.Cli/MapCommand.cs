using System.CommandLine;
using ImageUtils.Conversion;
using ImageUtils.Mapping;

namespace ImageUtils.Cli;

/// <summary><c>imageutils map</c>: where the guest's disk lives, as qemu-img map shows it, and in pictures.</summary>
internal sealed class MapCommand
{
    private const int UsualWidth = 80;

    private readonly SourceOptions _source = new();

    private readonly Argument<string> _image = new("IMAGE") { Description = "The image." };

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print all extents as qemu-img map --output=json does.",
    };

    private readonly Option<bool> _summary = new("--summary") { Description = "Print what the extents add up to." };

    private readonly Option<bool> _picture = new("--picture") { Description = "Draw a picture in the terminal." };

    private readonly Option<string?> _svg = new("--svg")
    {
        Description = "Draw a picture into this file.",
        HelpName = "FILE",
    };

    private readonly Option<bool> _force = new("--force") { Description = "Replace an SVG file that exists." };

    private readonly Option<long> _start = new("--start-offset", "-s")
    {
        Description = "Where on the guest's disk to begin, such as 1G.",
        HelpName = "BYTES",
        CustomParser = SizeOption.Parse,
    };

    private readonly Option<long?> _length = new("--max-length", "-l")
    {
        Description = "How much of the guest's disk to look at, such as 1G.",
        HelpName = "BYTES",
        CustomParser = result => SizeOption.Parse(result),
    };

    private readonly Option<string?> _snapshot = new("--snapshot")
    {
        Description = "The internal snapshot to look at, by id or name.",
        HelpName = "SNAPSHOT",
    };

    internal static Command Create()
    {
        var self = new MapCommand();
        var command = new Command("map", "Show where the guest's disk lives in an image and all that it is based on.")
        {
            self._image, self._json, self._summary, self._picture, self._svg, self._force, self._start, self._length,
            self._snapshot,
        };
        self._source.AddTo(command);
        command.SetAction((parsed, token) => CommandErrors.RunAsync(() => self.RunAsync(parsed, token)));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        using var image = await ImageOpener.OpenAsync(
            parsed.GetValue(_image)!, _source.Get(parsed, parsed.GetValue(_snapshot)), cancellationToken)
            .ConfigureAwait(false);
        var start = parsed.GetValue(_start);
        var length = DiskImageMap.ClipLength(image, start, parsed.GetValue(_length));
        var tally = parsed.GetValue(_summary) ? new DiskImageMapTally(image, start, length) : null;
        var picture = parsed.GetValue(_picture)
            ? new AllocationPicture(
                image.Path, image.Format, start, length, AllocationPicture.ColumnsFor(TerminalWidth()),
                AllocationPicture.DefaultRows)
            : null;
        var svg = parsed.GetValue(_svg) is null
            ? null
            : new AllocationPicture(image.Path, image.Format, start, length);
        var isJson = parsed.GetValue(_json);
        using var output = new StreamWriter(Console.OpenStandardOutput());
        var listing = isJson || (tally ?? (object?)picture ?? svg) is null ? new MapListing(output, image, isJson) : null;
        listing?.Begin();
        await foreach (var extent in DiskImageMap.WalkAsync(image, start, length, cancellationToken)
            .ConfigureAwait(false))
        {
            listing?.Add(extent);
            tally?.Add(extent);
            picture?.Add(extent);
            svg?.Add(extent);
        }

        listing?.End();
        if (tally is not null)
        {
            MapListing.Print(output, tally.ToSummary());
        }

        if (picture is not null)
        {
            await output.WriteLineAsync(picture.ToString()).ConfigureAwait(false);
        }

        if (svg is not null)
        {
            await AllocationSvg.SaveAsync(svg, parsed.GetValue(_svg)!, parsed.GetValue(_force), cancellationToken)
                .ConfigureAwait(false);
        }

        return ExitCode.Safe;
    }

    private static int TerminalWidth() =>
        !Console.IsOutputRedirected && Console.WindowWidth > 0 ? Console.WindowWidth : UsualWidth;
}
