namespace ImageUtils.Builders;

/// <summary>Bochs images, which are always refused.</summary>
public static class BochsCases
{
    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Bad("version-2", Valid()),
        Bad("version-1", Valid().Little32(64, 0x10000).Little64(84, 1 << 20)),
        Bad("undoable", Valid().Text(48, "Undoable")),
        Bad("unknown-version", Valid().Little32(64, 7)),
        Bad("size-huge", Valid().Little64(88, ulong.MaxValue)),
        Bad("cut-to-22", Valid().Resize(22)),
        Bad("cut-to-95", Valid().Resize(95)),
        new("bochs/not-other-text", "raw", [], Valid().Byte(22, (byte)'s').ToArray),
    ];

    /// <summary>A growing image of 1 MiB with an empty catalog.</summary>
    public static BuiltImage Valid() => new BuiltImage(1024)
        .Text(0, "Bochs Virtual HD Image").Text(32, "Redolog").Text(48, "Growing")
        .Little32(64, 0x20000).Little32(68, 512).Little32(72, 16).Little32(76, 16).Little32(80, 65536)
        .Little64(88, 1 << 20).Put(512, Enumerable.Repeat((byte)0xFF, 64).ToArray());

    private static CorpusCase Bad(string name, BuiltImage image) =>
        new($"bochs/{name}", "bochs", ["banned"], image.ToArray);
}
