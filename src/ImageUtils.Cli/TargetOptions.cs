using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Cli;

/// <summary>Reads <c>-o name=value,…</c> as qemu-img does, where the names mean the same.</summary>
internal static class TargetOptions
{
    /// <param name="texts">The arguments of each <c>-o</c>.</param>
    /// <param name="compress">Whether <c>-c</c> is given.</param>
    /// <exception cref="ImageOptionException">A name or value is unknown.</exception>
    internal static WriterOptions Parse(IEnumerable<string> texts, bool compress)
    {
        var options = new WriterOptions { VirtualSize = 0, Compress = compress };
        foreach (var text in texts.SelectMany(text => text.Split(',', StringSplitOptions.RemoveEmptyEntries)))
        {
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? text : text[..equals];
            var value = equals < 0 ? "on" : text[(equals + 1)..];
            options = Set(options, name, value);
        }

        return options;
    }

    private static WriterOptions Set(WriterOptions options, string name, string value) => name switch
    {
        "subformat" => options with { Subformat = value },
        "static" => options with { Subformat = IsOn(name, value) ? "static" : "dynamic" },
        "cluster_size" or "block_size" or "grain_size" => options with { ClusterSize = ToSize(name, value) },
        "compat" => options with
        {
            Version = value switch
            {
                "0.10" or "v2" => 2,
                "1.1" or "v3" => 3,
                _ => throw Bad(name, value, "0.10 (version 2) or 1.1 (version 3)"),
            },
        },
        "compression_type" => options with
        {
            CompressionType = value switch
            {
                "zlib" => UnitCodec.Deflate,
                "zstd" => UnitCodec.Zstd,
                _ => throw Bad(name, value, "zlib or zstd"),
            },
        },
        "compression_level" => options with { CompressionLevel = ToNumber(name, value) },
        "refcount_bits" => options with { RefcountBits = ToNumber(name, value) },
        "preallocation" => options with
        {
            Preallocation = Enum.TryParse<PreallocationMode>(value, ignoreCase: true, out var mode)
                && !int.TryParse(value, out _)
                ? mode
                : throw Bad(name, value, "off, metadata, falloc or full"),
        },
        "force_size" => options with { RoundToGeometry = !IsOn(name, value) },
        "adapter_type" => options with { AdapterType = value },
        "azure_aligned" => options with { AzureAligned = IsOn(name, value) },
        _ => throw new ImageOptionException(
            name,
            $"There is no option '{name}'. Those known: subformat, static, cluster_size, block_size, grain_size, compat, "
            + "compression_type, compression_level, refcount_bits, preallocation, force_size, adapter_type, "
            + "azure_aligned."),
    };

    private static bool IsOn(string name, string value) => value switch
    {
        "on" or "yes" or "true" => true,
        "off" or "no" or "false" => false,
        _ => throw Bad(name, value, "on or off"),
    };

    private static int ToNumber(string name, string value) =>
        int.TryParse(value, out var number) ? number : throw Bad(name, value, "a number");

    private static long ToSize(string name, string value) =>
        ByteSize.TryParse(value, out var size) ? size : throw Bad(name, value, "a size such as 65536 or 64K");

    private static ImageOptionException Bad(string name, string value, string expected) =>
        new(name, $"The option {name} is '{value}'; it must be {expected}.");
}
