namespace ImageUtils.Benchmarks;

/// <summary>Why a verdict differs from that of oslo.utils, where the failed check's name does not say it.</summary>
internal static class VerdictReasons
{
    // By the name of the image.
    private static readonly Dictionary<string, string> s_images = new()
    {
    };

    // By our format and that of oslo.utils.
    private static readonly Dictionary<(string Ours, string Oslo), string> s_formats = new()
    {
        [("qcow", "qcow2")] = "oslo.utils calls version 1 qcow2",
        [("mbr", "gpt")] = "oslo.utils does not tell the two apart",
        [("vhd", "raw")] = "oslo.utils does not look for a footer at the end",
        [("vhd", "gpt")] = "oslo.utils does not look for a footer at the end",
    };

    private static readonly HashSet<string> s_unknownToOslo =
        ["ploop", "dmg", "ova", "bochs", "cloop", "gzip", "xz", "bzip2", "zstd", "zip", "lha"];

    internal static string? Of(string name) => s_images.GetValueOrDefault(name);

    internal static string? OfFormats(string ours, string oslo) => s_unknownToOslo.Contains(ours) && oslo == "raw"
        ? $"oslo.utils does not know {ours}"
        : s_formats.GetValueOrDefault((ours, oslo));
}
