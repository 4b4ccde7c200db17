namespace ImageUtils.Formats;

/// <summary>Every format that is recognised by its content, in the order in which matches are named.</summary>
public static class FormatRegistry
{
    /// <summary>The formats; <see cref="ImageFormat.Raw"/> is what is left when none of them matches.</summary>
    public static IReadOnlyList<IImageFormat> All { get; } =
    [
        new Qcow2.Qcow2Format(),
        new Vhd.VhdFormat(),
        new Vhdx.VhdxFormat(),
        new Vdi.VdiFormat(),
    ];

    /// <summary>What content is when no format in <see cref="All"/> matches.</summary>
    public static IImageFormat Raw { get; } = new Raw.RawFormat();
}
