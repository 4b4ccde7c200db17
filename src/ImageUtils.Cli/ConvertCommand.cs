using System.CommandLine;
using ImageUtils.Configuration;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Cli;

/// <summary><c>imageutils convert</c>, with qemu-img's options where they mean the same.</summary>
internal sealed class ConvertCommand
{
    private readonly SourceOptions _source = new();

    private readonly Argument<string> _from = new("SOURCE") { Description = "The image." };

    private readonly Argument<string> _to = new("DESTINATION")
    {
        Description = "The new file, or a block device that exists.",
    };

    private readonly Option<ImageFormat> _format = new("-O", "--destination-format")
    {
        Description = "What it becomes; without it, what the configuration says.",
        HelpName = "FORMAT",
        CustomParser = SourceOptions.ParseFormat,
    };

    private readonly Option<bool> _compress = new("-c", "--compress")
    {
        Description = "Compress, where the format can (qcow2, vmdk).",
    };

    private readonly Option<string[]> _options = new("-o", "--options")
    {
        Description = "Options of the new image: cluster_size=64K,compression_type=zstd,compression_level=6,compat=1.1,"
            + "preallocation=off,refcount_bits=16,subformat=…",
        HelpName = "NAME=VALUE,…",
    };

    private readonly Option<bool> _progress = new("-p", "--progress") { Description = "Show how far it is." };

    private readonly Option<string?> _snapshot = new("-l", "--snapshot")
    {
        Description = "The internal snapshot to convert, by id or name.",
        HelpName = "SNAPSHOT",
    };

    private readonly Option<string?> _rate = new("-r", "--rate-limit")
    {
        Description = "The most that is written a second, such as 100M.",
        HelpName = "BYTES",
    };

    private readonly Option<bool> _force = new("--force")
    {
        Description = "Replace a file that exists, once the new one is complete.",
    };

    private readonly Option<bool> _verify = new("--verify") { Description = "Read back and compare." };

    private readonly Option<bool> _resume = new("--resume")
    {
        Description = "Keep what is done when interrupted, and go on from what an earlier run kept.",
    };

    private readonly Option<ConversionEngine> _engine = new("--engine")
    {
        Description = "auto, native or qemu.",
    };

    internal static Command Create()
    {
        var self = new ConvertCommand();
        var command = new Command("convert", "Convert an image. It is checked first; the result is complete or not there.")
        {
            self._from, self._to, self._format, self._compress, self._options, self._progress, self._snapshot,
            self._rate, self._force, self._verify, self._resume, self._engine,
        };
        self._source.AddTo(command);
        command.SetAction((parsed, token) => CommandErrors.RunAsync(() => self.RunAsync(parsed, token)));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var configuration = ImageUtilsConfiguration.Load();
        var format = parsed.GetValue(_format);
        if (format == ImageFormat.Unknown)
        {
            format = configuration.DefaultFormat ?? throw new ImageOptionException(
                "-O", "Name the destination's format with -O, or set DefaultFormat in the configuration.");
        }

        using var progress = new ProgressLine(parsed.GetValue(_progress));
        await ImageConverter.ConvertAsync(
            new ConversionRequest
            {
                SourcePath = parsed.GetValue(_from)!,
                DestinationPath = parsed.GetValue(_to)!,
                DestinationFormat = format,
                Source = _source.Get(parsed, parsed.GetValue(_snapshot)),
                Target = TargetOptions.Parse(parsed.GetValue(_options) ?? [], parsed.GetValue(_compress)),
                BandwidthLimit = parsed.GetValue(_rate) is { } rate ? ToRate(rate) : configuration.BandwidthLimit,
                Overwrite = parsed.GetValue(_force),
                Verify = parsed.GetValue(_verify),
                Resume = parsed.GetValue(_resume),
                Engine = parsed.GetValue(_engine),
                ConversionDisabled = configuration.ConversionDisabled,
                TemporaryDirectory = configuration.ConversionDirectory,
                Qemu = new QemuSettings { Limits = configuration.QemuConversionLimits },
            },
            progress,
            cancellationToken).ConfigureAwait(false);
        return ExitCode.Safe;
    }

    private static long ToRate(string text) => ByteSize.TryParse(text, out var rate) && rate > 0
        ? rate
        : throw new ImageOptionException("-r", $"'{text}' is no rate; use bytes a second, such as 100M.");
}
