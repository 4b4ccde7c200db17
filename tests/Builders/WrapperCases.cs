using System.IO.Compression;
using System.Text;

namespace ImageUtils.Builders;

/// <summary>The beginnings of compressed files and archives, and of what only resembles them.</summary>
public static class WrapperCases
{
    private static readonly byte[] s_zstdFrame = [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0, 1, 0, 0];

    public static IReadOnlyList<CorpusCase> All { get; } =
    [
        Case("gzip", "valid", Gzip()),
        Case("gzip", "named", NamedGzip()),
        Case("gzip", "signature-alone", [0x1F, 0x8B, 8]),
        Case("gzip", "extra-field-overruns", [0x1F, 0x8B, 8, 12, 0, 0, 0, 0, 0, 3, 0xFF, 0xFF, 1]),
        Case("gzip", "name-without-end", [0x1F, 0x8B, 8, 8, 0, 0, 0, 0, 0, 3, .. Enumerable.Repeat((byte)'a', 600)]),
        Case("xz", "valid", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0, 0, 4]),
        Case("bzip2", "valid", [.. "BZh9"u8, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59, 0, 0]),
        Case("bzip2", "empty", [.. "BZh1"u8, 0x17, 0x72, 0x45, 0x38, 0x50, 0x90, 0, 0, 0, 0]),
        Case("zstd", "valid", s_zstdFrame),
        Case("zstd", "behind-skippable-frame", [.. Skippable(0x50, 4), .. s_zstdFrame]),
        Case("zstd", "behind-long-skippable-frame", [.. Skippable(0x5F, 100_000), .. s_zstdFrame]),
        Case("zstd", "behind-three-skippable-frames",
            [.. Skippable(0x51, 4), .. Skippable(0x52, 0), .. Skippable(0x53, 9), .. s_zstdFrame]),
        Case("zip", "valid", Zip()),
        Case("zip", "empty", [.. "PK\u0005\u0006"u8, .. new byte[18]]),
        Case("zip", "split", [.. "PK\u0007\u0008PK\u0003\u0004"u8, .. new byte[30]]),
        Case("zip", "name-overruns", new BuiltImage(100).Text(0, "PK\u0003\u0004").Little16(26, 0xFFFF).ToArray()),
        Case("lha", "level-0", Lha(0)),
        Case("lha", "level-1", Lha(1)),
        Case("lha", "level-2", Lha(2)),
        Case("lha", "level-3", Lha(3)),
        Case("lha", "stored", new BuiltImage(Lha(2)).Text(2, "-pm0-").ToArray()),
        Case("raw", "gzip-cut", [0x1F, 0x8B]),
        Case("raw", "gzip-other-method", [0x1F, 0x8B, 7, 0, 0, 0, 0, 0, 0, 0]),
        Case("raw", "bzip2-without-block", [.. "BZh9"u8, 1, 2, 3, 4, 5, 6]),
        Case("raw", "bzip2-level-0", [.. "BZh0"u8, 0x31, 0x41, 0x59, 0x26, 0x53, 0x59]),
        Case("raw", "zstd-skippable-frame-alone", Skippable(0x50, 4)),
        Case("raw", "zstd-skippable-frame-before-zeros", [.. Skippable(0x50, 4), .. new byte[32]]),
        Case("raw", "zstd-skippable-frame-huge",
            new BuiltImage(Skippable(0x50, 40)).Little32(4, uint.MaxValue).ToArray()),
        Case("raw", "lha-checksum", new BuiltImage(Lha(0)).Byte(1, 0).ToArray()),
        Case("raw", "lha-name-overruns", new BuiltImage(Lha(0)).Byte(21, 200).ToArray()),
        Case("raw", "lha-level-4", new BuiltImage(Lha(2)).Byte(20, 4).ToArray()),
        Case("raw", "lha-level-2-too-short", new BuiltImage(Lha(2)).Little16(0, 25).ToArray()),
        Case("raw", "lha-level-3-cut", Lha(3)[..30]),
        Case("raw", "lha-method-alone", [0, 0, .. "-lh5-"u8]),
        Case("raw", "lha-in-text", Encoding.ASCII.GetBytes("x -lh5- is a method of compression that this text only "
            + "mentions")),
    ];

    private static byte[] Gzip()
    {
        using var buffer = new MemoryStream();
        using (var gzip = new GZipStream(buffer, CompressionLevel.Fastest))
        {
            gzip.Write(new byte[1000]);
        }

        return buffer.ToArray();
    }

    private static byte[] NamedGzip() =>
        [0x1F, 0x8B, 8, 12, 0, 0, 0, 0, 0, 3, 2, 0, (byte)'x', (byte)'y', .. "disk.raw\0"u8, .. Gzip()[10..]];

    private static byte[] Zip()
    {
        using var buffer = new MemoryStream();
        using (var archive = new ZipArchive(buffer, ZipArchiveMode.Create))
        {
            using var entry = archive.CreateEntry("disk.vmdk").Open();
            entry.Write(new byte[1000]);
        }

        return buffer.ToArray();
    }

    private static byte[] Skippable(byte magic, int length) =>
        new BuiltImage(8 + length).Put(0, [magic, 0x2A, 0x4D, 0x18]).Little32(4, (uint)length).ToArray();

    private static byte[] Lha(byte level)
    {
        const string Name = "disk.img";
        var image = new BuiltImage(100).Text(2, "-lh5-").Little32(7, 40).Little32(11, 1000)
            .Byte(19, 0x20).Byte(20, level);
        switch (level)
        {
            case 0 or 1:
                var length = 22 + Name.Length + (level == 0 ? 2 : 5);
                image.Byte(0, (byte)(length - 2)).Byte(21, (byte)Name.Length).Text(22, Name);
                byte sum = 0;
                foreach (var value in image[2..length])
                {
                    sum += value;
                }

                return image.Byte(1, sum).ToArray();
            case 2:
                return image.Little16(0, 37).Byte(23, (byte)'U').Little16(24, 11).Byte(26, 1).Text(27, Name).ToArray();
            default:
                return image.Little16(0, 4).Byte(23, (byte)'U').Little32(24, 45).Little32(28, 13).Byte(32, 1)
                    .Text(33, Name).ToArray();
        }
    }

    private static CorpusCase Case(string format, string name, byte[] bytes) =>
        new($"{format}/{name}", format, [], () => bytes);
}
