using System.Collections.Frozen;

namespace ImageUtils;

/// <summary>
/// Translates between <see cref="ImageFormat"/> and the names that Glance (<c>disk_format</c>), qemu (<c>-f</c>) and
/// file name extensions use.
/// </summary>
public static class ImageFormatNames
{
    private static readonly ImageFormat[] s_known =
        [.. Enum.GetValues<ImageFormat>().Where(format => format != ImageFormat.Unknown)];

    private static readonly FrozenDictionary<ImageFormat, string> s_names =
        s_known.ToFrozenDictionary(format => format, format => format.ToString().ToLowerInvariant());

    // qemu's driver names and the names in everyday use that differ from ours.
    private static readonly FrozenDictionary<string, ImageFormat> s_aliases =
        new Dictionary<string, ImageFormat>(StringComparer.OrdinalIgnoreCase)
        {
            ["vpc"] = ImageFormat.Vhd,
            ["parallels"] = ImageFormat.Ploop,
            ["qcow1"] = ImageFormat.Qcow,
            ["qcow3"] = ImageFormat.Qcow2,
            ["img"] = ImageFormat.Raw,
            ["dos"] = ImageFormat.Mbr,
            ["gz"] = ImageFormat.Gzip,
            ["bz2"] = ImageFormat.Bzip2,
            ["zst"] = ImageFormat.Zstd,
            ["lzh"] = ImageFormat.Lha,
        }.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenDictionary<string, ImageFormat> s_byName =
        s_known.Select(format => KeyValuePair.Create(s_names[format], format)).Concat(s_aliases)
            .ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);

    /// <summary>Every format, in the order of the enumeration; <see cref="ImageFormat.Unknown"/> is left out.</summary>
    public static IReadOnlyList<ImageFormat> Known => s_known;

    /// <summary>The accepted names that are not the format's own: <c>vpc</c> for vhd, <c>parallels</c> for ploop...</summary>
    public static IReadOnlyDictionary<string, ImageFormat> Aliases => s_aliases;

    /// <summary>The format's own name, in lower case, such as <c>qcow2</c>.</summary>
    public static string ToName(this ImageFormat format) => s_names.GetValueOrDefault(format, "unknown");

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
        format = ImageFormat.Unknown;
        return name is not null && s_byName.TryGetValue(name.Trim(), out format);
    }

    /// <summary>Reads a format's name or alias, in any case.</summary>
    /// <exception cref="FormatException">The name is not one of ours; the message lists those that are.</exception>
    public static ImageFormat Parse(string name) => TryParse(name, out var format)
        ? format
        : throw new FormatException(
            $"'{name}' is not an image format. Use one of: {string.Join(", ", s_names.Values.Order())}; "
            + $"or an alias: {string.Join(", ", s_aliases.Keys.Order())}.");

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
}
