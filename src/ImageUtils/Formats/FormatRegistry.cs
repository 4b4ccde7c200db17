namespace ImageUtils.Formats;

/// <summary>Every format that is recognised by its content, in the order in which matches are named.</summary>
public static class FormatRegistry
{
    /// <summary>The formats; <see cref="ImageFormat.Raw"/> is what is left when none of them matches.</summary>
    public static IReadOnlyList<IImageFormat> All { get; } =
    [
        new Qcow2.Qcow2Format(),
        new Vmdk.VmdkFormat(),
        new Qcow.QcowFormat(),
        new Qed.QedFormat(),
        new Parallels.ParallelsFormat(),
        new Dmg.DmgFormat(),
        new Ova.OvaFormat(),
        new Bochs.BochsFormat(),
        new Cloop.CloopFormat(),
    ];

    /// <summary>What content is when no format in <see cref="All"/> matches.</summary>
    public static IImageFormat Raw { get; } = new Raw.RawFormat();
}
