using System.CommandLine;
using ImageUtils.Configuration;
using ImageUtils.Conversion;
using ImageUtils.Creation;
using ImageUtils.Errors;

namespace ImageUtils.Cli;

/// <summary><c>imageutils create</c>, with qemu-img's options.</summary>
internal sealed class CreateCommand
{
    private readonly Argument<string> _file = new("FILE") { Description = "The new file, or a block device." };

    private readonly Argument<string?> _size = new("SIZE")
    {
        Description = "The disk's size, such as 10G; without it, that of the backing file.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<ImageFormat> _format = new("-f", "--format")
    {
        Description = "What it is to be; raw by default.",
        HelpName = "FORMAT",
        CustomParser = SourceOptions.ParseFormat,
        DefaultValueFactory = _ => ImageFormat.Raw,
    };

    private readonly Option<string[]> _options = new("-o", "--options")
    {
        Description = "Options of the new image: cluster_size=64K,compat=1.1,preallocation=off,refcount_bits=16,"
            + "subformat=…,adapter_type=…",
        HelpName = "NAME=VALUE,…",
    };

    private readonly Option<string?> _backing = new("-b", "--backing-file")
    {
        Description = "What it is based on (qcow2, vhd, vhdx), relative to the new file's directory.",
        HelpName = "FILE",
    };

    private readonly Option<ImageFormat> _backingFormat = new("-F", "--backing-format")
    {
        Description = "What the backing file must be; without it, what it is found to be is written down.",
        HelpName = "FORMAT",
        CustomParser = SourceOptions.ParseFormat,
    };

    private readonly Option<string[]> _allowBacking = new("--allow-backing")
    {
        Description = "A directory below which that may lie which the backing file is based on.",
        HelpName = "DIRECTORY",
    };

    private readonly Option<bool> _force = new("--force") { Description = "Replace a file that exists." };

    private readonly Option<ConversionEngine> _engine = new("--engine") { Description = "auto, native or qemu." };

    internal static Command Create()
    {
        var self = new CreateCommand();
        var command = new Command("create", "Make an empty image, on its own or based on another.")
        {
            self._file, self._size, self._format, self._options, self._backing, self._backingFormat,
            self._allowBacking, self._force, self._engine,
        };
        command.SetAction((parsed, token) => CommandErrors.RunAsync(() => self.RunAsync(parsed, token)));
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        var size = parsed.GetValue(_size);
        if (size is not null && !ByteSize.TryParse(size, out _))
        {
            throw new ImageOptionException("SIZE", $"'{size}' is no size. Use bytes or a unit, such as 10G.");
        }

        var options = TargetOptions.Parse(parsed.GetValue(_options) ?? [], compress: false);
        await ImageCreator.CreateAsync(
            new ImageCreationRequest
            {
                Path = parsed.GetValue(_file)!,
                Format = parsed.GetValue(_format),
                VirtualSize = ByteSize.TryParse(size, out var bytes) && size is not null ? bytes : null,
                Target = options,
                BackingFile = parsed.GetValue(_backing),
                BackingFormat = parsed.GetValue(_backingFormat),
                Inspection = SourceOptions.Allowing(parsed.GetValue(_allowBacking) ?? []),
                Overwrite = parsed.GetValue(_force),
                Engine = parsed.GetValue(_engine),
                Qemu = new QemuSettings { Limits = ImageUtilsConfiguration.Load().QemuLimits },
            },
            cancellationToken).ConfigureAwait(false);
        return ExitCode.Safe;
    }
}
