namespace ImageUtils.Builders;

/// <summary>A small VDI and what can be wrong with it.</summary>
public static class VdiCases
{
    private const int Map = 512;
    private const int Data = 1024;
    private const int BlockSize = 1 << 20;

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("dynamic", Valid),
        Good("dynamic-with-block", WithSmallBlock),
        Good("discarded-block", () => Valid().Little32(Map, 0xFFFF_FFFE)),
        Good("static", () => WithSmallBlock().Little32(76, 2)),
        Good("empty", () => Valid().Little64(368, 0).Little32(384, 0)),
        Good("size-ends-within-sector", () => Valid().Little64(368, 3 * BlockSize + 100)),
        Good("last-block-ends-with-disk", () => WithSmallBlock().Resize(Data + 512).Little64(368, 512)
            .Little32(384, 1)),
        Good("block-extra", () => WithSmallBlock().Little32(380, 512).Resize(Data + 4096 + 512)),
        Good("longer-header", () => Valid().Little32(72, 400)),
        Bad("parent-differencing", () => Valid().Little32(76, 4), "parent"),
        Bad("parent-undo", () => Valid().Little32(76, 3), "parent"),
        Bad("parent-id", () => Valid().Byte(424, 1), "parent"),
        Bad("parent-modification-id", () => Valid().Byte(455, 1), "parent"),
        Bad("parent-and-size", () => Valid().Little32(76, 4).Little64(368, ulong.MaxValue), "parent", "tables"),
        Bad("version-1-0", () => Valid().Little32(68, 0x0001_0000), "version"),
        Bad("version-0-1", () => Valid().Little32(68, 1), "version"),
        Bad("version-2-0", () => Valid().Little32(68, 0x0002_0000), "version"),
        Bad("type-0", () => Valid().Little32(76, 0), "version"),
        Bad("type-5", () => Valid().Little32(76, 5), "version"),
        Bad("type-huge", () => Valid().Little32(76, uint.MaxValue), "version"),
        Bad("sector-size-4096", () => Valid().Little32(360, 4096), "tables"),
        Bad("block-size-0", () => Valid().Little32(376, 0), "tables"),
        Bad("block-size-odd", () => Valid().Little32(376, 3 << 20), "tables"),
        Bad("block-size-512", () => Valid().Little32(376, 512).Little32(384, 8192), "tables"),
        Bad("block-size-huge", () => Valid().Little32(376, 1U << 31), "tables"),
        Bad("block-extra-huge", () => Valid().Little32(380, uint.MaxValue - 511), "tables"),
        Bad("block-extra-odd", () => Valid().Little32(380, 100), "tables"),
        Bad("size-beyond-blocks", () => Valid().Little64(368, 5UL * BlockSize), "tables"),
        Bad("size-huge", () => Valid().Little64(368, ulong.MaxValue), "tables"),
        Bad("blocks-huge", () => Valid().Little32(384, uint.MaxValue), "tables"),
        Bad("blocks-allocated-beyond-blocks", () => Valid().Little32(388, 5), "tables"),
        Bad("header-size-0", () => Valid().Little32(72, 0), "tables"),
        Bad("header-size-huge", () => Valid().Little32(72, uint.MaxValue), "tables"),
        Bad("map-over-header", () => Valid().Little32(340, 0), "tables"),
        Bad("map-misaligned", () => Valid().Little32(340, 513), "tables"),
        Bad("map-behind-data", () => Valid().Little32(340, 2048), "tables"),
        Bad("map-over-data", () => Valid().Little32(384, 129), "tables"),
        Bad("data-over-header", () => Valid().Little32(344, 0), "tables"),
        Bad("data-misaligned", () => Valid().Little32(344, 1025), "tables"),
        Bad("block-beyond-blocks", () => Valid().Little32(Map + 8, 4), "tables"),
        Bad("block-furthest", () => Valid().Little32(Map + 8, 0xFFFF_FFFD), "tables"),
        Bad("block-beyond-file", () => Valid().Little32(Map, 3), "truncated"),
        Bad("blocks-allocated-beyond-file", () => Valid().Little32(388, 4), "truncated"),
        Bad("data-beyond-file", () => Valid().Little32(344, 1U << 31).Little32(388, 1), "truncated"),
        Bad("map-beyond-file", () => Valid().Little32(340, 1 << 30).Little32(344, (1 << 30) + 512), "truncated"),
        Bad("cut-in-block", () => WithSmallBlock().Resize(Data + 4000), "truncated"),
        Bad("cut-in-map", () => Valid().Resize(Map + 8), "truncated"),
        Bad("cut-behind-header", () => Valid().Resize(Map), "truncated"),
        Bad("cut-in-header", () => Valid().Resize(400), "truncated"),
        Bad("cut-to-68", () => Valid().Resize(68), "truncated"),
    ];

    /// <summary>A dynamic image of 4 MiB in blocks of 1 MiB, none of them allocated: header and block map.</summary>
    public static BuiltImage Valid() => new BuiltImage(Data)
        .Text(0, "<<< Oracle VM VirtualBox Disk Image >>>\n").Little32(64, 0xBEDA107F).Little32(68, 0x0001_0001)
        .Little32(72, 384).Little32(76, 1).Text(84, "made for a test").Little32(340, Map).Little32(344, Data)
        .Little32(360, 512).Little64(368, 4UL * BlockSize).Little32(376, BlockSize).Little32(384, 4)
        .Put(392, Guid.Parse("01020304-0506-0708-090a-0b0c0d0e0f10").ToByteArray()).Byte(408, 2)
        .Put(Map, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]);

    /// <summary>
    /// An image of 16 KiB in blocks of 4 KiB, which VirtualBox reads and QEMU does not; the first is there.
    /// </summary>
    public static BuiltImage WithSmallBlock() => Valid().Resize(Data + 4096)
        .Little64(368, 16384).Little32(376, 4096).Little32(388, 1).Little32(Map, 0);

    private static CorpusCase Good(string name, Func<BuiltImage> make) =>
        new($"vdi/{name}", "vdi", [], () => make().ToArray());

    private static CorpusCase Bad(string name, Func<BuiltImage> make, params string[] failures) =>
        new($"vdi/{name}", "vdi", failures, () => make().ToArray());
}
