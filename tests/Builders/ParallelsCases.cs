namespace ImageUtils.Builders;

/// <summary>Small Parallels images with either magic, and what can be wrong with them.</summary>
public static class ParallelsCases
{
    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("extended", Valid()),
        Good("old", ValidOld()),
        Good("old-with-high-size-bits", ValidOld().Little32(40, uint.MaxValue)),
        Good("in-use", Valid().Little32(44, 0x746F6E59)),
        Good("size-0", Valid().Little32(32, 0).Little64(36, 0)),
        Good("data-offset-0", ValidOld().Little32(48, 0)),
        Good("empty-flag", Valid().Little32(52, 1)),
        Good("extension", Valid().Little64(56, 16)),
        Bad("version-1", Valid().Little32(16, 1), "version"),
        Bad("version-3", ValidOld().Little32(16, 3), "version"),
        Bad("cluster-size-0", Valid().Little32(28, 0), "tables"),
        Bad("cluster-size-huge", Valid().Little32(28, uint.MaxValue), "tables"),
        Bad("table-huge", Valid().Little32(32, uint.MaxValue), "tables"),
        Bad("table-beyond-file", Valid().Little32(32, 1 << 20).Little32(48, 0), "tables"),
        Bad("table-too-small", Valid().Little32(32, 1), "tables"),
        Bad("size-huge", Valid().Little64(36, ulong.MaxValue), "tables"),
        Bad("data-over-table", Valid().Little32(32, 1024).Little32(48, 1), "tables"),
        Bad("block-over-header", ValidOld().Little32(64, 1).Little32(32, 200).Little32(48, 2), "tables"),
        Bad("block-over-header-zero-offset-kept", Valid().Little32(64, 1).Little32(28, 1).Little32(32, 256)
            .Little32(48, 3), "tables"),
        Bad("block-beyond-file", Valid().Little32(64, 100), "truncated"),
        Bad("block-at-highest-unit", Valid().Little32(64, uint.MaxValue), "truncated"),
        Bad("data-beyond-file", Valid().Little32(48, 100_000), "truncated"),
        Bad("extension-over-table", Valid().Little32(32, 1024).Little64(56, 1), "tables"),
        Bad("extension-beyond-file", Valid().Little64(56, 1 << 20), "truncated"),
        Bad("extension-overflows", Valid().Little64(56, ulong.MaxValue), "tables"),
        Bad("cut-to-16", Valid().Resize(16), "truncated"),
        Bad("cut-to-63", Valid().Resize(63), "truncated"),
        Bad("cut-in-table", Valid().Resize(66), "tables", "truncated"),
        Bad("cut-in-data", Valid().Resize(8 * 512), "truncated"),
    ];

    /// <summary>An image of two clusters of 4 KiB, the first of them stored in the file's third cluster.</summary>
    public static BuiltImage Valid() => new BuiltImage(3 * 4096)
        .Text(0, "WithouFreSpacExt").Little32(16, 2).Little32(20, 16).Little32(24, 1).Little32(28, 8)
        .Little32(32, 2).Little64(36, 16).Little32(48, 8).Little32(64, 2);

    /// <summary>The same with the old magic, whose table counts in sectors.</summary>
    public static BuiltImage ValidOld() => Valid().Text(0, "WithoutFreeSpace").Little32(64, 16);

    private static CorpusCase Good(string name, BuiltImage image) => new($"ploop/{name}", "ploop", [], image.ToArray);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"ploop/{name}", "ploop", failures, image.ToArray);
}
