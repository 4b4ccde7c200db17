namespace ImageUtils.Benchmarks;

/// <summary>Why a verdict differs from that of oslo.utils, where the failed check's name does not say it.</summary>
internal static class VerdictReasons
{
    // By the name of the image.
    private static readonly Dictionary<string, string> s_images = new()
    {
        ["iso/with-mbr"] = "a disc that can be written to a stick is one disc, and allowed",
        ["iso/with-hybrid-gpt"] = "a disc that can be written to a stick is one disc, and allowed",
    };

    // By our format and that of oslo.utils.
    private static readonly Dictionary<(string Ours, string Oslo), string> s_formats = new()
    {
        [("qcow", "qcow2")] = "oslo.utils calls version 1 qcow2",
        [("mbr", "gpt")] = "oslo.utils does not tell the two apart",
        [("vhd", "raw")] = "oslo.utils does not look for a footer at the end",
        [("vhd", "gpt")] = "oslo.utils does not look for a footer at the end",
        [("vmdk", "raw")] = "qemu takes it for vmdk; oslo.utils knows KDMV, and text that names its createType early",
        [("qcow2", "raw")] = "qemu takes it for qcow2; oslo.utils wants 512 bytes of header",
        [("qcow", "raw")] = "qemu takes it for qcow; oslo.utils wants 512 bytes of header",
        [("qed", "raw")] = "qemu takes it for qed; oslo.utils wants 512 bytes of header",
        [("vdi", "raw")] = "qemu takes it for vdi; oslo.utils wants 512 bytes of header",
        [("luks", "raw")] = "qemu takes it for luks; oslo.utils wants a whole header",
        [("iso", "raw")] = "oslo.utils looks at the first volume descriptor only, and wants it whole",
        [("gpt", "raw")] = "oslo.utils takes two bytes of a FAT for a file system, whatever the partition entries say",
        [("mbr", "raw")] = "oslo.utils takes two bytes of a FAT for a file system, whatever the partition entries say",
        [("raw", "gpt")] = "a file system's boot sector has no partition entries; oslo.utils reads its code as such",
    };

    private static readonly HashSet<string> s_unknownToOslo =
        ["ploop", "dmg", "ova", "bochs", "cloop", "gzip", "xz", "bzip2", "zstd", "zip", "lha"];

    internal static string? Of(string name) => s_images.GetValueOrDefault(name);

    internal static string? OfFormats(string ours, string oslo) => s_unknownToOslo.Contains(ours) && oslo == "raw"
        ? $"oslo.utils does not know {ours}"
        : s_formats.GetValueOrDefault((ours, oslo));
}
