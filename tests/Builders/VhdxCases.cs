using System.Text;

namespace ImageUtils.Builders;

/// <summary>A small VHDX and what can be wrong with it.</summary>
public static class VhdxCases
{
    private const int Mebibyte = 1 << 20;
    private const int Header1 = 0x10000;
    private const int Header2 = 0x20000;
    private const int Regions1 = 0x30000;
    private const int Regions2 = 0x40000;
    private const int Log = Mebibyte;
    private const int Metadata = 2 * Mebibyte;
    private const int Items = Metadata + 0x10000;
    private const int Bat = 3 * Mebibyte;
    private const int Block = 4 * Mebibyte;
    private const int BatRegion = Regions1 + 16;
    private const int MetadataRegion = Regions1 + 48;
    private const int ExtraRegion = Regions1 + 80;

    // The metadata table's entries, in the order in which they are made.
    private const int FileParameters = Metadata + 32;
    private const int DiskSize = Metadata + 64;
    private const int ParentLocator = Metadata + 192;

    private static readonly uint[] s_crcTable = MakeCrcTable();

    private static readonly Guid s_unknown = Guid.Parse("11111111-2222-3333-4444-555555555555");

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("dynamic", () => Seal(Valid())),
        Good("fixed", () => Seal(WithBlock().Little32(Items + 4, 1))),
        Good("with-block", () => Seal(WithBlock())),
        Good("last-block-ends-with-disk", () => Seal(WithBlock().Resize(Block + 512).Little64(Items + 8, 512))),
        Good("zero-blocks", () => Seal(Valid().Little64(Bat, 2).Little64(Bat + 8, 3))),
        Good("bat-before-metadata", () => Seal(Swapped())),
        Good("size-zero", () => Seal(Valid().Little64(Items + 8, 0))),
        Good("sectors-4096", () => Seal(Valid().Little32(Items + 32, 4096).Little32(Items + 36, 4096))),
        Good("unknown-optional-region", () => Seal(WithRegion(0))),
        Good("unknown-optional-item", () => Seal(WithItem(0))),
        Good("no-log", () => Seal(Valid().Little32(Header1 + 68, 0).Little64(Header1 + 72, 0))),
        Good("headers-alike", () => SealCopies(Seal(Valid()).Little64(Header2 + 8, 7))),
        Good("first-header-damaged", () => Seal(Valid()).Byte(Header1 + 100, 1)),
        Good("second-header-damaged", () => Seal(Valid()).Byte(Header2 + 100, 1)),
        Good("second-region-table-damaged", () => Seal(Valid()).Byte(Regions2 + 100, 1)),
        Good("stale-header-has-log", () => SealCopies(Seal(Valid()).Byte(Header1 + 48, 1))),
        Bad("checksum-both-headers", () => Seal(Valid()).Byte(Header1 + 100, 1).Byte(Header2 + 100, 1), "checksum"),
        Bad("signature-both-headers", () => SealCopies(Seal(Valid()).Text(Header1, "heaX").Text(Header2, "heaX")),
            "checksum"),
        Bad("headers-contradict", () => SealCopies(Seal(Valid()).Little64(Header2 + 8, 7).Byte(Header2 + 16, 9)),
            "checksum"),
        Bad("checksum-first-region-table", () => Seal(Valid()).Byte(Regions1 + 60000, 1), "checksum"),
        Bad("checksum-both-region-tables", () => Seal(Valid()).Byte(Regions1 + 60000, 1).Byte(Regions2 + 60000, 1),
            "checksum", "tables"),
        Bad("signature-first-region-table", () => SealTable(Seal(Valid()).Text(Regions1, "regX"), Regions1),
            "checksum"),
        Bad("second-region-table-has-parent", () => SealTable(
            Seal(WithParent(("relative_path", "/etc/passwd"))).Byte(Regions1 + 60000, 1), Regions2),
            "checksum", "parent"),
        Bad("log-pending", () => Seal(Valid().Byte(Header1 + 48, 1)), "log_pending"),
        Bad("log-pending-in-second-header", () => SealCopies(Seal(Valid()).Byte(Header2 + 63, 1)), "log_pending"),
        Bad("log-pending-after-damage", () => Seal(Valid().Byte(Header1 + 48, 1)).Byte(Header2 + 100, 1),
            "log_pending"),
        Bad("parent-etc-passwd", () => Seal(WithParent(("relative_path", "..\\..\\etc\\passwd"))), "parent"),
        Bad("parent-absolute", () => Seal(WithParent(
            ("parent_linkage", "{83ed3d1e-0f5a-4a3b-8f1b-0a1b2c3d4e5f}"),
            ("absolute_win32_path", "C:\\vm\\base.vhdx"))), "parent"),
        Bad("parent-volume", () => Seal(WithParent(("volume_path", "\\\\?\\Volume{1}\\base.vhdx"))), "parent"),
        Bad("parent-unnamed", () => Seal(WithParent(("parent_linkage", "{0}"))), "parent"),
        Bad("parent-no-locator", () => Seal(Valid().Little32(Items + 4, 2)), "parent"),
        Bad("parent-without-flag", () => Seal(WithParent(("relative_path", "/etc/passwd")).Little32(Items + 4, 0)),
            "parent"),
        Bad("parent-locator-malformed", () => Seal(WithParent(("relative_path", "a")).Little32(Items + 64 + 24, 99999)),
            "parent"),
        Bad("parent-locator-count-huge", () => Seal(
            WithParent(("relative_path", "a")).Little16(Items + 64 + 18, 65535)), "parent"),
        Bad("parent-locator-large", () => Seal(WithParent(("relative_path", "a")).Little32(ParentLocator + 20, 65536)),
            "parent"),
        Bad("version-2", () => Seal(Valid().Little16(Header1 + 66, 2)), "unknown_features"),
        Bad("log-version-1", () => Seal(Valid().Little16(Header1 + 64, 1)), "unknown_features"),
        Bad("unknown-required-region", () => Seal(WithRegion(1)), "unknown_features"),
        Bad("unknown-required-item", () => Seal(WithItem(4)), "unknown_features"),
        Bad("user-item-required", () => Seal(WithItem(5)), "unknown_features"),
        Bad("region-count-huge", () => Seal(Valid().Little32(Regions1 + 8, uint.MaxValue)), "tables"),
        Bad("region-count-2048", () => Seal(Valid().Little32(Regions1 + 8, 2048)), "tables"),
        Bad("region-count-0", () => Seal(Valid().Little32(Regions1 + 8, 0)), "tables"),
        Bad("region-bat-missing", () => Seal(
            Valid().Put(BatRegion, s_unknown.ToByteArray()).Little32(BatRegion + 28, 0)), "tables"),
        Bad("region-twice", () => Seal(WithRegion(0).Put(ExtraRegion, Id("2DC27766-F623-4200-9D64-115E9BFD4A08"))),
            "tables"),
        Bad("region-misaligned", () => Seal(Valid().Little64(MetadataRegion + 16, Metadata + 512)), "tables"),
        Bad("region-over-header", () => Seal(Valid().Little64(MetadataRegion + 16, 0)), "tables"),
        Bad("region-over-region", () => Seal(Valid().Little64(MetadataRegion + 16, Bat)), "tables"),
        Bad("region-over-log", () => Seal(Valid().Little64(MetadataRegion + 16, Log)), "tables"),
        Bad("region-offset-overflows", () => Seal(Valid().Little64(MetadataRegion + 16, 0xFFFF_FFFF_FFF0_0000)),
            "tables"),
        Bad("region-empty", () => Seal(Valid().Little32(BatRegion + 24, 0)), "tables"),
        Bad("region-length-odd", () => Seal(Valid().Little32(BatRegion + 24, 4096)), "tables"),
        Bad("region-bat-beyond-file", () => Seal(Valid().Little64(BatRegion + 16, 1UL << 40)), "tables"),
        Bad("region-metadata-beyond-file", () => Seal(Valid().Little64(MetadataRegion + 16, 1UL << 40)), "truncated"),
        Bad("log-misaligned", () => Seal(Valid().Little64(Header1 + 72, 4096)), "tables"),
        Bad("log-offset-overflows", () => Seal(Valid().Little64(Header1 + 72, 0xFFFF_FFFF_FFF0_0000)), "tables"),
        Bad("log-beyond-file", () => Seal(Valid().Little64(Header1 + 72, 1UL << 40)), "tables"),
        Bad("metadata-signature", () => Seal(Valid().Text(Metadata, "metadatX")), "tables"),
        Bad("metadata-count-2048", () => Seal(Valid().Little16(Metadata + 10, 2048)), "tables"),
        Bad("metadata-count-0", () => Seal(Valid().Little16(Metadata + 10, 0)), "parent", "tables"),
        Bad("metadata-size-missing", () => Seal(
            Valid().Put(DiskSize, s_unknown.ToByteArray()).Little32(DiskSize + 24, 0)), "tables"),
        Bad("metadata-item-twice", () => Seal(
            WithItem(0).Put(ParentLocator, Id("2FA54224-CD1B-4876-B211-5DBED83BF4B8"))), "tables"),
        Bad("metadata-item-over-table", () => Seal(Valid().Little32(DiskSize + 16, 64)), "tables"),
        Bad("metadata-item-beyond-region", () => Seal(Valid().Little32(DiskSize + 16, Mebibyte)), "tables"),
        Bad("metadata-item-offset-overflows", () => Seal(Valid().Little32(DiskSize + 16, uint.MaxValue - 3)), "tables"),
        Bad("metadata-item-length-huge", () => Seal(Valid().Little32(DiskSize + 20, uint.MaxValue)), "tables"),
        Bad("metadata-item-length-4", () => Seal(Valid().Little32(DiskSize + 20, 4)), "tables"),
        Bad("metadata-items-overlap", () => Seal(Valid().Little32(DiskSize + 16, 0x10004)), "tables"),
        Bad("metadata-parameters-length-0", () => Seal(Valid().Little64(FileParameters + 16, 0)), "tables"),
        Bad("block-size-0", () => Seal(Valid().Little32(Items, 0)), "tables"),
        Bad("block-size-512-kib", () => Seal(Valid().Little32(Items, Mebibyte / 2)), "tables"),
        Bad("block-size-odd", () => Seal(Valid().Little32(Items, 3 * Mebibyte)), "tables"),
        Bad("block-size-512-mib", () => Seal(Valid().Little32(Items, 512 * Mebibyte)), "tables"),
        Bad("sector-size-0", () => Seal(Valid().Little32(Items + 32, 0)), "tables"),
        Bad("sector-size-513", () => Seal(Valid().Little32(Items + 32, 513)), "tables"),
        Bad("sector-size-physical-0", () => Seal(Valid().Little32(Items + 36, 0)), "tables"),
        Bad("size-odd", () => Seal(Valid().Little64(Items + 8, 1000)), "tables"),
        Bad("size-beyond-64-tib", () => Seal(Valid().Little64(Items + 8, (64UL << 40) + 512)), "tables"),
        Bad("size-huge", () => Seal(Valid().Little64(Items + 8, 0xFFFF_FFFF_FFFF_FE00)), "tables"),
        Bad("bat-too-small", () => Seal(Valid().Little64(Items + 8, 1UL << 40)), "tables"),
        Bad("block-state-4", () => Seal(Valid().Little64(Bat, Block | 4)), "tables"),
        Bad("block-partial-without-parent", () => Seal(WithBlock().Little64(Bat, Block | 7)), "tables"),
        Bad("block-over-headers", () => Seal(Valid().Little64(Bat, 6)), "tables"),
        Bad("block-over-log", () => Seal(Valid().Little64(Bat, Log | 6)), "tables"),
        Bad("block-over-metadata", () => Seal(Valid().Little64(Bat, Metadata | 6)), "tables"),
        Bad("block-over-bat", () => Seal(Valid().Little64(Bat, Bat | 6)), "tables"),
        Bad("block-offset-huge", () => Seal(Valid().Little64(Bat, 0xFFFF_FFFF_FFF0_0006)), "tables"),
        Bad("block-beyond-file", () => Seal(WithBlock().Little64(Bat + 8, (ulong)(64L * Mebibyte) | 6)), "truncated"),
        Bad("cut-in-block", () => Seal(WithBlock()).Resize(Block + 1000), "truncated"),
        Bad("cut-in-bat", () => Seal(Valid()).Resize(Bat + 100), "tables"),
        Bad("cut-in-items", () => Seal(Valid()).Resize(Items + 4), "truncated"),
        Bad("cut-in-metadata", () => Seal(Valid()).Resize(Metadata + 100), "truncated"),
        Bad("cut-in-region-table", () => Seal(Valid()).Resize(Regions1 + 100), "truncated"),
        Bad("cut-in-second-header", () => Seal(Valid()).Resize(Header2 + 100), "truncated"),
        Bad("cut-in-first-header", () => Seal(Valid()).Resize(Header1 + 100), "truncated"),
        Bad("cut-to-8", () => Seal(Valid()).Resize(8), "truncated"),
    ];

    /// <summary>A dynamic disk of 2 MiB in blocks of 1 MiB, none of them allocated.</summary>
    public static BuiltImage Valid()
    {
        var image = new BuiltImage(4 * Mebibyte)
            .Text(0, "vhdxfile").Put(8, Encoding.Unicode.GetBytes("Builder"))
            .Text(Header1, "head").Little64(Header1 + 8, 7).Put(Header1 + 16, Filled(1)).Put(Header1 + 32, Filled(2))
            .Little16(Header1 + 66, 1).Little32(Header1 + 68, Mebibyte).Little64(Header1 + 72, Log)
            .Text(Regions1, "regi").Little32(Regions1 + 8, 2)
            .Put(BatRegion, Id("2DC27766-F623-4200-9D64-115E9BFD4A08"))
            .Little64(BatRegion + 16, Bat).Little32(BatRegion + 24, Mebibyte).Little32(BatRegion + 28, 1)
            .Put(MetadataRegion, Id("8B7CA206-4790-4B9A-B8FE-575F050F886E"))
            .Little64(MetadataRegion + 16, Metadata).Little32(MetadataRegion + 24, Mebibyte)
            .Little32(MetadataRegion + 28, 1)
            .Text(Metadata, "metadata");
        AddItem(image, "CAA16737-FA36-4D43-B3B6-33F0AA44E76B", 0, 8, 4);
        AddItem(image, "2FA54224-CD1B-4876-B211-5DBED83BF4B8", 8, 8, 6);
        AddItem(image, "BECA12AB-B2E6-4523-93EF-C309E000C746", 16, 16, 6);
        AddItem(image, "8141BF1D-A96F-4709-BA47-F233A8FAAB5F", 32, 4, 6);
        AddItem(image, "CDA348C7-445D-4471-9CC9-E9885251C556", 36, 4, 6);
        return image.Little32(Items, Mebibyte).Little64(Items + 8, 2 * Mebibyte).Put(Items + 16, Filled(3))
            .Little32(Items + 32, 512).Little32(Items + 36, 4096);
    }

    /// <summary>The same with the first block allocated behind the block allocation table.</summary>
    public static BuiltImage WithBlock() => Valid().Resize(5 * Mebibyte).Little64(Bat, Block | 6);

    /// <summary>A differencing disk whose parent locator has these entries.</summary>
    public static BuiltImage WithParent(params (string Key, string Value)[] entries)
    {
        const int locator = Items + 64;
        var image = Valid().Little32(Items + 4, 2).Put(locator, Id("B04AEFB7-D19E-4A81-B789-25B8E9445913"))
            .Little16(locator + 18, (ushort)entries.Length);
        var at = 20 + entries.Length * 12;
        for (var index = 0; index < entries.Length; index++)
        {
            var entry = locator + 20 + index * 12;
            var (key, value) =
                (Encoding.Unicode.GetBytes(entries[index].Key), Encoding.Unicode.GetBytes(entries[index].Value));
            image.Little32(entry, (uint)at).Little32(entry + 4, (uint)(at + key.Length))
                .Little16(entry + 8, (ushort)key.Length).Little16(entry + 10, (ushort)value.Length)
                .Put(locator + at, key).Put(locator + at + key.Length, value);
            at += key.Length + value.Length;
        }

        AddItem(image, "A8D35F2D-B30B-454D-ABF7-D3D84834AB0C", 64, at, 4);
        return image;
    }

    /// <summary>Puts the checksums in and makes the second copies, the second header being the current one.</summary>
    public static BuiltImage Seal(BuiltImage image)
    {
        image.Put(Header2, image[Header1..(Header1 + 4096)].ToArray()).Little64(Header2 + 8, 8);
        SealTable(image, Regions1);
        return SealCopies(image.Put(Regions2, image[Regions1..(Regions1 + 65536)].ToArray()));
    }

    /// <summary>The CRC-32C of bytes that hold zeros where it goes.</summary>
    public static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc = (crc >> 8) ^ s_crcTable[(byte)(crc ^ value)];
        }

        return ~crc;
    }

    private static uint[] MakeCrcTable()
    {
        var table = new uint[256];
        for (var value = 0u; value < table.Length; value++)
        {
            table[value] = value;
            for (var bit = 0; bit < 8; bit++)
            {
                table[value] = (table[value] >> 1) ^ ((table[value] & 1) == 0 ? 0 : 0x82F63B78);
            }
        }

        return table;
    }

    // With the metadata behind the block allocation table, where qemu-img puts it.
    private static BuiltImage Swapped()
    {
        var image = WithBlock().Little64(BatRegion + 16, Metadata).Little64(MetadataRegion + 16, Bat);
        var (metadata, bat) =
            (image[Metadata..(Metadata + Mebibyte)].ToArray(), image[Bat..(Bat + Mebibyte)].ToArray());
        return image.Put(Metadata, bat).Put(Bat, metadata);
    }

    private static BuiltImage WithRegion(uint flags) => Valid().Resize(5 * Mebibyte).Little32(Regions1 + 8, 3)
        .Put(ExtraRegion, s_unknown.ToByteArray()).Little64(ExtraRegion + 16, Block)
        .Little32(ExtraRegion + 24, Mebibyte).Little32(ExtraRegion + 28, flags);

    private static BuiltImage WithItem(uint flags)
    {
        var image = Valid();
        AddItem(image, s_unknown.ToString(), 128, 8, flags);
        return image;
    }

    private static void AddItem(BuiltImage image, string id, int offset, int length, uint flags)
    {
        var index = image[(Metadata + 10)..(Metadata + 11)][0];
        var entry = Metadata + 32 + index * 32;
        image.Little16(Metadata + 10, (ushort)(index + 1)).Put(entry, Id(id))
            .Little32(entry + 16, (uint)(0x10000 + offset)).Little32(entry + 20, (uint)length).Little32(entry + 24, flags);
    }

    private static BuiltImage SealCopies(BuiltImage image) =>
        SealChecksum(SealChecksum(image, Header1, 4096), Header2, 4096);

    private static BuiltImage SealTable(BuiltImage image, int at) => SealChecksum(image, at, 65536);

    private static BuiltImage SealChecksum(BuiltImage image, int at, int length)
    {
        image.Little32(at + 4, 0);
        return image.Little32(at + 4, Crc(image[at..(at + length)]));
    }

    private static byte[] Id(string guid) => Guid.Parse(guid).ToByteArray();

    private static byte[] Filled(byte value)
    {
        var bytes = new byte[16];
        Array.Fill(bytes, value);
        return bytes;
    }

    private static CorpusCase Good(string name, Func<BuiltImage> make) =>
        new($"vhdx/{name}", "vhdx", [], () => make().ToArray());

    private static CorpusCase Bad(string name, Func<BuiltImage> make, params string[] failures) =>
        new($"vhdx/{name}", "vhdx", failures, () => make().ToArray());
}
