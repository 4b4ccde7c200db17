namespace ImageUtils.Conversion;

/// <summary>The options of a new image by the names that qemu-img has for them.</summary>
internal static class QemuTargetOptions
{
    internal static Dictionary<string, string> Of(ImageFormat format, WriterOptions target)
    {
        var options = new Dictionary<string, string>();
        Add("subformat", target.Subformat);
        Add("cluster_size", format == ImageFormat.Qcow2 ? target.ClusterSize?.ToString() : null);
        Add("block_size", format == ImageFormat.Vhdx ? target.ClusterSize?.ToString() : null);
        Add("compat", target.Version switch { 2 => "0.10", 3 => "1.1", _ => null });
        Add("refcount_bits", target.RefcountBits?.ToString());
        Add("adapter_type", target.AdapterType);
        Add("compression_type", target.CompressionType switch
        {
            Codecs.UnitCodec.Zstd => "zstd",
            Codecs.UnitCodec.Deflate => "zlib",
            _ => null,
        });
        Add(
            "preallocation",
            target.Preallocation == PreallocationMode.Off ? null : target.Preallocation.ToString().ToLowerInvariant());
        if (format == ImageFormat.Vhd && !target.RoundToGeometry)
        {
            options["force_size"] = "on";
        }

        if (format == ImageFormat.Vdi
            && string.Equals(target.Subformat, "static", StringComparison.OrdinalIgnoreCase))
        {
            options.Remove("subformat");
            options["static"] = "on";
        }

        return options;

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                options[name] = value;
            }
        }
    }
}
