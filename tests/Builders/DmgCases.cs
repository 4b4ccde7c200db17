using System.Text;

namespace ImageUtils.Builders;

/// <summary>A small Apple disk image, and what can be wrong with it.</summary>
public static class DmgCases
{
    private const int Xml = 4096;
    private const int Trailer = 8192;

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("one-chunk", Valid()),
        Good("odd-length", new BuiltImage(Trailer + 512 + 100).Put(100, Valid().ToArray())),
        Good("trailer-only-behind-long-data", new BuiltImage(100_000 + 512).Put(100_000, Valid()[Trailer..])),
        Bad("version-3", Valid().Big32(Trailer + 4, 3), "version"),
        Bad("header-size-1024", Valid().Big32(Trailer + 8, 1024), "version"),
        Bad("data-fork-into-trailer", Valid().Big64(Trailer + 32, Trailer + 1), "tables"),
        Bad("data-fork-overflows", Valid().Big64(Trailer + 24, ulong.MaxValue).Big64(Trailer + 32, 2), "tables"),
        Bad("resource-fork-into-trailer", Valid().Big64(Trailer + 40, Trailer).Big64(Trailer + 48, 1), "tables"),
        Bad("property-list-into-trailer", Valid().Big64(Trailer + 216, Trailer), "tables"),
        Bad("property-list-huge", Valid().Big64(Trailer + 224, 1UL << 40), "tables"),
        Bad("no-property-list", Valid().Big64(Trailer + 224, 0), "tables"),
        Bad("sector-count-huge", Valid().Big64(Trailer + 492, ulong.MaxValue), "tables"),
        Bad("segment", Valid().Big32(Trailer + 56, 1).Big32(Trailer + 60, 3), "truncated"),
        Bad("zeros-behind-signature", new BuiltImage(512).Text(0, "koly"), "tables", "version"),
    ];

    /// <summary>A disk of four sectors, stored as they are, with the property list that says so.</summary>
    public static BuiltImage Valid()
    {
        var blocks = new BuiltImage(204 + 2 * 40).Text(0, "mish").Big32(4, 1).Big64(16, 4).Big32(200, 2)
            .Big32(204, 1).Big64(204 + 16, 4).Big64(204 + 32, 2048)
            .Big32(244, uint.MaxValue).Big64(244 + 8, 4);
        var list = Encoding.ASCII.GetBytes(
            "<plist><dict><key>resource-fork</key><dict><key>blkx</key><array><dict><key>Data</key><data>"
            + Convert.ToBase64String(blocks.ToArray()) + "</data></dict></array></dict></dict></plist>");
        return new BuiltImage(Trailer + 512).Put(Xml, list)
            .Text(Trailer, "koly").Big32(Trailer + 4, 4).Big32(Trailer + 8, 512).Big32(Trailer + 12, 1)
            .Big64(Trailer + 32, 2048).Big32(Trailer + 56, 1).Big32(Trailer + 60, 1)
            .Big64(Trailer + 216, Xml).Big64(Trailer + 224, (ulong)list.Length)
            .Big32(Trailer + 488, 1).Big64(Trailer + 492, 4);
    }

    private static CorpusCase Good(string name, BuiltImage image) => new($"dmg/{name}", "dmg", [], image.ToArray);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"dmg/{name}", "dmg", failures, image.ToArray);
}
