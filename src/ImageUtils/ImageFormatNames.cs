namespace ImageUtils;

/// <summary>
/// Translates between <see cref="ImageFormat"/> and the names that Glance (<c>disk_format</c>), qemu (<c>-f</c>) and
/// file name extensions use.
/// </summary>
public static class ImageFormatNames
{
    // Arrays and loops: a program that converts one small image must not wait for dictionaries to be built.
    private static readonly string[] s_names =
        Array.ConvertAll(Enum.GetNames<ImageFormat>(), name => name.ToLowerInvariant());

    private static readonly ImageFormat[] s_known = MakeKnown();

    // qemu's driver names and the names in everyday use that differ from ours.
    private static readonly string[] s_aliases =
        ["vpc", "parallels", "qcow1", "qcow3", "img", "dos", "gz", "bz2", "zst", "lzh"];

    private static readonly ImageFormat[] s_aliased =
    [
        ImageFormat.Vhd, ImageFormat.Ploop, ImageFormat.Qcow, ImageFormat.Qcow2, ImageFormat.Raw, ImageFormat.Mbr,
        ImageFormat.Gzip, ImageFormat.Bzip2, ImageFormat.Zstd, ImageFormat.Lha,
    ];

    /// <summary>Every format, in the order of the enumeration; <see cref="ImageFormat.Unknown"/> is left out.</summary>
    public static IReadOnlyList<ImageFormat> Known => s_known;

    /// <summary>The format's own name, in lower case, such as <c>qcow2</c>.</summary>
    public static string ToName(this ImageFormat format) =>
        (uint)format < (uint)s_names.Length ? s_names[(int)format] : s_names[0];

    /// <summary>
    /// The <c>disk_format</c> under which Glance stores such an image, or <see langword="null"/> where Glance has none.
    /// A disk with an MBR is <c>gpt</c> to Glance, whose inspector does not tell the two apart.
    /// </summary>
    public static string? ToGlanceName(this ImageFormat format) => format switch
    {
        ImageFormat.Raw or ImageFormat.Qcow2 or ImageFormat.Vhd or ImageFormat.Vhdx or ImageFormat.Vmdk
            or ImageFormat.Vdi or ImageFormat.Iso or ImageFormat.Ploop or ImageFormat.Luks or ImageFormat.Gpt
            or ImageFormat.Ami or ImageFormat.Ari or ImageFormat.Aki => format.ToName(),
        ImageFormat.Mbr => "gpt",
        _ => null,
    };

    /// <summary>
    /// The name of qemu's block driver for such an image, or <see langword="null"/> where qemu has none.
    /// Optical discs and partitioned disks are <c>raw</c> to qemu.
    /// </summary>
    public static string? ToQemuName(this ImageFormat format) => format switch
    {
        ImageFormat.Raw or ImageFormat.Iso or ImageFormat.Gpt or ImageFormat.Mbr
            or ImageFormat.Ami or ImageFormat.Ari or ImageFormat.Aki => "raw",
        ImageFormat.Vhd => "vpc",
        ImageFormat.Ploop => "parallels",
        ImageFormat.Qcow or ImageFormat.Qcow2 or ImageFormat.Qed or ImageFormat.Vhdx or ImageFormat.Vmdk
            or ImageFormat.Vdi or ImageFormat.Luks or ImageFormat.Dmg or ImageFormat.Bochs
            or ImageFormat.Cloop => format.ToName(),
        _ => null,
    };

    /// <summary>Reads a format's name or alias, in any case.</summary>
    public static bool TryParse(string? name, out ImageFormat format)
    {
        var trimmed = name?.Trim() ?? "";
        var alias = Find(s_aliases, trimmed);

        // No image is claimed to be of an unknown format.
        format = alias >= 0 ? s_aliased[alias] : (ImageFormat)Math.Max(Find(s_names, trimmed), 0);
        return format != ImageFormat.Unknown;
    }

    /// <summary>Reads a format's name or alias, in any case.</summary>
    /// <exception cref="FormatException">The name is not one of ours; the message lists those that are.</exception>
    public static ImageFormat Parse(string name) => TryParse(name, out var format)
        ? format
        : throw new FormatException(
            $"'{name}' is not an image format. Use one of: {string.Join(", ", s_names.Skip(1).Order())}; "
            + $"or an alias: {string.Join(", ", s_aliases.Order())}.");

    /// <summary>
    /// Whether content found to be <paramref name="actual"/> may be offered as <paramref name="claimed"/>:
    /// <c>ami</c>, <c>ari</c> and <c>aki</c> accept anything; <c>raw</c> accepts partitioned disks; <c>gpt</c> accepts
    /// a master boot record, as oslo.utils' inspector does; otherwise the two must be the same.
    /// </summary>
    public static bool Accepts(this ImageFormat claimed, ImageFormat actual) => claimed switch
    {
        ImageFormat.Ami or ImageFormat.Ari or ImageFormat.Aki => true,
        ImageFormat.Raw => actual is ImageFormat.Raw or ImageFormat.Gpt or ImageFormat.Mbr,
        ImageFormat.Gpt => actual is ImageFormat.Gpt or ImageFormat.Mbr,
        _ => claimed == actual,
    };

    private static int Find(string[] names, string name) =>
        Array.FindIndex(names, each => each.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static ImageFormat[] MakeKnown()
    {
        var known = new ImageFormat[s_names.Length - 1];
        for (var index = 0; index < known.Length; index++)
        {
            known[index] = (ImageFormat)(index + 1);
        }

        return known;
    }
}
