namespace ImageUtils.Builders;

/// <summary>A small qcow2 image and what can be wrong with it.</summary>
public static class Qcow2Cases
{
    private const int ClusterSize = 65536;

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("v3", Valid()),
        Good("v2", ValidVersion2()),
        Good("dirty", Valid().Big64(72, 1)),
        Good("corrupt-bit", Valid().Big64(72, 2)),
        Good("zstd", Valid().Big64(72, 8).Big32(100, 112).Byte(104, 1).Big64(112, 0)),
        Good("size-zero", Valid().Big64(24, 0)),
        Good("smallest-cluster", Valid().Big32(20, 9).Big64(24, 1 << 20).Big32(36, 32)),
        Bad("backing-file", WithBacking("/etc/passwd"), "backing_file"),
        Bad("backing-file-json", WithBacking("json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}"), "backing_file"),
        Bad("backing-file-nbd", WithBacking("nbd:unix:/tmp/socket"), "backing_file"),
        Bad("backing-name-outside-cluster", WithBacking("base").Big64(8, 0x7000_0000), "backing_file", "tables"),
        Bad("backing-name-too-long", WithBacking("base").Big32(16, 2000), "backing_file", "tables"),
        Bad("data-file", Valid().Big64(72, 4), "data_file"),
        Bad("data-file-named", WithDataFile("/etc/shadow"), "data_file"),
        Bad("extended-l2", Valid().Big64(72, 16), "unknown_features"),
        Bad("unknown-feature-bit-5", Valid().Big64(72, 32), "unknown_features"),
        Bad("unknown-feature-bit-63", Valid().Big64(72, 1UL << 63), "unknown_features"),
        Bad("version-4", Valid().Big32(4, 4), "unknown_features"),
        Bad("version-0", Valid().Big32(4, 0).Big64(72, 0), "unknown_features"),
        Bad("cluster-bits-255", Valid().Big32(20, 255), "tables"),
        Bad("cluster-bits-8", Valid().Big32(20, 8), "tables"),
        Bad("cluster-bits-22", Valid().Big32(20, 22), "tables"),
        Bad("cluster-bits-0", Valid().Big32(20, 0), "tables"),
        Bad("size-beyond-int64", Valid().Big64(24, ulong.MaxValue), "tables"),
        Bad("l1-too-small", Valid().Big64(24, 1UL << 40), "tables"),
        Bad("l1-huge", Valid().Big32(36, uint.MaxValue), "tables"),
        Bad("l1-misaligned", Valid().Big64(40, 3 * ClusterSize + 8), "tables"),
        Bad("l1-over-header", Valid().Big64(40, 0), "tables"),
        Bad("l1-beyond-file", Valid().Big64(40, 1024UL * ClusterSize), "tables"),
        Bad("l1-offset-overflows", Valid().Big64(40, 0xFFFF_FFFF_FFFF_0000), "tables"),
        Bad("l2-misaligned", Valid().Big64(3 * ClusterSize, 2 * ClusterSize + 512), "tables"),
        Bad("l2-beyond-file", Valid().Big64(3 * ClusterSize, 4096UL * ClusterSize), "truncated"),
        Bad("refcount-table-none", Valid().Big32(56, 0), "tables"),
        Bad("refcount-table-huge", Valid().Big32(56, 129), "tables"),
        Bad("refcount-table-over-header", Valid().Big64(48, 0), "tables"),
        Bad("refcount-table-beyond-file", Valid().Big64(48, 4096UL * ClusterSize), "tables"),
        Bad("refcount-order-7", Valid().Big32(96, 7), "tables"),
        Bad("header-length-64", Valid().Big32(100, 64), "tables"),
        Bad("header-length-huge", Valid().Big32(100, 0x7FFF_FFFF), "tables"),
        Bad("compression-type-2", Valid().Big64(72, 8).Big32(100, 112).Byte(104, 2), "tables"),
        Bad("compression-type-without-bit", Valid().Big32(100, 112).Byte(104, 1), "tables"),
        Bad("crypt-method-3", Valid().Big32(32, 3), "tables"),
        Bad("snapshots-too-many", Valid().Big32(60, 70000).Big64(64, 4 * ClusterSize), "tables"),
        Bad("snapshots-over-header", Valid().Big32(60, 1).Big64(64, 0), "tables"),
        Bad("snapshots-beyond-file", Valid().Big32(60, 1).Big64(64, 4096UL * ClusterSize), "tables"),
        Bad("snapshot-extra-huge", Valid().Big32(60, 1).Big64(64, 4 * ClusterSize).Resize(5 * ClusterSize)
            .Big32(4 * ClusterSize + 36, 0x10000), "tables"),
        Bad("extension-overruns", Valid().Big32(104, 0xE2792ACA).Big32(108, 0x00FF_FFFF), "tables"),
        Bad("extensions-without-end", Valid().Big32(104, 0x1234_5678).Big32(108, 3984)
            .Big32(4096, 0x44415441).Big32(4100, 11).Text(4104, "/etc/shadow"), "tables"),
        Good("encrypted-without-header", Valid().Big32(32, 2)),
        Bad("encryption-header-misplaced", Valid().Big32(32, 2).Big32(104, 0x0537BE77).Big32(108, 16)
            .Big64(112, 3).Big64(120, 592), "tables"),
        Bad("bitmaps-misplaced", WithBitmaps(3, 1, 24), "tables"),
        Bad("bitmaps-too-many", WithBitmaps(4 * ClusterSize, 70000, 24), "tables"),
        Bad("cut-to-100", Valid().Resize(100), "truncated"),
        Bad("v2-cut-to-71", ValidVersion2().Resize(71), "truncated"),
        Bad("cut-to-8", Valid().Resize(8), "truncated"),
        Bad("cut-to-4", Valid().Resize(4), "truncated"),
        Bad("cut-in-l1", Valid().Resize(3 * ClusterSize), "tables"),
    ];

    /// <summary>A version 3 image of 64 MiB with an empty L1 table: header, refcount table and block, L1.</summary>
    public static BuiltImage Valid() => new BuiltImage(4 * ClusterSize)
        .Big32(0, 0x514649FB).Big32(4, 3).Big32(20, 16).Big64(24, 64 << 20)
        .Big32(36, 1).Big64(40, 3 * ClusterSize).Big64(48, ClusterSize).Big32(56, 1)
        .Big32(96, 4).Big32(100, 104)
        .Big64(ClusterSize, 2 * ClusterSize)
        .Big64(2 * ClusterSize, 0x0001_0001_0001_0001);

    public static BuiltImage ValidVersion2() => Valid().Big32(4, 2).Big32(96, 0).Big32(100, 0);

    public static BuiltImage WithBacking(string name) =>
        Valid().Big64(8, 1024).Big32(16, (uint)name.Length).Text(1024, name);

    public static BuiltImage WithDataFile(string name) =>
        Valid().Big64(72, 4).Big32(104, 0x44415441).Big32(108, (uint)name.Length).Text(112, name);

    private static BuiltImage WithBitmaps(uint offset, uint count, uint size) =>
        Valid().Big64(88, 1).Big32(104, 0x23852875).Big32(108, 24).Big32(112, count).Big64(120, size).Big64(128, offset);

    private static CorpusCase Good(string name, BuiltImage image) => new($"qcow2/{name}", "qcow2", [], image.ToArray);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"qcow2/{name}", "qcow2", failures, image.ToArray);
}
