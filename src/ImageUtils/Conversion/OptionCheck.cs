using ImageUtils.Codecs;
using ImageUtils.Errors;

namespace ImageUtils.Conversion;

/// <summary>Refuses options that a format does not have, so that nothing that was asked for is passed over.</summary>
internal static class OptionCheck
{
    /// <summary>Refuses every option that is set and not among those that the format has.</summary>
    /// <param name="options">The options.</param>
    /// <param name="format">The format, for the message.</param>
    /// <param name="allowed">Names of <see cref="WriterOptions"/>' properties.</param>
    internal static void RefuseAllBut(WriterOptions options, ImageFormat format, params ReadOnlySpan<string> allowed)
    {
        (string Name, bool IsSet)[] given =
        [
            (nameof(options.VirtualSize), true),
            (nameof(options.Subformat), options.Subformat is not null),
            (nameof(options.Version), options.Version is not null),
            (nameof(options.ClusterSize), options.ClusterSize is not null),
            (nameof(options.Compress), options.Compress),
            (nameof(options.CompressionType), options.CompressionType is not null),
            (nameof(options.CompressionLevel), options.CompressionLevel is not null),
            (nameof(options.Preallocation), options.Preallocation != PreallocationMode.Off),
            (nameof(options.RefcountBits), options.RefcountBits is not null),
            (nameof(options.RoundToGeometry), options.RoundToGeometry),
            (nameof(options.AzureAligned), options.AzureAligned),
            (nameof(options.AdapterType), options.AdapterType is not null),
            (nameof(options.BackingFile), options.BackingFile is not null),
            (nameof(options.BackingFormat), options.BackingFormat != ImageFormat.Unknown),
            (nameof(options.ParentId), options.ParentId is not null),
            (nameof(options.ParentTimeStamp), options.ParentTimeStamp is not null),
            (nameof(options.UniqueId), options.UniqueId is not null),
            (nameof(options.TimeStamp), options.TimeStamp is not null),
        ];
        foreach (var (name, isSet) in given)
        {
            if (isSet && !allowed.Contains(name))
            {
                throw new ImageOptionException(
                    name, $"A {format.ToName()} image has no option {name}. Leave it out, or choose another format.");
            }
        }

        if (options.VirtualSize < 0)
        {
            throw new ImageOptionException(
                nameof(options.VirtualSize), $"A disk cannot have a size of {options.VirtualSize} bytes.");
        }
    }

    /// <summary>Refuses a unit of allocation that is no power of two, or out of bounds.</summary>
    internal static long PowerOfTwo(string name, long value, long least, long most) =>
        long.IsPow2(value) && value >= least && value <= most
            ? value
            : throw new ImageOptionException(
                name, $"{name} is {value}; it must be a power of two from {least} to {most}.");

    /// <summary>Finds a subformat by its name in any case.</summary>
    internal static string Subformat(string? given, ImageFormat format, params ReadOnlySpan<string> known)
    {
        if (given is null)
        {
            return known[0];
        }

        foreach (var one in known)
        {
            if (string.Equals(one, given, StringComparison.OrdinalIgnoreCase))
            {
                return one;
            }
        }

        throw new ImageOptionException(
            nameof(WriterOptions.Subformat),
            $"There is no {format.ToName()} subformat '{given}' that is written natively. "
            + $"Use one of: {string.Join(", ", known.ToArray())}.");
    }

    /// <summary>Refuses a compression level that the codec does not have.</summary>
    internal static int? Level(int? level, UnitCodec codec)
    {
        var (least, most, _) = UnitEncoder.LevelsOf(codec);
        return level is null || (level >= least && level <= most)
            ? level
            : throw new ImageOptionException(
                nameof(WriterOptions.CompressionLevel),
                $"The compression level is {level}; {codec} has {least} to {most}.");
    }
}
