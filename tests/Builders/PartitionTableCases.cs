using System.Text;

namespace ImageUtils.Builders;

/// <summary>Small partitioned disks, file systems that are none, and what can be wrong with them.</summary>
public static class PartitionTableCases
{
    private const int Sector = 512;
    private const int Header = Sector;

    // 128 sectors: MBR, header, 32 sectors of entries, usable 34 to 94, 32 sectors of entries, header.
    private const int Sectors = 128;
    private const int Backup = (Sectors - 1) * Sector;

    private static readonly Guid s_linux = new("0fc63daf-8483-4772-8e79-3d69d8477de4");

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Good("gpt", "valid", Gpt()),
        Good("gpt", "no-partitions", Change(Gpt(), gpt => gpt[1024..1152].Clear())),
        Good("gpt", "grown", Gpt().Resize(Sectors * Sector + 65536)),
        Good("gpt", "4096-byte-sectors", Gpt(4096)),
        Good("gpt", "large-header", Change(Gpt(), gpt => gpt.Little32(Header + 12, 512))),
        Good("gpt", "large-entries", Change(Gpt(), gpt => gpt.Little32(Header + 84, 256).Little32(Header + 80, 64))),
        Good("gpt", "in-a-fat-boot-sector", Fat16(Gpt())),
        Bad("gpt", "no-header", Change(Gpt(), gpt => gpt[512..1024].Clear(), seal: false), "tables"),
        Bad("gpt", "no-protective-record", Gpt().Byte(450, 0).Little32(454, 0).Little32(458, 0), "mbr"),
        Good("gpt", "with-ordinary-record", Gpt().Byte(450, 0x83)),
        Bad("gpt", "hybrid", Gpt().Put(462, Record(0, 0x83, 40, 8)), "mbr"),
        Bad("gpt", "protective-record-second", Gpt().Put(446, new byte[16]).Put(462, Protective(Sectors)), "mbr"),
        Bad("gpt", "bad-start-chs", Gpt().Byte(448, 1), "mbr"),
        Bad("gpt", "bad-start-lba", Gpt().Little32(454, 2), "mbr"),
        Bad("gpt", "bad-boot-flag", Gpt().Byte(446, 0x41), "mbr"),
        Bad("gpt", "bad-boot-flag-unused", Gpt().Byte(494, 1), "mbr"),
        Bad("gpt", "header-checksum", Gpt().Byte(Header + 16, 0x55), "checksum"),
        Bad("gpt", "header-changed", Gpt().Byte(Header + 56, 0x55), "checksum"),
        Bad("gpt", "entries-changed", Gpt().Byte(1024 + 56, (byte)'X'), "checksum"),
        Bad("gpt", "backup-missing", Change(Gpt(), gpt => gpt[Backup..].Clear(), seal: false), "checksum"),
        Bad("gpt", "backup-changed", Gpt().Byte(Backup + 56, 0x55), "checksum"),
        Bad("gpt", "backup-of-another-disk", Seal(Gpt().Byte(Backup + 56, 0x55), Backup), "checksum"),
        Bad("gpt", "header-size-91", Change(Gpt(), gpt => gpt.Little32(Header + 12, 91), seal: false), "tables"),
        Bad("gpt", "header-size-513", Gpt().Little32(Header + 12, 513), "tables"),
        Bad("gpt", "header-size-huge", Gpt().Little32(Header + 12, uint.MaxValue), "tables"),
        Bad("gpt", "my-lba-2", Change(Gpt(), gpt => gpt.Little64(Header + 24, 2)), "tables"),
        Bad("gpt", "entry-size-64", Change(Gpt(), gpt => gpt.Little32(Header + 84, 64)), "tables"),
        Bad("gpt", "entry-size-0", Change(Gpt(), gpt => gpt.Little32(Header + 84, 0)), "tables"),
        Bad("gpt", "entry-size-192", Change(Gpt(), gpt => gpt.Little32(Header + 84, 192), seal: false), "tables"),
        Bad("gpt", "entry-size-huge", Gpt().Little32(Header + 84, 0x8000_0000), "tables"),
        Bad("gpt", "entry-count-0", Gpt().Little32(Header + 80, 0), "tables"),
        Bad("gpt", "entry-count-huge", Gpt().Little32(Header + 80, uint.MaxValue), "tables"),
        Bad("gpt", "entry-count-over-usable", Gpt().Little32(Header + 80, 136), "tables"),
        Bad("gpt", "entries-over-header", Gpt().Little64(Header + 72, 1), "tables"),
        Bad("gpt", "entries-at-0", Gpt().Little64(Header + 72, 0), "tables"),
        Bad("gpt", "entries-offset-overflows", Gpt().Little64(Header + 72, ulong.MaxValue), "tables"),
        Bad("gpt", "usable-inverted", Gpt().Little64(Header + 40, 95), "tables"),
        Bad("gpt", "usable-overflows", Gpt().Little64(Header + 48, ulong.MaxValue), "tables"),
        Bad("gpt", "alternate-in-usable", Gpt().Little64(Header + 32, 94), "tables"),
        Bad("gpt", "alternate-end-overflows",
            Seal(Gpt(4096).Little64(4096 + 32, long.MaxValue / 4096), 4096), "tables"),
        Bad("gpt", "alternate-overflows", Gpt().Little64(Header + 32, ulong.MaxValue), "tables"),
        Bad("gpt", "partition-inverted", Change(Gpt(), gpt => gpt.Little64(1024 + 40, 39)), "tables"),
        Bad("gpt", "partition-over-entries", Change(Gpt(), gpt => gpt.Little64(1024 + 32, 2)), "tables"),
        Bad("gpt", "partition-beyond-usable", Change(Gpt(), gpt => gpt.Little64(1024 + 40, ulong.MaxValue)), "tables"),
        Bad("gpt", "cut-before-header", Gpt().Resize(512), "truncated"),
        Bad("gpt", "cut-in-header", Gpt().Resize(600), "truncated"),
        Bad("gpt", "cut-in-entries", Gpt().Resize(2048), "truncated"),
        Bad("gpt", "cut-in-partition", Gpt().Resize(50 * Sector), "truncated"),
        Bad("gpt", "cut-before-backup", Gpt().Resize(Backup), "truncated"),
        Bad("gpt", "cut-in-backup", Gpt().Resize(Backup + 100), "truncated"),
        Good("mbr", "valid", Mbr()),
        Good("mbr", "active", Mbr().Byte(446, 0x80)),
        Good("mbr", "end-beyond-file", Mbr().Little32(458, 1 << 20)),
        Good("mbr", "empty-record-beyond-file", Mbr().Put(462, Record(0, 0, 1 << 30, 0))),
        Good("mbr", "in-a-fat-boot-sector", Fat16(Mbr())),
        Good("mbr", "half-a-fat-boot-sector", Mbr().Byte(16, 2).Byte(21, 0xF8)),
        Bad("mbr", "no-partitions", Mbr().Put(446, new byte[16]), "mbr"),
        Bad("mbr", "bad-boot-flag", Mbr().Byte(446, 0x7F), "mbr"),
        Bad("mbr", "start-beyond-file", Mbr().Little32(454, 64), "truncated"),
        Bad("mbr", "start-overflows", Mbr().Little32(454, uint.MaxValue), "truncated"),
        Bad("mbr", "cut-to-sector", Mbr().Resize(512), "truncated"),
        Good("raw", "fat12", Fat12(512)),
        Good("raw", "fat12-whole", Fat12(65536)),
        Good("raw", "fat16", Fat16(Signed(512))),
        Good("raw", "fat32", Fat32()),
        Good("raw", "fat-with-partition-over-itself", Fat12(65536).Put(446, Record(0x80, 6, 0, 2880))),
        Good("raw", "ntfs", Ntfs()),
        Good("raw", "exfat", ExFat()),
        Bad("mbr", "fat-without-jump", Fat12(65536).Byte(0, 0), "mbr"),
        Bad("mbr", "fat-too-small-for-its-clusters", Fat12(65536).Little16(19, 60000), "mbr"),
        Bad("mbr", "fat-without-sectors", Fat12(65536).Little16(19, 0), "mbr"),
        Bad("mbr", "ntfs-with-fats", Ntfs().Byte(16, 2), "mbr"),
        Bad("mbr", "exfat-with-bpb", ExFat().Byte(12, 2), "mbr"),
        Good("raw", "gpt-without-signature", Gpt().Little16(510, 0)),
        Good("raw", "mbr-cut-in-signature", Mbr().Resize(511)),
    ];

    /// <summary>A disk of 64 KiB (of 512 KiB with larger sectors) and one partition.</summary>
    public static BuiltImage Gpt(int sector = Sector)
    {
        var entriesSectors = 128 * 128 / sector;
        var last = (ulong)(Sectors - 1);
        var image = Signed(Sectors * sector).Put(446, Protective(Sectors));
        WriteHeader(image, sector, 1, last, 2);
        WriteHeader(image, (Sectors - 1) * sector, last, 1, last - (ulong)entriesSectors);
        WriteEntry(image, 2 * sector);
        WriteEntry(image, (Sectors - 1 - entriesSectors) * sector);
        return SealAll(image, sector);

        void WriteHeader(BuiltImage image, int at, ulong my, ulong alternate, ulong entries) => image
            .Text(at, "EFI PART").Little32(at + 8, 0x10000).Little32(at + 12, 92)
            .Little64(at + 24, my).Little64(at + 32, alternate)
            .Little64(at + 40, (ulong)(2 + entriesSectors)).Little64(at + 48, last - (ulong)entriesSectors - 1)
            .Put(at + 56, new Guid("12345678-9abc-def0-1234-56789abcdef0").ToByteArray())
            .Little64(at + 72, entries).Little32(at + 80, 128).Little32(at + 84, 128);

        static void WriteEntry(BuiltImage image, int at) => image
            .Put(at, s_linux.ToByteArray()).Put(at + 16, new Guid("aaaaaaaa-0000-0000-0000-000000000001").ToByteArray())
            .Little64(at + 32, 40).Little64(at + 40, 79).Put(at + 56, Encoding.Unicode.GetBytes("root"));
    }

    /// <summary>A disk of 32 sectors with one partition from sector 8 on.</summary>
    public static BuiltImage Mbr() => Signed(32 * Sector).Little32(440, 0xCAFE_F00D).Put(446, Record(0, 0x83, 8, 24));

    /// <summary>A 1.44 MB floppy, as far as wanted.</summary>
    public static BuiltImage Fat12(int length) => Signed(length)
        .Put(0, [0xEB, 0x3C, 0x90]).Text(3, "mkfs.fat").Little16(11, 512).Byte(13, 1).Little16(14, 1).Byte(16, 2)
        .Little16(17, 224).Little16(19, 2880).Byte(21, 0xF0).Little16(22, 9);

    private static BuiltImage Fat16(BuiltImage image) => image
        .Put(0, [0xEB, 0x3C, 0x90]).Little16(11, 512).Byte(13, 4).Little16(14, 4).Byte(16, 2)
        .Little16(17, 512).Little16(19, 20480).Byte(21, 0xF8).Little16(22, 20);

    private static BuiltImage Fat32() => Signed(512)
        .Put(0, [0xEB, 0x58, 0x90]).Little16(11, 512).Byte(13, 8).Little16(14, 32).Byte(16, 2)
        .Byte(21, 0xF8).Little32(32, 2097152).Little32(36, 2048);

    private static BuiltImage Ntfs() => Signed(512)
        .Put(0, [0xEB, 0x52, 0x90]).Text(3, "NTFS    ")
        .Little16(11, 512).Byte(13, 8).Byte(21, 0xF8).Little64(40, 204799);

    private static BuiltImage ExFat() => Signed(512)
        .Put(0, [0xEB, 0x76, 0x90]).Text(3, "EXFAT   ").Byte(108, 9).Byte(109, 3).Byte(110, 1);

    private static BuiltImage Signed(int length) => new BuiltImage(length).Little16(510, 0xAA55);

    private static byte[] Protective(int sectors) =>
        new BuiltImage(16).Put(0, [0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF]).Little32(8, 1).Little32(12, (uint)sectors - 1)
            .ToArray();

    private static byte[] Record(byte flag, byte type, uint start, uint size) =>
        new BuiltImage(16).Byte(0, flag).Byte(4, type).Little32(8, start).Little32(12, size).ToArray();

    // Changes the primary table, copies it to the backup where that must agree, and renews all checksums.
    private static BuiltImage Change(BuiltImage image, Action<BuiltImage> change, bool seal = true)
    {
        change(image);
        if (!seal)
        {
            return image;
        }

        image.Put(Backup + 12, image[(Header + 12)..(Header + 16)])
            .Put(Backup + 40, image[(Header + 40)..(Header + 72)]);
        image.Put(Backup + 80, image[(Header + 80)..(Header + 88)]);
        return SealAll(image, Sector);
    }

    private static BuiltImage SealAll(BuiltImage image, int sector)
    {
        var entries = Checksum(image[(2 * sector)..(2 * sector + 128 * 128)]);
        var backup = (Sectors - 1) * sector;
        return Seal(Seal(image.Little32(sector + 88, entries).Little32(backup + 88, entries), sector), backup);
    }

    private static BuiltImage Seal(BuiltImage image, int at)
    {
        var length = BitConverter.ToInt32(image[(at + 12)..(at + 16)]);
        return image.Little32(at + 16, 0).Little32(at + 16, Checksum(image[at..(at + length)]));
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
            }
        }

        return ~crc;
    }

    private static CorpusCase Good(string format, string name, BuiltImage image) =>
        new($"{format}/{name}", format, [], image.ToArray);

    private static CorpusCase Bad(string format, string name, BuiltImage image, params string[] failures) =>
        new($"{format}/{name}", format, failures, image.ToArray);
}
