using System.Text;

namespace ImageUtils.Builders;

/// <summary>Small VMDKs of every kind, and what can be wrong with them.</summary>
public static class VmdkCases
{
    private const int Sector = 512;
    private const int GrainDirectory = 26 * Sector;
    private const int GrainTable = 27 * Sector;
    private const int FirstGrain = 32 * Sector;
    private const int StreamLength = 64 * Sector;
    private const int Footer = StreamLength - 2 * Sector;
    private const string Flat = "RW 2048 FLAT \"disk-flat.vmdk\" 0";

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("monolithic-sparse", Valid()),
        Good("monolithic-sparse-zeroed-grains", Valid().Little32(4, 2).Little32(8, 7).Little32(GrainTable + 4, 1)),
        Good("monolithic-sparse-without-redundancy", Valid().Little32(8, 1).Little64(48, 0)),
        Good("monolithic-sparse-unclean", Valid().Byte(72, 1)),
        Good("monolithic-sparse-crlf", WithDescriptor(Text().Replace("\n", "\r\n"))),
        Good("create-type-in-upper-case", WithDescriptor(Text("MONOLITHICSPARSE"))),
        Good("extent-name-with-spaces", WithDescriptor(Text(extents: "RW 2048 SPARSE \"my disk.vmdk\""))),
        Good("grain-table-before-directory", Valid().Little64(56, 31).Little32(31 * Sector, 27)),
        Good("stream-optimized", ValidStream()),
        Good("stream-optimized-with-header-directory", Valid().Little32(8, 0x30003).Byte(77, 1)
            .Put(Sector, Padded(Text("streamOptimized")))),

        // Descriptor
        Bad("no-descriptor", Valid().Little64(28, 0).Little64(36, 0), "descriptor"),
        Bad("descriptor-empty", WithDescriptor(""), "descriptor"),
        Bad("descriptor-at-sector-2", Valid().Little64(28, 2).Little64(36, 19), "descriptor", "extents"),
        Bad("descriptor-at-huge-sector", Valid().Little64(28, ulong.MaxValue), "descriptor", "extents"),
        Bad("descriptor-size-huge", Valid().Little64(36, ulong.MaxValue), "descriptor", "tables"),
        Bad("descriptor-overruns", WithDescriptor(Text() + new string('#', 600)).Little64(36, 1), "descriptor"),
        Bad("descriptor-not-ascii", WithDescriptor(Text() + "# \u00e9\n"), "descriptor"),
        Bad("descriptor-unknown-line", WithDescriptor(Text() + "something else\n"), "descriptor"),
        Bad("descriptor-control-character", WithDescriptor(Text() + "a=\u0001\n"), "descriptor"),
        Bad("descriptor-without-create-type", WithDescriptor(Text().Replace("createType", "kind")),
            "descriptor", "extents"),
        Bad("descriptor-without-extents", WithDescriptor(Text(extents: "")), "descriptor"),
        Bad("descriptor-without-cid", WithDescriptor(Text().Replace("\nCID=fffffffe", "")), "descriptor"),
        Bad("descriptor-cid-not-hex", WithDescriptor(Text().Replace("CID=fffffffe", "CID=xyz")), "descriptor"),
        Bad("create-type-unquoted", WithDescriptor(
            Text().Replace("\"monolithicSparse\"", "monolithicSparse")), "descriptor"),
        Bad("create-type-twice", WithDescriptor(Text() + "createType=\"monolithicFlat\"\n"), "descriptor"),
        Bad("create-type-in-comment-too", WithDescriptor("# createType=\"vmfs\"\n" + Text()), "descriptor"),
        Bad("create-type-embedded-flat", WithDescriptor(Text("monolithicFlat", Flat)), "descriptor", "extents"),
        Bad("create-type-unknown", WithDescriptor(Text("strange")), "descriptor", "extents"),
        Bad("extent-line-broken", WithDescriptor(Text(extents: "RW\n2048\nSPARSE\n\"/etc/passwd\"")), "descriptor"),
        Bad("extent-line-size-overflows", WithDescriptor(
            Text(extents: "RW 99999999999999999999 SPARSE \"a\"")), "descriptor"),
        Bad("extent-line-negative", WithDescriptor(Text(extents: "RW -1 SPARSE \"a\"")), "descriptor"),
        Bad("extent-name-too-long", WithDescriptor(
            Text(extents: $"RW 2048 SPARSE \"{new string('a', 512)}\"")), "descriptor"),

        // Extents
        Bad("extent-path", WithDescriptor(Text(extents: "RW 2048 SPARSE \"/etc/passwd\"")), "descriptor", "extents"),
        Bad("extent-path-behind-tabs", WithDescriptor(
            Text(extents: "RW 2048 SPARSE \"a\"\nRW\t2048\tFLAT\t\"/etc/pass=wd\"\t0")), "descriptor", "extents"),
        Bad("extent-windows-path", WithDescriptor(
            Text(extents: "RW 2048 SPARSE \"\\\\\\\\.\\\\PhysicalDrive0\"")), "extents"),
        Bad("extent-protocol", WithDescriptor(Text(extents: "RW 2048 SPARSE \"nbd:unix:socket\"")), "extents"),
        Bad("extent-flat-in-sparse", WithDescriptor(Text(extents: Flat)), "extents"),
        Bad("extents-two", WithDescriptor(
            Text(extents: "RW 1024 SPARSE \"a.vmdk\"\nRW 1024 SPARSE \"b.vmdk\"")), "extents"),
        Bad("capacity-zero-makes-extents-files", Valid().Little64(12, 0), "extents"),
        Bad("capacity-zero-flat", WithDescriptor(Text("monolithicFlat", "RW 2048 FLAT \"/etc/shadow\" 0"))
            .Little64(12, 0), "descriptor", "extents"),

        // Parent
        Bad("parent", WithDescriptor(Text() + "parentFileNameHint=\"/etc/passwd\"\n"), "parent"),
        Bad("parent-in-comment", WithDescriptor(Text() + "# parentFileNameHint=\"/etc/passwd\"\n"), "parent"),
        Bad("parent-in-odd-form", WithDescriptor(Text() + "PARENTFILENAMEHINT=/etc/passwd\n"), "parent"),
        Bad("parent-by-cid-only", WithDescriptor(Text().Replace("parentCID=ffffffff", "parentCID=12345678")), "parent"),
        Bad("parent-cid-second", WithDescriptor(Text() + "parentCID=12345678\n"), "parent"),
        Bad("parent-behind-descriptor-size", WithDescriptor(
            Text() + new string('#', 600) + "\nparentFileNameHint=\"/etc/passwd\"\n").Little64(36, 1),
            "descriptor", "parent"),
        Bad("parent-without-descriptor", WithDescriptor(Text() + "parentFileNameHint=\"/etc/passwd\"\n")
            .Little64(28, 0), "descriptor", "parent"),

        // Version, tables, data
        Bad("version-0", Valid().Little32(4, 0), "version"),
        Bad("version-4", Valid().Little32(4, 4), "version"),
        Bad("descriptor-version-4", WithDescriptor(Text().Replace("version=1", "version=4")), "version"),
        Bad("grain-size-0", Valid().Little64(20, 0), "tables"),
        Bad("grain-size-odd", Valid().Little64(20, 100), "tables"),
        Bad("grain-size-huge", Valid().Little64(20, 1UL << 63), "tables"),
        Bad("entries-per-table-0", Valid().Little32(44, 0), "tables"),
        Bad("entries-per-table-huge", Valid().Little32(44, 0x8000_0000), "tables"),
        Bad("capacity-overflows", Valid().Little64(12, ulong.MaxValue), "tables"),
        Bad("capacity-needs-huge-directory", Valid().Little64(12, 1UL << 52), "tables"),
        Bad("capacity-over-directory", Valid().Little64(12, 1UL << 32), "tables"),
        Bad("compress-algorithm-2", Valid().Byte(77, 2), "tables"),
        Bad("newlines-converted", Valid().Byte(75, 0x0A), "tables"),
        Bad("directory-at-0", Valid().Little64(56, 0), "tables"),
        Bad("directory-over-descriptor", Valid().Little64(56, 2), "tables"),
        Bad("directory-beyond-file", Valid().Little64(56, 100_000), "tables"),
        Bad("directory-overflows", Valid().Little64(56, ulong.MaxValue - 1), "tables"),
        Bad("redundant-directory-over-descriptor", Valid().Little64(48, 20), "tables"),
        Bad("redundant-directory-beyond-file", Valid().Little64(48, 1 << 30), "tables"),
        Bad("table-over-header", Valid().Little32(GrainDirectory, 20), "tables"),
        Bad("table-beyond-file", Valid().Little32(GrainDirectory, 100_000), "truncated"),
        Bad("table-at-highest-sector", Valid().Little32(GrainDirectory, uint.MaxValue), "truncated"),
        Bad("grain-over-descriptor", Valid().Little32(GrainTable, 1), "tables"),
        Bad("grain-beyond-file", Valid().Little32(GrainTable, 100_000), "truncated"),
        Bad("overhead-beyond-file", Valid().Little64(64, 100_000), "truncated"),
        Bad("cut-to-4", Valid().Resize(4), "truncated"),
        Bad("cut-to-78", Valid().Resize(78), "truncated"),
        Bad("cut-to-512", Valid().Resize(Sector), "descriptor", "tables", "truncated"),
        Bad("cut-in-directory", Valid().Resize(GrainDirectory), "tables", "truncated"),
        Bad("cut-in-table", Valid().Resize(GrainTable + 512), "truncated"),
        Bad("cut-in-grain", Valid().Resize(FirstGrain + 512), "truncated"),

        // Footer
        Bad("footer-missing", ValidStream().Resize(StreamLength - 3 * Sector), "footer"),
        Bad("footer-cut-off", ValidStream().Resize(StreamLength - Sector), "footer"),
        Bad("footer-off-sector", ValidStream().Resize(StreamLength + 100), "footer"),
        Bad("footer-magic", ValidStream().Text(Footer, "COWD"), "footer"),
        Bad("footer-version", ValidStream().Little32(Footer + 4, 1), "footer"),
        Bad("footer-descriptor", ValidStream().Little64(Footer + 28, 30), "footer"),
        Bad("footer-capacity", ValidStream().Little64(Footer + 12, 1 << 30), "footer"),
        Bad("footer-grain-size", ValidStream().Little64(Footer + 20, 8), "footer"),
        Bad("footer-points-at-footer", ValidStream().Little64(Footer + 56, ulong.MaxValue), "footer"),
        Bad("footer-marker-type", ValidStream().Little32(Footer - Sector + 12, 2), "footer"),
        Bad("footer-marker-padding", ValidStream().Byte(Footer - 1, 1), "footer"),
        Bad("end-of-stream-marker", ValidStream().Little32(Footer + Sector + 12, 1), "footer"),
        Bad("footer-directory-beyond-file", ValidStream().Little64(Footer + 56, 1 << 20), "tables"),
        Bad("footer-directory-over-descriptor", ValidStream().Little64(Footer + 56, 3), "tables"),
        Bad("footer-overhead-beyond-file", ValidStream().Little64(Footer + 64, 1 << 20), "truncated"),

        // Descriptor files
        Bad("text-monolithic-flat", TextFile(Text("monolithicFlat", Flat)), "descriptor", "extents"),
        Bad("text-two-gb-sparse", TextFile(Text("twoGbMaxExtentSparse", "RW 2048 SPARSE \"d-s001.vmdk\"")),
            "descriptor", "extents"),
        Bad("text-two-gb-flat", TextFile(Text("twoGbMaxExtentFlat", Flat)), "descriptor", "extents"),
        Bad("text-vmfs", TextFile(Text("vmfs", "RW 2048 VMFS \"d-flat.vmdk\"")), "descriptor", "extents"),
        Bad("text-vmfs-sparse", TextFile(
            Text("vmfsSparse", "RW 2048 VMFSSPARSE \"d-delta.vmdk\"")), "descriptor", "extents"),
        Bad("text-vmfs-rdm", TextFile(
            Text("vmfsRawDeviceMap", "RW 2048 VMFSRDM \"d-rdm.vmdk\"")), "descriptor", "extents"),
        Bad("text-se-sparse", TextFile(
            Text("seSparse", "RW 2048 SESPARSE \"d-sesparse.vmdk\"")), "descriptor", "extents"),
        Bad("text-full-device", TextFile(Text("fullDevice", "RW 2048 FLAT \"/dev/sda\" 0")), "descriptor", "extents"),
        Bad("text-monolithic-sparse", TextFile(Text(extents: "RW 2048 SPARSE \"other.vmdk\"")), "extents"),
        Bad("text-monolithic-sparse-path", TextFile(
            Text(extents: "RW 2048 SPARSE \"/etc/passwd\"")), "descriptor", "extents"),
        Bad("text-extents-overflow", TextFile(Text(extents:
            $"RW {long.MaxValue} SPARSE \"a\"\nRW {long.MaxValue} SPARSE \"b\"")), "extents", "tables"),
        Bad("text-create-type-first", TextFile(
            "createType=\"monolithicFlat\"\n" + Flat + "\n"), "descriptor", "extents"),
        Bad("text-parent", TextFile(Text("monolithicFlat", Flat) + "parentFileNameHint=\"base.vmdk\"\n"),
            "descriptor", "extents", "parent"),
        Bad("text-then-binary",
            new BuiltImage(4096).Text(0, "# comment\n   \r\nversion=3\r\n").Byte(2048, 0xFF), "descriptor"),
        Bad("text-behind-comment-of-any-bytes",
            TextFile("#???\n" + Text("monolithicFlat", "RW 1 FLAT \"/etc/passwd\" 0")).Put(1, [0xFF, 0x80, 1]),
            "descriptor", "extents"),
        Bad("text-behind-blanks-and-comment-of-any-bytes",
            TextFile(" \n#?\n" + Text("monolithicFlat", "RW 1 FLAT \"/etc/passwd\" 0")).Byte(3, 0xFF),
            "descriptor", "extents"),
        Bad("text-version-only", TextFile("version=1\n"), "descriptor"),
        Bad("text-behind-64-kib", TextFile(Text() + new string('#', 70_000)), "descriptor", "extents"),
        Bad("text-create-type-after-5000-bytes", TextFile(new string('#', 5000) + "\n" + Text("vmfs", Flat)),
            "descriptor", "extents"),

        // ESX server extents
        Bad("cowd", ValidCowd(), "descriptor"),
        Bad("cowd-parent", ValidCowd().Text(Sector, "CID=1\nparentCID=2\nparentFileNameHint=\"/etc/passwd\"\n"),
            "descriptor", "parent"),
        Bad("cowd-grain-size-0", ValidCowd().Little32(16, 0), "descriptor", "tables"),
        Bad("cowd-directory-huge", ValidCowd().Little32(24, uint.MaxValue), "descriptor", "tables"),
        Bad("cowd-directory-too-small", ValidCowd().Little32(12, 5000), "descriptor", "tables"),
        Bad("cowd-directory-at-0", ValidCowd().Little32(20, 0), "descriptor", "tables"),
        Bad("cowd-directory-beyond-file", ValidCowd().Little32(20, uint.MaxValue), "descriptor", "tables"),
        Bad("cowd-grain-beyond-file", ValidCowd().Little32(8 * Sector, 5000), "descriptor", "truncated"),
        Bad("cowd-version-9", ValidCowd().Little32(4, 9), "descriptor", "version"),
        Bad("cowd-cut", ValidCowd().Resize(20), "truncated"),
    ];

    /// <summary>A monolithicSparse disk of 1 MiB: header, descriptor, two directories, two tables, one grain.</summary>
    public static BuiltImage Valid() => new BuiltImage(FirstGrain + 128 * Sector)
        .Text(0, "KDMV").Little32(4, 1).Little32(8, 3).Little64(12, 2048).Little64(20, 128)
        .Little64(28, 1).Little64(36, 20).Little32(44, 512).Little64(48, 21).Little64(56, 26).Little64(64, 32)
        .Put(73, "\n \r\n"u8)
        .Put(Sector, Padded(Text()))
        .Little32(21 * Sector, 22).Little32(22 * Sector, 32)
        .Little32(GrainDirectory, 27).Little32(GrainTable, 32);

    /// <summary>A streamOptimized disk of 1 MiB without data: the footer says where the directory is.</summary>
    public static BuiltImage ValidStream()
    {
        var image = new BuiltImage(StreamLength)
            .Text(0, "KDMV").Little32(4, 3).Little32(8, 0x30001).Little64(12, 2048).Little64(20, 128)
            .Little64(28, 1).Little64(36, 20).Little32(44, 512).Little64(56, ulong.MaxValue).Little64(64, 32)
            .Put(73, "\n \r\n"u8).Byte(77, 1)
            .Put(Sector, Padded(Text("streamOptimized")));
        return image
            .Little64(Footer - Sector, 1).Little32(Footer - Sector + 12, 3)
            .Put(Footer, image.ToArray().AsSpan(0, Sector)).Little64(Footer + 56, 60);
    }

    /// <summary>A vmfsSparse extent of 2 MiB: header, directory, one table, one grain of one sector.</summary>
    public static BuiltImage ValidCowd() => new BuiltImage(41 * Sector)
        .Text(0, "COWD").Little32(4, 1).Little32(8, 3).Little32(12, 4096).Little32(16, 1)
        .Little32(20, 4).Little32(24, 1).Little32(28, 41)
        .Little32(4 * Sector, 8).Little32(8 * Sector, 40);

    /// <summary>The valid disk with another descriptor.</summary>
    public static BuiltImage WithDescriptor(string text) => Valid().Put(Sector, Padded(text));

    /// <summary>A descriptor's text.</summary>
    public static string Text(
        string createType = "monolithicSparse", string extents = "RW 2048 SPARSE \"disk.vmdk\"", string more = "") =>
        "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
        + $"createType=\"{createType}\"\n{more}\n# Extent description\n{extents}\n\n# The Disk Data Base\n#DDB\n\n"
        + "ddb.virtualHWVersion = \"4\"\nddb.adapterType = \"ide\"\n";

    public static BuiltImage TextFile(string text) => new(Encoding.UTF8.GetBytes(text));

    private static byte[] Padded(string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Array.Resize(ref bytes, Math.Max(bytes.Length, 20 * Sector));
        return bytes;
    }

    private static CorpusCase Good(string name, BuiltImage image) => new($"vmdk/{name}", "vmdk", [], image.ToArray);

    private static CorpusCase Bad(string name, BuiltImage image, params string[] failures) =>
        new($"vmdk/{name}", "vmdk", failures, image.ToArray);
}
