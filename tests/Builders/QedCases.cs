namespace ImageUtils.Builders;

/// <summary>A small QED image, which is always refused, and what else can be wrong with it.</summary>
public static class QedCases
{
    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Bad("plain", Valid()),
        Bad("need-check", Valid().Little64(16, 2)),
        Bad("unknown-feature", Valid().Little64(16, 1UL << 40)),
        Bad("backing-file", WithBacking("/etc/passwd"), "backing_file"),
        Bad("backing-file-raw", WithBacking("base.raw").Little64(16, 5), "backing_file"),
        Bad("backing-name-outside-header", WithBacking("base").Little32(56, 4095), "backing_file", "tables"),
        Bad("backing-name-overflows", WithBacking("base").Little32(56, uint.MaxValue), "backing_file", "tables"),
        Bad("backing-name-over-header", WithBacking("base").Little32(56, 0), "backing_file", "tables"),
        Bad("backing-name-too-long", WithBacking("base").Little32(60, 2000), "backing_file", "tables"),
        Bad("cluster-size-0", Valid().Little32(4, 0), "tables"),
        Bad("cluster-size-odd", Valid().Little32(4, 5000), "tables"),
        Bad("cluster-size-huge", Valid().Little32(4, 1u << 31), "tables"),
        Bad("table-size-0", Valid().Little32(8, 0), "tables"),
        Bad("table-size-3", Valid().Little32(8, 3), "tables"),
        Bad("table-size-32", Valid().Little32(8, 32), "tables"),
        Bad("header-size-0", Valid().Little32(12, 0), "tables"),
        Bad("header-size-huge", Valid().Little32(12, uint.MaxValue), "tables"),
        Bad("image-size-odd", Valid().Little64(48, 1000), "tables"),
        Bad("image-size-beyond-tables", Valid().Little64(48, 1UL << 40), "tables"),
        Bad("image-size-overflows", Valid().Little64(48, ulong.MaxValue - 511), "tables"),
        Bad("table-over-header", Valid().Little64(40, 0), "tables"),
        Bad("table-misaligned", Valid().Little64(40, 4097), "tables"),
        Bad("table-beyond-file", Valid().Little64(40, 1 << 20), "tables"),
        Bad("table-overflows", Valid().Little64(40, 0xFFFF_FFFF_FFFF_F000), "tables"),
        Bad("cut-to-3", Valid().Resize(3), "truncated"),
        Bad("cut-to-4", Valid().Resize(4), "truncated"),
        Bad("cut-to-63", Valid().Resize(63), "truncated"),
        Bad("cut-in-table", Valid().Resize(8191), "tables"),
    ];

    /// <summary>An image of 1 MiB with clusters of 4 KiB: the header's cluster and an empty L1 table.</summary>
    public static BuiltImage Valid() => new BuiltImage(8192)
        .Put(0, "QED\0"u8).Little32(4, 4096).Little32(8, 1).Little32(12, 1)
        .Little64(40, 4096).Little64(48, 1 << 20);

    public static BuiltImage WithBacking(string name) =>
        Valid().Little64(16, 1).Little32(56, 64).Little32(60, (uint)name.Length).Text(64, name);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"qed/{name}", "qed", [.. failures, "banned"], image.ToArray);
}
