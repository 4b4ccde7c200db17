using System.CommandLine;
using ImageUtils.Configuration;
using ImageUtils.Conversion;
using ImageUtils.Resizing;

namespace ImageUtils.Cli;

/// <summary><c>imageutils resize</c>, with qemu-img's options.</summary>
internal sealed class ResizeCommand
{
    private readonly SourceOptions _source = new();

    private readonly Argument<string> _image = new("IMAGE") { Description = "The image." };

    private readonly Argument<string> _size = new("SIZE")
    {
        Description = "The new size, such as 20G; with + or - before it, the difference.",
    };

    private readonly Option<bool> _shrink = new("--shrink")
    {
        Description = "Allow the image to become smaller, where nothing is lost by it.",
    };

    private readonly Option<bool> _progress = new("-p", "--progress") { Description = "Show how far it is." };

    private readonly Option<ConversionEngine> _engine = new("--engine") { Description = "auto, native or qemu." };

    internal static Command Create()
    {
        var self = new ResizeCommand();
        var command = new Command("resize", "Change an image's size. It is checked first, and keeps its data.")
        {
            self._image, self._size, self._shrink, self._progress, self._engine,
        };
        self._source.AddTo(command);
        command.SetAction((parsed, token) => CommandErrors.RunAsync(() => self.RunAsync(parsed, token)));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        using var progress = new ProgressLine(parsed.GetValue(_progress));
        await ImageResizer.ResizeAsync(
            new ImageResizeRequest
            {
                Path = parsed.GetValue(_image)!,
                Size = SizeChange.Parse(parsed.GetValue(_size)),
                AllowShrink = parsed.GetValue(_shrink),
                Source = _source.Get(parsed),
                Engine = parsed.GetValue(_engine),
                Qemu = new QemuSettings { Limits = ImageUtilsConfiguration.Load().QemuConversionLimits },
            },
            progress,
            cancellationToken).ConfigureAwait(false);
        return ExitCode.Safe;
    }
}
