namespace ImageUtils.Builders;

/// <summary>A small qcow version 1 image, which is always refused, and what else can be wrong with it.</summary>
public static class QcowCases
{
    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Bad("plain", Valid()),
        Bad("encrypted", Valid().Big32(36, 1)),
        Bad("size-not-of-sectors", Valid().Big64(24, 1000)),
        Bad("backing-file", WithBacking("/etc/passwd"), "backing_file"),
        Bad("backing-file-json", WithBacking(
            "json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}"), "backing_file"),
        Bad("backing-file-behind-table", WithBacking("base").Big64(8, 2048).Text(2048, "base"), "backing_file"),
        Bad("backing-name-far", WithBacking("base").Big64(8, 1UL << 40), "backing_file", "tables"),
        Bad("backing-name-overflows", WithBacking("base").Big64(8, ulong.MaxValue), "backing_file", "tables"),
        Bad("backing-name-over-header", WithBacking("base").Big64(8, 8), "backing_file", "tables"),
        Bad("backing-name-too-long", WithBacking("base").Big32(16, 1024), "backing_file", "tables"),
        Bad("backing-name-cut", WithBacking("base").Big64(8, 4094), "backing_file", "truncated"),
        Bad("cluster-bits-8", Valid().Byte(32, 8), "tables"),
        Bad("cluster-bits-17", Valid().Byte(32, 17), "tables"),
        Bad("cluster-bits-255", Valid().Byte(32, 255), "tables"),
        Bad("l2-bits-5", Valid().Byte(33, 5), "tables"),
        Bad("l2-bits-14", Valid().Byte(33, 14), "tables"),
        Bad("crypt-method-2", Valid().Big32(36, 2), "tables"),
        Bad("size-0", Valid().Big64(24, 0), "tables"),
        Bad("size-1", Valid().Big64(24, 1), "tables"),
        Bad("size-beyond-int64", Valid().Big64(24, ulong.MaxValue), "tables"),
        Bad("size-needs-huge-table", Valid().Big64(24, long.MaxValue), "tables"),
        Bad("table-over-header", Valid().Big64(40, 0), "tables"),
        Bad("table-beyond-file", Valid().Big64(40, 1 << 20), "tables"),
        Bad("table-overflows", Valid().Big64(40, ulong.MaxValue - 7), "tables"),
        Bad("l2-beyond-file", Valid().Big64(48, 1 << 20), "truncated"),
        Bad("l2-at-highest-byte", Valid().Big64(48, ulong.MaxValue), "truncated"),
        Bad("cut-to-8", Valid().Resize(8), "truncated"),
        Bad("cut-to-47", Valid().Resize(47), "truncated"),
        Bad("cut-in-table", Valid().Resize(50), "tables"),
    ];

    /// <summary>An image of 8 MiB with clusters of 4 KiB, and an L1 table of four empty entries.</summary>
    public static BuiltImage Valid() => new BuiltImage(4096)
        .Big32(0, 0x514649FB).Big32(4, 1).Big64(24, 8 << 20).Byte(32, 12).Byte(33, 9).Big64(40, 48);

    public static BuiltImage WithBacking(string name) =>
        Valid().Big64(8, 1024).Big32(16, (uint)name.Length).Text(1024, name);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"qcow/{name}", "qcow", [.. failures, "unknown_features"], image.ToArray);
}
