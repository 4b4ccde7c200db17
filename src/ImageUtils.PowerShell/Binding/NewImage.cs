using System.Collections;
using System.IO.Compression;
using System.Management.Automation;
using ImageUtils.Conversion;
using ImageUtils.Glance;

namespace ImageUtils.PowerShell.Binding;

/// <summary>What the parameters of cmdlets that make images in Glance stand for.</summary>
internal static class NewImage
{
    /// <summary>-Subformat and -Compress: what the image's file is like.</summary>
    internal static WriterOptions Target(ImageFormat format, string? subformat, bool compress) => new()
    {
        VirtualSize = 0,
        Subformat = subformat ?? (compress && format == ImageFormat.Vmdk ? "streamOptimized" : null),
        Compress = compress && format == ImageFormat.Qcow2,
    };

    /// <summary>-ContainerFormat: whether the file is compressed as a whole.</summary>
    internal static CompressionLevel? Gzip(string containerFormat) =>
        containerFormat.Equals("compressed", StringComparison.OrdinalIgnoreCase) ? CompressionLevel.Optimal : null;

    /// <summary>-Property: those that an image may be given; the others are left out with a warning.</summary>
    internal static List<KeyValuePair<string, string>> Properties(
        Hashtable? given, IReadOnlyCollection<string> reservedNamespaces, Action<string> warn)
    {
        var removed = new List<string>();
        var properties = new List<KeyValuePair<string, string>>();
        foreach (DictionaryEntry entry in ImagePropertyFilter.Select(
            ImagePropertyFilter.PairsOf(given ?? []), reservedNamespaces, removed))
        {
            properties.Add(new($"{entry.Key}", LanguagePrimitives.ConvertTo<string>(entry.Value)));
        }

        if (removed.Count > 0)
        {
            warn($"These properties are not an image's to be given, and were left out: {string.Join(", ", removed)}.");
        }

        return properties;
    }

    /// <summary>Says that Glance has another hash than the one that was taken.</summary>
    internal static string NotVerified(string imageId, string? algorithm) =>
        $"Glance hashes the image {imageId} by another algorithm than {algorithm}; only its length was compared.";
}
