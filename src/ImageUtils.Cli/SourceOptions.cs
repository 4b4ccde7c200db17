using System.CommandLine;
using System.CommandLine.Parsing;
using ImageUtils.Configuration;
using ImageUtils.Conversion;
using ImageUtils.Inspection;

namespace ImageUtils.Cli;

/// <summary>The options of every command that opens an image to read its disk.</summary>
internal sealed class SourceOptions
{
    private readonly Option<ImageFormat> _format = new("-f", "--source-format")
    {
        Description = "What the source must be; without it, what it is found to be is taken.",
        HelpName = "FORMAT",
        CustomParser = ParseFormat,
    };

    private readonly Option<bool> _knownRaw = new("--known-raw")
    {
        Description = "The source is raw: do not look at what a guest may have written.",
    };

    private readonly Option<string[]> _allowBacking = new("--allow-backing")
    {
        Description = "A directory below which backing files and parents may lie.",
        HelpName = "DIRECTORY",
    };

    private readonly Option<string[]> _allowData = new("--allow-data")
    {
        Description = "A directory below which data files and VMDK extents may lie.",
        HelpName = "DIRECTORY",
    };

    private readonly Option<string[]> _allowVmdkType = new("--allow-vmdk-type")
    {
        Description = "A VMDK createType that is allowed, in place of those that are configured.",
        HelpName = "TYPE",
    };

    internal void AddTo(Command command)
    {
        command.Options.Add(_format);
        command.Options.Add(_knownRaw);
        command.Options.Add(_allowBacking);
        command.Options.Add(_allowData);
        command.Options.Add(_allowVmdkType);
    }

    internal OpenOptions Get(ParseResult parsed, string? snapshot = null)
    {
        var types = parsed.GetValue(_allowVmdkType);
        var policy = ImageUtilsConfiguration.Load().Policy;
        return new OpenOptions
        {
            ClaimedFormat = parsed.GetValue(_format),
            KnownRaw = parsed.GetValue(_knownRaw),
            Snapshot = snapshot,
            Inspection = new InspectionOptions
            {
                Policy = policy with
                {
                    BackingFileDirectories = parsed.GetValue(_allowBacking) ?? [],
                    DataFileDirectories = parsed.GetValue(_allowData) ?? [],
                    AllowedVmdkTypes = types is { Length: > 0 } ? types : policy.AllowedVmdkTypes,
                },
            },
        };
    }

    /// <summary>An inspection that lets backing files lie below directories, and nothing else.</summary>
    internal static InspectionOptions Allowing(string[] backingDirectories) => new()
    {
        Policy = ImageUtilsConfiguration.Load().Policy with { BackingFileDirectories = backingDirectories },
    };

    /// <summary>Reads a format's name.</summary>
    internal static ImageFormat ParseFormat(ArgumentResult result)
    {
        if (ImageFormatNames.TryParse(result.Tokens[0].Value, out var format))
        {
            return format;
        }

        result.AddError($"'{result.Tokens[0].Value}' is not an image format. "
            + $"Use one of: {string.Join(", ", ImageFormatNames.Known.Select(known => known.ToName()))}.");
        return ImageFormat.Unknown;
    }
}
