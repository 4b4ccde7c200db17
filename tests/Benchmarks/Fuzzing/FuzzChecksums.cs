using System.Buffers.Binary;
using System.Numerics;

namespace ImageUtils.Benchmarks.Fuzzing;

/// <summary>Makes the checksums of VHD and VHDX right again, so that damage gets past them.</summary>
internal static class FuzzChecksums
{
    private const int LogSector = 4096;

    internal static void Mend(byte[] image)
    {
        if (image.AsSpan().StartsWith("vhdxfile"u8))
        {
            MendVhdx(image);
            return;
        }

        MendVhd(image, 0, "conectix"u8, 512, 64);
        MendVhd(image, image.Length - 512, "conectix"u8, 512, 64);
        for (var at = 512; at <= Math.Min(4096, image.Length - 1024); at += 512)
        {
            MendVhd(image, at, "cxsparse"u8, 1024, 36);
        }
    }

    private static void MendVhd(byte[] image, int at, ReadOnlySpan<byte> cookie, int length, int field)
    {
        if (at < 0 || at + length > image.Length || !image.AsSpan(at).StartsWith(cookie))
        {
            return;
        }

        var block = image.AsSpan(at, length);
        block.Slice(field, 4).Clear();
        uint sum = 0;
        foreach (var one in block)
        {
            sum += one;
        }

        BinaryPrimitives.WriteUInt32BigEndian(block[field..], ~sum);
    }

    private static void MendVhdx(byte[] image)
    {
        Crc(image, 0x10000, 4096, "head"u8);
        Crc(image, 0x20000, 4096, "head"u8);
        Crc(image, 0x30000, 65536, "regi"u8);
        Crc(image, 0x40000, 65536, "regi"u8);
        for (var at = 1 << 20; at + LogSector <= Math.Min(image.Length, 2 << 20); at += LogSector)
        {
            if (image.AsSpan(at).StartsWith("loge"u8))
            {
                var length = BinaryPrimitives.ReadUInt32LittleEndian(image.AsSpan(at + 8));
                Crc(image, at, (int)Math.Min(length, 1 << 20), "loge"u8);
            }
        }
    }

    private static void Crc(byte[] image, int at, int length, ReadOnlySpan<byte> signature)
    {
        if (length < 8 || at + length > image.Length || !image.AsSpan(at).StartsWith(signature))
        {
            return;
        }

        var block = image.AsSpan(at, length);
        block.Slice(4, 4).Clear();
        var crc = uint.MaxValue;
        foreach (var one in block)
        {
            crc = BitOperations.Crc32C(crc, one);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(block[4..], ~crc);
    }
}
