namespace ImageUtils.Builders;

/// <summary>Small LUKS volumes, and what can be wrong with them where no passphrase is given.</summary>
public static class LuksCases
{
    private const int Slot0 = 208;
    private const int Slot1 = Slot0 + 48;

    private static readonly byte[] s_content = new byte[8192];
    private static readonly LuksBuilder s_builder = new();

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("v1", Version1()),
        Good("v1-empty", Version1().Resize(LuksBuilder.PayloadOffset)),
        Good("v1-no-slot", Version1().Big32(Slot0, 0xDEAD)),
        Good("v1-cbc-essiv", (s_builder with { Mode = "cbc-essiv:sha256", KeyBytes = 32 }).Version1(s_content)),
        Good("v1-unknown-cipher", Version1().Text(8, "twofish")),
        Good("v1-text-without-end", Version1().Text(8, new string('x', 32)).Text(168, new string('y', 40))),
        Good("v1-two-slots", (s_builder with { OtherSlots = [7] }).Version1(s_content)),
        Good("v1-inactive-slot-anything", Version1().Big32(Slot1 + 40, uint.MaxValue).Big32(Slot1 + 44, uint.MaxValue)),
        Bad("version-0", Version1().Big16(6, 0), "version"),
        Bad("version-3", Version1().Big16(6, 3), "version"),
        Bad("version-65535", Version1().Big16(6, 0xFFFF), "version"),
        Bad("v1-key-bytes-0", Version1().Big32(108, 0), "tables"),
        Bad("v1-key-bytes-65", Version1().Big32(108, 65), "tables"),
        Bad("v1-key-bytes-huge", Version1().Big32(108, uint.MaxValue), "tables"),
        Bad("v1-digest-iterations-0", Version1().Big32(164, 0), "tables"),
        Bad("v1-payload-at-0", Version1().Big32(104, 0), "tables"),
        Bad("v1-payload-over-header", Version1().Big32(104, 1), "tables"),
        Bad("v1-payload-over-key-material", Version1().Big32(104, 8), "tables"),
        Bad("v1-payload-beyond-file", Version1().Big32(104, uint.MaxValue), "truncated"),
        Bad("v1-slot-state", Version1().Big32(Slot1, 0x1234), "tables"),
        Bad("v1-slot-iterations-0", Version1().Big32(Slot0 + 4, 0), "tables"),
        Bad("v1-slot-stripes-0", Version1().Big32(Slot0 + 44, 0), "tables"),
        Bad("v1-slot-stripes-8193", Version1().Big32(Slot0 + 44, 8193), "tables"),
        Bad("v1-slot-stripes-huge", Version1().Big32(Slot0 + 44, uint.MaxValue), "tables"),
        Bad("v1-slot-over-header", Version1().Big32(Slot0 + 40, 1), "tables"),
        Bad("v1-slot-at-0", Version1().Big32(Slot0 + 40, 0), "tables"),
        Bad("v1-slot-over-payload", Version1().Big32(Slot0 + 40, LuksBuilder.PayloadOffset / 512), "tables"),
        Bad("v1-slot-offset-huge", Version1().Big32(Slot0 + 40, uint.MaxValue), "tables"),
        Bad("v1-slots-overlap",
            (s_builder with { OtherSlots = [1] }).Version1(s_content).Big32(Slot1 + 40, 8), "tables"),
        Bad("v1-cut-in-magic", Version1().Resize(6), "truncated"),
        Bad("v1-cut-in-header", Version1().Resize(300), "truncated"),
        Bad("v1-cut-by-a-byte-of-header", Version1().Resize(591), "truncated"),
        Bad("v1-cut-in-key-material", Version1().Resize(4200), "truncated"),
        Bad("v1-cut-before-payload", Version1().Resize(LuksBuilder.PayloadOffset - 1), "truncated"),
        Bad("v1-cut-in-sector", Version1().Resize(LuksBuilder.PayloadOffset + 700), "truncated"),
        Bad("v2", Version2(), "version"),
        Bad("v2-fixed-size",
            Version2(json => json.Replace("\"dynamic\"", "\"4096\"", StringComparison.Ordinal)), "version"),
        Bad("v2-re-encryption", Version2(json => json.Replace(
            "\"segments\":{", "\"segments\":{\"1\":{\"type\":\"linear\",\"offset\":\"0\"},", StringComparison.Ordinal)),
            "version"),
        Bad("v2-header-size-0", Seal(Version2().Big64(8, 0)), "version", "tables"),
        Bad("v2-header-size-20000", Seal(Version2().Big64(8, 20000)), "version", "tables"),
        Bad("v2-header-size-huge", Seal(Version2().Big64(8, ulong.MaxValue)), "version", "tables"),
        Bad("v2-header-size-8-mib", Seal(Version2().Big64(8, 8 << 20)), "version", "tables"),
        Bad("v2-header-offset", Seal(Version2().Big64(256, 4096)), "version", "tables"),
        Bad("v2-checksum", Version2().Byte(448, 1), "version", "checksum"),
        Bad("v2-label-changed", Version2().Byte(24, 1), "version", "checksum"),
        Bad("v2-metadata-changed", Version2().Byte(16000, 1), "version", "checksum"),
        Bad("v2-checksum-unknown", Seal(Version2().Text(72, "md5\0\0\0")), "version", "checksum"),
        Bad("v2-second-missing", Change(Version2(), image => image[16384..32768].Clear()), "version", "checksum"),
        Bad("v2-second-changed", Version2().Byte(16384 + 24, 1), "version", "checksum"),
        Bad("v2-second-of-another-time", Seal(Version2().Big64(16384 + 16, 9)), "version", "checksum"),
        Bad("v2-second-differs", Seal(Version2().Text(16384 + 16000, "x")), "version", "checksum"),
        Bad("v2-no-json", Version2(_ => "nothing".PadRight(2000)), "version", "tables"),
        Bad("v2-json-cut", Version2(json => json[..(json.Length / 2)]), "version", "tables"),
        Bad("v2-json-array", Version2(_ => "[1,2,3]"), "version", "tables"),
        Bad("v2-json-empty", Version2(_ => "{}"), "version", "tables"),
        Bad("v2-json-deep", Version2(_ => new string('[', 5000)), "version", "tables"),
        Bad("v2-json-without-end", Seal(Fill(Version2())), "version", "tables"),
        Json("json-size", "\"12288\"", "\"12287\""),
        Json("json-size-negative", "\"12288\"", "\"-1\""),
        Json("json-size-not-a-number", "\"12288\"", "\"0x3000\""),
        Json("keyslots-size-overflows", "\"keyslots_size\":\"32768\"", "\"keyslots_size\":\"9223372036854775807\""),
        Json("keyslots-size-0", "\"keyslots_size\":\"32768\"", "\"keyslots_size\":\"0\""),
        Json("area-over-header", "\"offset\":\"32768\"", "\"offset\":\"0\""),
        Json("area-over-data", "\"offset\":\"32768\"", "\"offset\":\"65024\""),
        Json("area-overflows", "\"offset\":\"32768\"", "\"offset\":\"9223372036854775000\""),
        Json("area-too-small", "\"size\":\"4096\"", "\"size\":\"10\""),
        Json("stripes-0", "\"stripes\":4", "\"stripes\":0"),
        Json("stripes-huge", "\"stripes\":4", "\"stripes\":2147483647"),
        Json("stripes-text", "\"stripes\":4", "\"stripes\":\"four\""),
        Json("key-size-huge", "\"key_size\":64", "\"key_size\":65536"),
        Json("iterations-0", "\"iterations\":10", "\"iterations\":0"),
        Json("iterations-fraction", "\"iterations\":10", "\"iterations\":1.5"),
        Json("salt-not-base64", "\"salt\":\"", "\"salt\":\"!"),
        Json("digest-empty", "\"digest\":\"", "\"digest\":\"\",\"was\":\""),
        Json("segment-over-header", "\"offset\":\"65536\"", "\"offset\":\"4096\""),
        Json("segment-misaligned", "\"offset\":\"65536\"", "\"offset\":\"65537\""),
        Json("segment-overflows", "\"dynamic\"", "\"9223372036854775296\""),
        Json("sector-size-0", "\"sector_size\":512", "\"sector_size\":0"),
        Json("sector-size-8192", "\"sector_size\":512", "\"sector_size\":8192"),
        Json("type-null", "\"type\":\"crypt\"", "\"type\":null"),
        Bad("v2-slot-name-with-escape-sequence", Version2(json => json
            .Replace("\"keyslots\":{\"0\"", "\"keyslots\":{\"\\u001b[2J\"", StringComparison.Ordinal)
            .Replace("\"offset\":\"32768\"", "\"offset\":\"0\"", StringComparison.Ordinal)), "version", "tables"),
        Bad("v2-segment-beyond-file", Version2(json => json.Replace(
            "\"dynamic\"", "\"1073741824\"", StringComparison.Ordinal)), "version", "truncated"),
        Bad("v2-cut-in-header", Version2().Resize(2000), "version", "truncated"),
        Bad("v2-cut-in-metadata", Version2().Resize(8000), "version", "truncated"),
        Bad("v2-cut-in-second", Version2().Resize(20000), "version", "truncated"),
        Bad("v2-cut-before-data", Version2().Resize(LuksBuilder.SegmentOffset - 1), "version", "truncated"),
        Bad("v2-cut-in-sector", Version2().Resize(LuksBuilder.SegmentOffset + 511), "version", "truncated"),
        new("raw/luks-second-header-alone", "raw", [], () => Version2()[16384..].ToArray()),
        new("raw/luks-magic-cut", "raw", [], () => Version1().Resize(5).ToArray()),
    ];

    private static BuiltImage Version1() => s_builder.Version1(s_content);

    private static BuiltImage Version2(Func<string, string>? change = null) =>
        s_builder.Version2(s_content, change ?? (json => json));

    private static BuiltImage Seal(BuiltImage image) => LuksBuilder.Seal(image);

    private static BuiltImage Change(BuiltImage image, Action<BuiltImage> change)
    {
        change(image);
        return image;
    }

    // Both copies of the metadata, without the NUL that ends the text.
    private static BuiltImage Fill(BuiltImage image)
    {
        image[4096..16384].Fill((byte)' ');
        image[20480..32768].Fill((byte)' ');
        return image;
    }

    private static CorpusCase Json(string name, string old, string replacement) => Bad(
        $"v2-{name}", Version2(json => json.Replace(old, replacement, StringComparison.Ordinal)), "version", "tables");

    private static CorpusCase Good(string name, BuiltImage image) => new($"luks/{name}", "luks", [], image.ToArray);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"luks/{name}", "luks", failures, image.ToArray);
}
