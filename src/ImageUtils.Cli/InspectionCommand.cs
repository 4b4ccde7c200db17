using System.CommandLine;
using System.CommandLine.Parsing;
using ImageUtils.Configuration;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Remote;

namespace ImageUtils.Cli;

/// <summary>The options that all inspecting commands share, and the loop over their files.</summary>
internal sealed class InspectionCommand
{
    private const string StandardInput = "-";

    private readonly Argument<string[]> _files = new("FILE")
    {
        Description = "Image files, or addresses of some (http://, https://); - is standard input.",
        Arity = ArgumentArity.OneOrMore,
    };

    private readonly Option<ImageFormat> _expect = new("--expect", "-e")
    {
        Description = "What the images are claimed to be (Glance's and qemu's names).",
        HelpName = "FORMAT",
        CustomParser = ParseFormat,
    };

    private readonly Option<bool> _knownRaw = new("--known-raw")
    {
        Description = "The images are raw: do not look at what a guest may have written.",
    };

    private readonly Option<string[]> _allowBacking = new("--allow-backing")
    {
        Description = "A directory below which backing files and parents may lie.",
        HelpName = "DIRECTORY",
    };

    private readonly Option<string[]> _allowVmdkType = new("--allow-vmdk-type")
    {
        Description = "A VMDK createType that is allowed, in place of those that are configured.",
        HelpName = "TYPE",
    };

    private readonly Option<long?> _maximumSize = new("--max-virtual-size")
    {
        Description = "The greatest virtual size, in bytes.",
        HelpName = "BYTES",
    };

    private readonly Option<string> _passphraseFile = new("--passphrase-file")
    {
        Description = "A file with the passphrase of LUKS volumes, to inspect what is inside (no newline is cut off).",
        HelpName = "FILE",
    };

    private readonly Option<bool> _allowPrivate = new("--allow-private-address")
    {
        Description = "Ask machines that are not on the public internet as well, where an address leads to one.",
    };

    private readonly Option<bool> _json = new("--json")
    {
        Description = "Print one JSON object a line.",
    };

    private InspectionCommand()
    {
    }

    /// <summary>Makes a command that inspects files.</summary>
    /// <param name="name">The command's name.</param>
    /// <param name="description">For the help.</param>
    /// <param name="makeOutput">Given whether JSON is asked for, makes what takes the reports.</param>
    internal static Command Create(string name, string description, Func<bool, IReportOutput> makeOutput)
    {
        var shared = new InspectionCommand();
        var command = new Command(name, description)
        {
            shared._files,
            shared._expect,
            shared._knownRaw,
            shared._allowBacking,
            shared._allowVmdkType,
            shared._maximumSize,
            shared._passphraseFile,
            shared._allowPrivate,
            shared._json,
        };
        command.SetAction((parsed, cancellationToken) =>
            shared.RunAsync(parsed, makeOutput(parsed.GetValue(shared._json)), cancellationToken));
        return command;
    }

    private static ImageFormat ParseFormat(ArgumentResult result)
    {
        if (ImageFormatNames.TryParse(result.Tokens[0].Value, out var format))
        {
            return format;
        }

        result.AddError($"'{result.Tokens[0].Value}' is not an image format. "
            + $"Use one of: {string.Join(", ", ImageFormatNames.Known.Select(known => known.ToName()))}.");
        return ImageFormat.Unknown;
    }

    private async Task<int> RunAsync(ParseResult parsed, IReportOutput output, CancellationToken cancellationToken)
    {
        var types = parsed.GetValue(_allowVmdkType);
        var code = ExitCode.Safe;
        try
        {
            var policy = ImageUtilsConfiguration.Load().Policy;
            var options = new InspectionOptions
            {
                Policy = policy with
                {
                    BackingFileDirectories = parsed.GetValue(_allowBacking) ?? [],
                    AllowedVmdkTypes = types is { Length: > 0 } ? types : policy.AllowedVmdkTypes,
                    MaximumVirtualSize = parsed.GetValue(_maximumSize),
                },
                Passphrase = parsed.GetValue(_passphraseFile) is { } passphraseFile
                    ? await File.ReadAllBytesAsync(passphraseFile, cancellationToken).ConfigureAwait(false)
                    : null,
            };
            foreach (var file in parsed.GetValue(_files)!)
            {
                code = Math.Max(code, await RunOneAsync(file, options, parsed, output, cancellationToken)
                    .ConfigureAwait(false));
            }
        }
        catch (Exception exception) when (exception is ConfigurationException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"imageutils: {exception.Message}").ConfigureAwait(false);
            code = ExitCode.Error;
        }

        output.Finish();
        return code;
    }

    private async Task<int> RunOneAsync(
        string file,
        InspectionOptions options,
        ParseResult parsed,
        IReportOutput output,
        CancellationToken cancellationToken)
    {
        try
        {
            ImageInspection inspection;
            if (file == StandardInput)
            {
                using var input = Console.OpenStandardInput();
                inspection = await StreamInspector.InspectAsync(input, options, cancellationToken)
                    .ConfigureAwait(false);
            }
            else if (WebAddress.IsAddress(file) && !File.Exists(file))
            {
                (file, inspection) = await InspectAsync(file, options, parsed, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                inspection = await ImageInspector.InspectFileAsync(
                    file, options, parsed.GetValue(_knownRaw), cancellationToken).ConfigureAwait(false);
            }

            var report = new ImageFormatReport(file, inspection, parsed.GetValue(_expect));
            output.Add(report);
            return report.IsAcceptable ? ExitCode.Safe : ExitCode.Unacceptable;
        }
        catch (ImageUtilsException exception)
        {
            await Console.Error.WriteLineAsync($"imageutils: {exception.Message}").ConfigureAwait(false);
            return ExitCode.Error;
        }
    }
    private async Task<(string Name, ImageInspection Inspection)> InspectAsync(
        string address, InspectionOptions options, ParseResult parsed, CancellationToken cancellationToken)
    {
        if (!Uri.TryCreate(address, UriKind.Absolute, out var uri))
        {
            throw new WebAddressException(WebAddressProblem.NotUsable, "This is not an address on the web. Check it.");
        }

        using var reader = new WebReader(new WebOptions { AllowPrivateAddresses = parsed.GetValue(_allowPrivate) });
        var result = await RemoteInspector.InspectAsync(
            reader,
            uri,
            new RemoteInspectionOptions
            {
                Inspection = options,
                Expected = parsed.GetValue(_expect),
                KnownRaw = parsed.GetValue(_knownRaw),
            },
            progress: null,
            cancellationToken).ConfigureAwait(false);
        return (result.Name, result.Image);
    }
}
