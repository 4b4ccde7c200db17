namespace ImageUtils.Builders;

/// <summary>Compressed loop images, which are always refused.</summary>
public static class CloopCases
{
    private const string Preamble =
        "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n";

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Bad("two-blocks", Valid()),
        Bad("block-size-0", Valid().Big32(128, 0)),
        Bad("block-size-odd", Valid().Big32(128, 1000)),
        Bad("sizes-huge", Valid().Big32(128, uint.MaxValue).Big32(132, uint.MaxValue)),
        Bad("cut-to-preamble", Valid().Resize(Preamble.Length)),
        Bad("cut-to-130", Valid().Resize(130)),
        new("cloop/not-other-script", "raw", [], Valid().Byte(13, (byte)'3').ToArray),
    ];

    /// <summary>An image of two blocks of 64 KiB, whose data is not there.</summary>
    public static BuiltImage Valid() => new BuiltImage(4096)
        .Text(0, Preamble).Big32(128, 65536).Big32(132, 2)
        .Big64(136, 160).Big64(144, 200).Big64(152, 240);

    private static CorpusCase Bad(string name, BuiltImage image) =>
        new($"cloop/{name}", "cloop", ["banned"], image.ToArray);
}
