namespace ImageUtils.Builders;

/// <summary>Small optical discs and what can be wrong with them.</summary>
public static class IsoCases
{
    private const int Sector = 2048;
    private const int Primary = 16 * Sector;

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("valid", Iso()),
        Good("file-longer-than-volume", Iso().Resize(40 * Sector)),
        Good("boot-record-first", Iso().Put(18 * Sector, Iso()[(17 * Sector)..(18 * Sector)])
            .Put(17 * Sector, Iso()[Primary..(17 * Sector)]).Put(Primary, new byte[Sector])
            .Text(Primary, "\0CD001\u0001EL TORITO SPECIFICATION")),
        Good("joliet", Iso().Text(17 * Sector, "\u0002CD001\u0001").Text(17 * Sector + 88, "%/E")),
        Good("bridge", Udf(Iso(), 18).Resize(300 * Sector)),
        Good("udf", Udf(new BuiltImage(300 * Sector), 16)),
        Good("udf-nsr03", Udf(new BuiltImage(300 * Sector), 16).Text(17 * Sector + 1, "NSR03")),
        Good("udf-512-byte-blocks", Udf(new BuiltImage(300 * Sector), 16, 512)),
        Good("block-size-512", Iso().Little16(Primary + 128, 512).Big16(Primary + 130, 512)),
        Good("with-mbr", Iso().Little16(510, 0xAA55).Byte(450, 0x17).Little32(454, 0).Little32(458, 128)),
        Good("with-hybrid-gpt", Iso().Little16(510, 0xAA55).Byte(446, 0x80).Byte(450, 0).Byte(466, 0xEF)
            .Text(512, "EFI PART")),
        Bad("no-primary", Iso().Byte(Primary, 3), "tables"),
        Bad("terminator-first", Iso().Byte(Primary, 255), "tables"),
        Bad("block-size-0", Iso().Little32(Primary + 128, 0), "tables"),
        Bad("block-size-4096", Iso().Little16(Primary + 128, 4096).Big16(Primary + 130, 4096)
            .Resize(80 * Sector), "tables"),
        Bad("block-sizes-differ", Iso().Big16(Primary + 130, 512), "tables"),
        Bad("volume-sizes-differ", Iso().Big32(Primary + 84, 7), "tables"),
        Bad("path-table-sizes-differ", Iso().Little32(Primary + 132, 10), "tables"),
        Bad("volume-huge", Iso().Little32(Primary + 80, uint.MaxValue).Big32(Primary + 84, uint.MaxValue), "truncated"),
        Bad("cut-in-signature", Iso().Resize(Primary + 7), "truncated"),
        Bad("cut-in-descriptor", Iso().Resize(Primary + 1000), "truncated"),
        Bad("cut-by-a-byte", Iso().Resize(24 * Sector - 1), "truncated"),
        Bad("udf-cut-before-anchor", Udf(new BuiltImage(300 * Sector), 16).Resize(200 * Sector), "truncated"),
        Bad("udf-cut-in-sequence", Udf(new BuiltImage(300 * Sector), 16).Resize(275 * Sector), "truncated"),
        Bad("udf-without-anchor", Udf(new BuiltImage(300 * Sector), 16).Byte(256 * Sector, 0), "tables"),
        Bad("udf-anchor-checksum", Udf(new BuiltImage(300 * Sector), 16).Byte(256 * Sector + 4, 0), "tables"),
        Bad("udf-sequence-huge", Udf(new BuiltImage(300 * Sector), 16)
            .Little32(256 * Sector + 16, uint.MaxValue).Little32(256 * Sector + 20, uint.MaxValue), "truncated"),
        Raw("identifier-elsewhere", Iso().Byte(Primary + 1, (byte)'c')),
        Raw("udf-extension-alone", new BuiltImage(64 * Sector).Text(Primary, "\0BEA01\u0001")
            .Text(17 * Sector, "\0TEA01\u0001")),
        Raw("cut-before-signature", Iso().Resize(Primary + 5)),
    ];

    /// <summary>A volume of 24 blocks, with a primary descriptor and the end of the descriptors.</summary>
    public static BuiltImage Iso() => new BuiltImage(24 * Sector)
        .Text(Primary, "\u0001CD001\u0001").Text(Primary + 8, "LINUX".PadRight(32))
        .Text(Primary + 40, "Test volume".PadRight(32))
        .Little32(Primary + 80, 24).Big32(Primary + 84, 24)
        .Little16(Primary + 120, 1).Big16(Primary + 122, 1).Little16(Primary + 124, 1).Big16(Primary + 126, 1)
        .Little16(Primary + 128, Sector).Big16(Primary + 130, Sector)
        .Little32(Primary + 132, 0x1234).Big32(Primary + 136, 0x1234)
        .Text(Primary + 318, "Nobody".PadRight(128)).Text(Primary + 574, "By hand".PadRight(128))
        .Byte(17 * Sector, 255).Text(17 * Sector + 1, "CD001\u0001");

    private static BuiltImage Udf(BuiltImage image, int sector, int blockSize = Sector)
    {
        if (image.Length < 300 * Sector)
        {
            image.Resize(300 * Sector);
        }

        var anchor = 256 * blockSize;
        image.Text(sector * Sector, "\0BEA01\u0001").Text((sector + 1) * Sector, "\0NSR02\u0001")
            .Text((sector + 2) * Sector, "\0TEA01\u0001")
            .Little16(anchor, 2).Little16(anchor + 2, 2).Little32(anchor + 12, 256)
            .Little32(anchor + 16, 16 * (uint)blockSize).Little32(anchor + 20, 260)
            .Little32(anchor + 24, 16 * (uint)blockSize).Little32(anchor + 28, 276);
        byte sum = 0;
        foreach (var value in image[anchor..(anchor + 16)])
        {
            sum += value;
        }

        return image.Byte(anchor + 4, sum);
    }

    private static CorpusCase Good(string name, BuiltImage image) => new($"iso/{name}", "iso", [], image.ToArray);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"iso/{name}", "iso", failures, image.ToArray);

    private static CorpusCase Raw(string name, BuiltImage image) => new($"raw/iso-{name}", "raw", [], image.ToArray);
}
