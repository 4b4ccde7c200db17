using System.CommandLine;
using ImageUtils.Configuration;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Cli;

/// <summary><c>imageutils measure</c>, with qemu-img's options and output.</summary>
internal sealed class MeasureCommand
{
    private readonly SourceOptions _source = new();

    private readonly Argument<string?> _image = new("IMAGE")
    {
        Description = "The image; with --size there is none.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<ImageFormat> _format = new("-O", "--destination-format")
    {
        Description = "What it would become; without it, what the configuration says.",
        HelpName = "FORMAT",
        CustomParser = SourceOptions.ParseFormat,
    };

    private readonly Option<bool> _compress = new("-c", "--compress")
    {
        Description = "Compress, where the format can (qcow2, vmdk). It is done to know the size, and thrown away.",
    };

    private readonly Option<string[]> _options = new("-o", "--options")
    {
        Description = "Options of the new image, as for convert.",
        HelpName = "NAME=VALUE,…",
    };

    private readonly Option<long?> _size = new("--size")
    {
        Description = "Measure an empty disk of this size, such as 10G.",
        HelpName = "BYTES",
        CustomParser = result => SizeOption.Parse(result),
    };

    private readonly Option<string?> _snapshot = new("-l", "--snapshot")
    {
        Description = "The internal snapshot to measure, by id or name.",
        HelpName = "SNAPSHOT",
    };

    private readonly Option<bool> _json = new("--json") { Description = "Print as qemu-img measure --output=json does." };

    private readonly Option<bool> _progress = new("-p", "--progress") { Description = "Show how far it is." };

    internal static Command Create()
    {
        var self = new MeasureCommand();
        var command = new Command("measure", "Say exactly how large the file is that a conversion would make.")
        {
            self._image, self._format, self._compress, self._options, self._size, self._snapshot, self._json,
            self._progress,
        };
        self._source.AddTo(command);
        command.SetAction((parsed, token) => CommandErrors.RunAsync(() => self.RunAsync(parsed, token)));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var format = parsed.GetValue(_format);
        if (format == ImageFormat.Unknown)
        {
            format = ImageUtilsConfiguration.Load().DefaultFormat ?? throw new ImageOptionException(
                "-O", "Name the destination's format with -O, or set DefaultFormat in the configuration.");
        }

        var target = TargetOptions.Parse(parsed.GetValue(_options) ?? [], parsed.GetValue(_compress));
        var measured = await MeasureAsync(parsed, format, target, cancellationToken).ConfigureAwait(false);
        await Console.Out.WriteLineAsync(parsed.GetValue(_json)
            ? $$"""
              {
                  "required": {{measured.RequiredBytes}},
                  "fully-allocated": {{measured.FullyAllocatedBytes}}
              }
              """
            : $"required size: {measured.RequiredBytes}\nfully allocated size: {measured.FullyAllocatedBytes}")
            .ConfigureAwait(false);
        return ExitCode.Safe;
    }

    private async Task<ImageMeasurement> MeasureAsync(
        ParseResult parsed, ImageFormat format, WriterOptions target, CancellationToken cancellationToken)
    {
        var image = parsed.GetValue(_image);
        if (image is null == parsed.GetValue(_size) is null)
        {
            throw new ImageOptionException("--size", "Name either an image or a --size.");
        }

        if (parsed.GetValue(_size) is { } size)
        {
            return await ImageConverter.MeasureEmptyAsync(size, format, target, cancellationToken)
                .ConfigureAwait(false);
        }

        using var progress = new ProgressLine(parsed.GetValue(_progress));
        return await ImageConverter.MeasureAsync(
            new ConversionRequest
            {
                SourcePath = image!,
                DestinationPath = "",
                DestinationFormat = format,
                Source = _source.Get(parsed, parsed.GetValue(_snapshot)),
                Target = target,
            },
            progress,
            cancellationToken).ConfigureAwait(false);
    }
}
