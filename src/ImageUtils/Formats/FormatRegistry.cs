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
        new Vmdk.VmdkFormat(),
        new Qcow.QcowFormat(),
        new Qed.QedFormat(),
        new Parallels.ParallelsFormat(),
        new Luks.LuksFormat(),
        new Iso.IsoFormat(),
        new PartitionTable.GptFormat(),
        new PartitionTable.MbrFormat(),
        new Wrappers.WrapperFormat(Wrappers.WrapperSignature.Gzip),
        new Wrappers.WrapperFormat(Wrappers.WrapperSignature.Xz),
        new Wrappers.WrapperFormat(Wrappers.WrapperSignature.Bzip2),
        new Wrappers.WrapperFormat(Wrappers.WrapperSignature.Zstd),
        new Wrappers.WrapperFormat(Wrappers.WrapperSignature.Zip),
        new Wrappers.WrapperFormat(Wrappers.WrapperSignature.Lha),
        new Dmg.DmgFormat(),
        new Ova.OvaFormat(),
        new Bochs.BochsFormat(),
        new Cloop.CloopFormat(),
    ];

    /// <summary>What content is when no format in <see cref="All"/> matches.</summary>
    public static IImageFormat Raw { get; } = new Raw.RawFormat();
}
