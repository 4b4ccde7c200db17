using System.Text;

namespace ImageUtils.Builders;

/// <summary>Small VHDs, fixed, dynamic and differencing, and what can be wrong with them.</summary>
public static class VhdCases
{
    private const int Header = 512;
    private const int Table = 1536;
    private const int TableEnd = 2048;
    private const int DiskSize = 8 << 20;

    /// <summary>Where the parent's platform names lie in a differencing disk.</summary>
    private const int Names = 2048;

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("dynamic", () => Seal(Dynamic())),
        Good("dynamic-with-block", () => Seal(WithBlock())),
        Good("dynamic-table-behind-blocks", () => Seal(WithTableBehindBlock())),
        Good("dynamic-empty", () => Seal(Dynamic().Big64(48, 0).Big32(Header + 28, 0))),
        Good("dynamic-temporary", () => Seal(Dynamic().Big32(8, 3))),
        Good("dynamic-ancient-footer", () => SealAncient(Dynamic())),
        Good("fixed", () => SealFixed(Fixed(65536))),
        Good("fixed-with-short-footer", () => SealFixed(Fixed(65536).Resize(65536 + 511), 511)),
        Good("fixed-geometry", () => SealFixed(Fixed(17 * 4 * 8 * 512).Text(FooterOf(17 * 4 * 8 * 512) + 28, "vpc ")
            .Big16(FooterOf(17 * 4 * 8 * 512) + 56, 8))),
        Good("fixed-with-mbr", () => OnDisk(PartitionTableCases.Mbr())),
        Good("fixed-with-gpt", () => OnDisk(PartitionTableCases.Gpt())),
        Good("fixed-with-bad-mbr", () => OnDisk(PartitionTableCases.Mbr().Byte(446, 0x41))),
        Bad("dynamic-with-mbr", () => Seal(Dynamic().Little16(510, 0xAA55).Byte(450, 0x83).Little32(454, 8)
            .Little32(458, 8)), "ambiguous"),
        Bad("parent-etc-passwd", () => Seal(Differencing("../../etc/passwd")), "parent"),
        Bad("parent-locator-only", () => Seal(Differencing("base.vhd", unicodeName: "")), "parent"),
        Bad("parent-unicode-name-only", () => Seal(Differencing(null, unicodeName: "/etc/passwd")), "parent"),
        Bad("parent-unnamed", () => Seal(Differencing(null, unicodeName: "")), "parent"),
        Bad("parent-url", () => Seal(WithLocator("MacX", Encoding.UTF8.GetBytes("file:///etc/shadow"))), "parent"),
        Bad("parent-alias-only", () => Seal(WithLocator("Mac ", new byte[64])), "parent"),
        Bad("parent-locator-beyond-file", () => Seal(Differencing("base.vhd").Big64(Header + 592, 1 << 20)), "parent"),
        Bad("parent-locator-huge", () => Seal(Differencing("base.vhd").Big32(Header + 584, 0x4000_0000)), "parent"),
        Bad("parent-locator-over-header", () => Seal(Differencing("base.vhd").Big64(Header + 592, 600)),
            "parent", "tables"),
        Bad("parent-locator-offset-overflows", () => Seal(Differencing("base.vhd").Big64(Header + 592, ulong.MaxValue)),
            "parent", "tables"),
        Bad("parent-in-dynamic", () => Seal(Differencing("/etc/passwd").Big32(60, 3)), "parent"),
        Bad("parent-header-cut", () => Seal(Differencing("base.vhd")).Resize(1000), "parent", "truncated"),
        Bad("parent-header-elsewhere", () => Seal(Differencing("base.vhd").Big64(16, 1 << 30), seesHeader: false),
            "parent", "tables"),
        Bad("parent-fixed-footer-only", () => SealFixed(Fixed(4096).Big32(FooterOf(4096) + 60, 4)),
            "parent", "checksum"),
        Bad("checksum-copy", () => Seal(Dynamic()).Byte(400, 1), "checksum"),
        Bad("checksum-header", () => Seal(Dynamic()).Byte(Header + 1000, 1), "checksum"),
        Bad("checksum-footer", () => Seal(Dynamic()).Byte(TableEnd + 400, 1), "checksum"),
        Bad("checksum-fixed", () => SealFixed(Fixed(4096)).Byte(FooterOf(4096) + 400, 1), "checksum"),
        Bad("copies-differ-in-size", () => SealFooter(Seal(Dynamic()).Big64(TableEnd + 48, DiskSize / 2), TableEnd),
            "change_pending"),
        Bad("copies-differ-in-type", () => SealFooter(Seal(Dynamic()).Big32(TableEnd + 60, 4), TableEnd), "checksum"),
        Bad("copies-differ-in-id", () => SealFooter(Seal(Dynamic()).Byte(TableEnd + 68, 9), TableEnd), "checksum"),
        Bad("copies-differ-in-data-offset", () => SealFooter(Seal(Dynamic()).Big64(TableEnd + 16, 1024), TableEnd),
            "checksum"),
        Bad("copies-differ-in-parent", () => WithSecondHeader("base.vhd"), "parent", "change_pending"),
        Bad("copy-missing", () => Seal(Dynamic()).Put(0, new byte[512]), "checksum"),
        Bad("version-2", () => Seal(Dynamic().Big32(12, 0x0002_0000)), "version"),
        Bad("version-of-header-2", () => Seal(Dynamic().Big32(Header + 24, 0x0002_0000)), "version"),
        Bad("version-fixed", () => SealFixed(Fixed(4096).Big32(FooterOf(4096) + 12, 1)), "version"),
        Bad("type-0", () => Seal(Dynamic().Big32(60, 0)), "version"),
        Bad("type-5", () => Seal(Dynamic().Big32(60, 5)), "version"),
        Bad("type-fixed-at-start", () => Seal(Dynamic().Big32(60, 2)), "version"),
        Bad("type-7-fixed", () => SealFixed(Fixed(4096).Big32(FooterOf(4096) + 60, 7)), "version"),
        Bad("header-cookie", () => Seal(Dynamic(), seesHeader: false).Text(Header, "cxsparsX"), "tables"),
        Bad("header-over-footer", () => Seal(Dynamic().Big64(16, 0), seesHeader: false), "tables"),
        Bad("header-beyond-head", () => Seal(Dynamic().Big64(16, 65536), seesHeader: false), "tables"),
        Bad("header-offset-overflows", () => Seal(Dynamic().Big64(16, ulong.MaxValue), seesHeader: false), "tables"),
        Bad("header-at-end", () => Seal(Dynamic().Big64(16, TableEnd), seesHeader: false), "truncated"),
        Bad("block-size-0", () => Seal(Dynamic().Big32(Header + 32, 0)), "tables"),
        Bad("block-size-512", () => Seal(Dynamic().Big32(Header + 32, 512).Big32(Header + 28, 1 << 14)), "tables"),
        Bad("block-size-odd", () => Seal(Dynamic().Big32(Header + 32, 3 << 20)), "tables"),
        Bad("block-size-huge", () => Seal(Dynamic().Big32(Header + 32, 1U << 31)), "tables"),
        Bad("table-too-small", () => Seal(Dynamic().Big32(Header + 28, 3)), "tables"),
        Bad("table-too-small-for-geometry", () => Seal(Dynamic().Text(28, "qemu").Big16(56, 9999)), "tables"),
        Bad("table-entries-huge", () => Seal(Dynamic().Big32(Header + 28, uint.MaxValue)), "tables"),
        Bad("table-beyond-file", () => Seal(Dynamic().Big64(Header + 16, 1 << 20)), "tables"),
        Bad("table-over-footer", () => Seal(Dynamic().Big64(Header + 16, 0)), "tables"),
        Bad("table-over-header", () => Seal(Dynamic().Big64(Header + 16, 1024)), "tables"),
        Bad("table-offset-overflows", () => Seal(Dynamic().Big64(Header + 16, ulong.MaxValue - 8)), "tables"),
        Bad("table-offset-negative", () => Seal(Dynamic().Big64(Header + 16, 1UL << 63)), "tables"),
        Bad("size-beyond-2040-gib", () => Seal(Dynamic().Big64(48, 1UL << 42)), "tables"),
        Bad("size-overflows", () => Seal(Dynamic().Big64(48, ulong.MaxValue)), "tables"),
        Bad("size-beyond-2040-gib-fixed", () => SealFixed(Fixed(4096).Big64(FooterOf(4096) + 48, 1UL << 62)),
            "tables", "truncated"),
        Bad("block-over-header", () => Seal(WithBlock().Big32(Table, 1)), "tables"),
        Bad("block-over-table", () => Seal(WithBlock().Big32(Table, 3)), "tables"),
        Bad("block-over-footer-copy", () => Seal(WithBlock().Big32(Table, 0)), "tables"),
        Bad("block-beyond-file", () => Seal(WithBlock().Big32(Table + 4, 0x00FF_FFFF)), "truncated"),
        Bad("block-furthest", () => Seal(WithBlock().Big32(Table + 4, 0xFFFF_FFFE)), "truncated"),
        Bad("block-over-footer", () => Seal(WithBlock().Big32(Table, 5)), "truncated"),
        Bad("fixed-cut-short", () => SealFixed(Fixed(65536).Big64(FooterOf(65536) + 48, 1 << 20)), "truncated"),
        Bad("fixed-longer-than-disk", () => SealFixed(Fixed(65536).Big64(FooterOf(65536) + 48, 4096)),
            "change_pending"),
        Bad("fixed-geometry-beyond-size", () => SealFixed(Fixed(65536).Text(FooterOf(65536) + 28, "vpc ")
            .Big16(FooterOf(65536) + 56, 60000)), "tables"),
        Bad("footer-missing", () => Seal(Dynamic()).Resize(TableEnd), "truncated"),
        Bad("footer-cut", () => Seal(Dynamic()).Resize(TableEnd + 100), "truncated"),
        Bad("footer-followed-by-bytes", () => Seal(Dynamic()).Resize(4096), "truncated"),
        Bad("cut-in-table", () => Seal(Dynamic()).Resize(Table + 8), "tables", "truncated"),
        Bad("cut-in-header", () => Seal(Dynamic()).Resize(Header + 100), "truncated"),
        Bad("cut-to-512", () => Seal(Dynamic()).Resize(512), "truncated"),
        Bad("cut-to-511", () => Seal(Dynamic()).Resize(511), "truncated"),
        Bad("cut-to-8", () => Seal(Dynamic()).Resize(8), "truncated"),
        Bad("fixed-empty", () => SealFixed(Fixed(0)), "version", "tables"),
    ];

    /// <summary>
    /// 8 MiB in blocks of 2 MiB, none of them allocated: footer's copy, header, table, room for the footer.
    /// </summary>
    public static BuiltImage Dynamic() => Footer(new BuiltImage(TableEnd + 512), 0, DiskSize, 3).Big64(16, Header)
        .Text(Header, "cxsparse").Big64(Header + 8, ulong.MaxValue).Big64(Header + 16, Table)
        .Big32(Header + 24, 0x0001_0000).Big32(Header + 28, 4).Big32(Header + 32, 2 << 20)
        .Put(Table, Filled(512, 0xFF));

    /// <summary>256 KiB in blocks of 64 KiB, the first of them allocated right behind the table.</summary>
    public static BuiltImage WithBlock() => Dynamic().Resize(TableEnd + 512 + 65536 + 512)
        .Big64(40, 262144).Big64(48, 262144).Big32(Header + 32, 65536).Big32(Table, TableEnd / 512)
        .Put(TableEnd, Filled(16, 0xFF));

    /// <summary>A fixed disk of zeros.</summary>
    public static BuiltImage Fixed(int size) => Footer(new BuiltImage(size + 512), size, (ulong)size, 2);

    /// <summary>A fixed disk with this content.</summary>
    public static BuiltImage OnDisk(BuiltImage content) =>
        SealFixed(Fixed(content.Length).Put(0, content.ToArray()));

    /// <summary>
    /// A differencing disk with the parent's name as a relative Windows path, if any, and in the header.
    /// </summary>
    public static BuiltImage Differencing(string? relativeName, string unicodeName = "base.vhd")
    {
        var image = relativeName is null
            ? Dynamic()
            : WithLocator("W2ru", Encoding.Unicode.GetBytes(relativeName));
        return image.Big32(60, 4).Put(Header + 40, Filled(16, 7)).Big32(Header + 56, 1000)
            .Put(Header + 64, Encoding.BigEndianUnicode.GetBytes(unicodeName));
    }

    /// <summary>A differencing disk that names its parent in one locator only.</summary>
    public static BuiltImage WithLocator(string code, byte[] name) => Dynamic().Resize(Names + 512 + 512).Big32(60, 4)
        .Text(Header + 576, code).Big32(Header + 580, 512).Big32(Header + 584, (uint)name.Length)
        .Big64(Header + 592, Names).Put(Names, name);

    /// <summary>
    /// A differencing disk between the two writes of a change of its parent: the footer at the end points at a second
    /// header, which has the parent's name as it was.
    /// </summary>
    /// <param name="name">The parent's name in the first header.</param>
    /// <param name="change">Changes the second header, before its checksum is put in.</param>
    public static BuiltImage WithSecondHeader(string name, Action<BuiltImage>? change = null)
    {
        const int second = Names + 512;
        var image = Differencing(@".\" + name, name).Resize(second + 1024 + 512);
        image.Put(second, Seal(image)[Header..(Header + 1024)].ToArray())
            .Put(second + 64, Encoding.BigEndianUnicode.GetBytes("old.vhd\0"));
        change?.Invoke(image);
        image.Big32(second + 36, 0).Big32(second + 36, ~Sum(image[second..(second + 1024)]));
        var end = second + 1024;
        return SealFooter(Seal(image).Big64(end + 16, second), end);
    }

    /// <summary>Puts the checksums in, and the footer at the end.</summary>
    public static BuiltImage Seal(BuiltImage image, bool seesHeader = true)
    {
        SealFooter(image, 0);
        if (seesHeader)
        {
            image.Big32(Header + 36, 0).Big32(Header + 36, ~Sum(image[Header..(Header + 1024)]));
        }

        return image.Put(image.Length - 512, image[..512]);
    }

    /// <summary>Puts the checksum into a fixed disk's footer.</summary>
    public static BuiltImage SealFixed(BuiltImage image, int footerLength = 512) =>
        SealFooter(image, image.Length - 512 + (512 - footerLength), footerLength);

    private static BuiltImage SealAncient(BuiltImage image)
    {
        Seal(image);
        return image.Put(image.Length - 511, image[..511]).Resize(image.Length);
    }

    // Blocks before the table is unusual, but nothing forbids it.
    private static BuiltImage WithTableBehindBlock()
    {
        const int table = 70144;
        return WithBlock().Resize(table + 512 + 512).Big64(Header + 16, table).Put(table, Filled(512, 0xFF))
            .Big32(table, Table / 512);
    }

    private static int FooterOf(int size) => size;

    private static BuiltImage Footer(BuiltImage image, int at, ulong size, uint type) => image
        .Text(at, "conectix").Big32(at + 8, 2).Big32(at + 12, 0x0001_0000).Big64(at + 16, ulong.MaxValue)
        .Big32(at + 24, 500_000_000).Text(at + 28, "win ").Big32(at + 32, 0x000A_0000).Text(at + 36, "Wi2k")
        .Big64(at + 40, size).Big64(at + 48, size).Big16(at + 56, 3).Byte(at + 58, 4).Byte(at + 59, 17)
        .Big32(at + 60, type).Put(at + 68, Filled(16, 0x5A));

    private static BuiltImage SealFooter(BuiltImage image, int at) => SealFooter(image, at, 512);

    private static BuiltImage SealFooter(BuiltImage image, int at, int length) =>
        image.Big32(at + 64, 0).Big32(at + 64, ~Sum(image[at..(at + length)]));

    private static uint Sum(ReadOnlySpan<byte> bytes)
    {
        uint sum = 0;
        foreach (var value in bytes)
        {
            sum += value;
        }

        return sum;
    }

    private static byte[] Filled(int length, byte value)
    {
        var bytes = new byte[length];
        Array.Fill(bytes, value);
        return bytes;
    }

    private static CorpusCase Good(string name, Func<BuiltImage> make) =>
        new($"vhd/{name}", "vhd", [], () => make().ToArray());

    private static CorpusCase Bad(string name, Func<BuiltImage> make, params string[] failures) =>
        new($"vhd/{name}", "vhd", failures, () => make().ToArray());
}
