using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace ImageUtils.Builders;

/// <summary>
/// Makes small LUKS volumes with content. Written from the specifications, block by block and without regard to speed,
/// so that it shares nothing with what it tests.
/// </summary>
public sealed record LuksBuilder
{
    public const string DefaultPassphrase = "correct horse";
    public const int PayloadOffset = 16384;
    public const int SegmentOffset = 65536;
    private const int HeaderSize = 16384;

    public string Passphrase { get; init; } = DefaultPassphrase;

    public string Mode { get; init; } = "xts-plain64";

    public int KeyBytes { get; init; } = 64;

    public string Hash { get; init; } = "sha256";

    public int Stripes { get; init; } = 4;

    public int Iterations { get; init; } = 10;

    /// <summary>The slot that the passphrase opens.</summary>
    public int Slot { get; init; }

    /// <summary>Slots that another passphrase opens.</summary>
    public int[] OtherSlots { get; init; } = [];

    public int SectorSize { get; init; } = 512;

    public ulong IvTweak { get; init; }

    /// <summary>Version 2: the "kdf" object, and the function behind it; null: PBKDF2.</summary>
    public (string Json, Func<byte[], int, byte[]> Derive)? Kdf { get; init; }

    private byte[] MasterKey => [.. Enumerable.Range(1, KeyBytes).Select(value => (byte)(value * 7))];

    public BuiltImage Version1(byte[] content)
    {
        var image = new BuiltImage(PayloadOffset + content.Length)
            .Put(0, "LUKS"u8).Put(4, [0xBA, 0xBE]).Big16(6, 1).Text(8, "aes").Text(40, Mode).Text(72, Hash)
            .Big32(104, PayloadOffset / 512).Big32(108, (uint)KeyBytes)
            .Put(112, Pbkdf2(MasterKey, Salt(32, 99), 20)).Put(132, Salt(32, 99)).Big32(164, (uint)Iterations)
            .Text(168, "01234567-89ab-cdef-0123-456789abcdef");
        for (var slot = 0; slot < 8; slot++)
        {
            var (at, sector) = (208 + 48 * slot, 8 + 2 * slot);
            var isActive = slot == Slot || OtherSlots.Contains(slot);
            image.Big32(at, isActive ? 0x00AC71F3u : 0x0000DEADu).Big32(at + 40, (uint)sector)
                .Big32(at + 44, (uint)Stripes);
            if (isActive)
            {
                var passphrase = slot == Slot ? Passphrase : "another " + slot;
                image.Big32(at + 4, (uint)Iterations).Put(at + 8, Salt(32, slot)).Put(
                    sector * 512,
                    KeyMaterial(Pbkdf2(Encoding.UTF8.GetBytes(passphrase), Salt(32, slot), KeyBytes), Mode));
            }
        }

        return image.Put(PayloadOffset, Encrypt(content, MasterKey, Mode, 512, 0));
    }

    public BuiltImage Version2(byte[] content) => Version2(content, json => json);

    public BuiltImage Version2(byte[] content, Func<string, string> change)
    {
        var areaKey = Kdf is { } kdf
            ? kdf.Derive(Encoding.UTF8.GetBytes(Passphrase), KeyBytes)
            : Pbkdf2(Encoding.UTF8.GetBytes(Passphrase), Salt(32, 0), KeyBytes);
        var image = new BuiltImage(SegmentOffset + content.Length)
            .Put(2 * HeaderSize, KeyMaterial(areaKey, Mode))
            .Put(SegmentOffset, Encrypt(content, MasterKey, Mode, SectorSize, IvTweak));
        WriteHeader(image, 0, "LUKS", change(Json()));
        WriteHeader(image, HeaderSize, "SKUL", change(Json()));
        return Seal(image);
    }

    /// <summary>Renews the checksums of both headers of version 2.</summary>
    public static BuiltImage Seal(BuiltImage image)
    {
        foreach (var at in new[] { 0, HeaderSize })
        {
            image[(at + 448)..(at + 512)].Clear();
            image.Put(at + 448, SHA256.HashData(image[at..(at + HeaderSize)]));
        }

        return image;
    }

    public string Json()
    {
        var kdf = Kdf?.Json ?? $$"""
            {"type":"pbkdf2","hash":"{{Hash}}","iterations":{{Iterations}},"salt":"{{Base64(Salt(32, 0))}}"}
            """;
        return $$"""
            {"keyslots":{"0":{"type":"luks2","key_size":{{KeyBytes}},
            "af":{"type":"luks1","stripes":{{Stripes}},"hash":"{{Hash}}"},
            "area":{"type":"raw","offset":"{{2 * HeaderSize}}","size":"4096","encryption":"aes-{{Mode}}",
            "key_size":{{KeyBytes}} },
            "kdf":{{kdf}}
            } },"tokens":{},
            "segments":{"0":{"type":"crypt","offset":"{{SegmentOffset}}","size":"dynamic","iv_tweak":"{{IvTweak}}",
            "encryption":"aes-{{Mode}}","sector_size":{{SectorSize}} } },
            "digests":{"0":{"type":"pbkdf2","keyslots":["0"],"segments":["0"],"hash":"{{Hash}}",
            "iterations":{{Iterations}},"salt":"{{Base64(Salt(32, 99))}}",
            "digest":"{{Base64(Pbkdf2(MasterKey, Salt(32, 99), 32))}}"} },
            "config":{"json_size":"12288","keyslots_size":"32768"} }
            """;
    }

    public static byte[] Salt(int length, int seed) =>
        [.. Enumerable.Range(0, length).Select(value => (byte)(value * 31 + seed))];

    public static string Base64(byte[] bytes) => Convert.ToBase64String(bytes);

    /// <summary>Encrypts sectors; the last one is filled up with zeros and cut off again.</summary>
    public static byte[] Encrypt(byte[] content, byte[] key, string mode, int sectorSize, ulong firstSector)
    {
        var data = new byte[(content.Length + sectorSize - 1) / sectorSize * sectorSize];
        content.CopyTo(data, 0);
        for (var at = 0; at < data.Length; at += sectorSize)
        {
            var number = firstSector + (ulong)at / 512;
            var iv = new byte[16];
            var is32Bits = mode.EndsWith("-plain", StringComparison.Ordinal);
            BinaryPrimitives.WriteUInt64LittleEndian(iv, is32Bits ? (uint)number : number);
            if (mode.EndsWith("-essiv:sha256", StringComparison.Ordinal))
            {
                iv = Block(SHA256.HashData(key), iv);
            }

            var sector = data.AsSpan(at, sectorSize);
            var half = key.Length / 2;
            var chained = mode.StartsWith("xts", StringComparison.Ordinal) ? Block(key[half..], iv) : iv;
            for (var block = 0; block < sectorSize; block += 16)
            {
                var bytes = sector.Slice(block, 16);
                if (mode.StartsWith("xts", StringComparison.Ordinal))
                {
                    Xor(Block(key[..half], Xor(bytes.ToArray(), chained)), chained).CopyTo(bytes);
                    chained = Double(chained);
                }
                else
                {
                    chained = Block(key, Xor(bytes.ToArray(), chained));
                    chained.CopyTo(bytes);
                }
            }
        }

        return data[..content.Length];
    }

    private static byte[] Block(byte[] key, byte[] block)
    {
        using var aes = Aes.Create();
        aes.Key = key;
        return aes.EncryptEcb(block, PaddingMode.None);
    }

    private static byte[] Double(byte[] tweak)
    {
        var doubled = new byte[16];
        for (var index = 0; index < 16; index++)
        {
            doubled[index] = (byte)(tweak[index] << 1 | (index > 0 ? tweak[index - 1] >> 7 : 0));
        }

        doubled[0] ^= (byte)(tweak[15] >> 7 != 0 ? 0x87 : 0);
        return doubled;
    }

    private static byte[] Xor(byte[] left, byte[] right) => [.. left.Zip(right, (a, b) => (byte)(a ^ b))];

    private byte[] KeyMaterial(byte[] areaKey, string mode)
    {
        var material = new List<byte>();
        var state = new byte[KeyBytes];
        for (var stripe = 1; stripe < Stripes; stripe++)
        {
            var random = Salt(KeyBytes, stripe * 13);
            material.AddRange(random);
            state = [.. Xor(state, random).Chunk(HashLength).SelectMany((piece, number) =>
                CryptographicOperations.HashData(Algorithm, [0, 0, 0, (byte)number, .. piece])[..piece.Length])];
        }

        material.AddRange(Xor(state, MasterKey));
        return Encrypt([.. material], areaKey, mode, 512, 0) is var encrypted && encrypted.Length % 512 == 0
            ? encrypted
            : Encrypt([.. material, .. new byte[512 - material.Count % 512]], areaKey, mode, 512, 0);
    }

    private HashAlgorithmName Algorithm => new(Hash.ToUpperInvariant());

    private int HashLength => CryptographicOperations.HashData(Algorithm, []).Length;

    private byte[] Pbkdf2(byte[] password, byte[] salt, int length) =>
        Rfc2898DeriveBytes.Pbkdf2(password, salt, Iterations, Algorithm, length);

    private static void WriteHeader(BuiltImage image, int at, string magic, string json) => image
        .Text(at, magic).Put(at + 4, [0xBA, 0xBE]).Big16(at + 6, 2).Big64(at + 8, HeaderSize).Big64(at + 16, 3)
        .Text(at + 24, "my label").Text(at + 72, "sha256").Put(at + 104, Salt(64, at))
        .Text(at + 168, "fedcba98-7654-3210-fedc-ba9876543210").Big64(at + 256, (ulong)at).Text(at + 4096, json);
}
