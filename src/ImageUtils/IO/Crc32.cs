using System.Buffers.Binary;

namespace ImageUtils.IO;

/// <summary>
/// The cyclic redundancy check of ISO 3309 and IEEE 802.3, as GPT uses it: 32 bits, reflected, register and result
/// inverted.
/// </summary>
internal static class Crc32
{
    private const uint ReversedPolynomial = 0xEDB8_8320;

    // Eight tables, so that eight bytes are taken at a time ("slicing by 8"): a partition table has 16 KiB of entries.
    private static readonly uint[][] s_tables = MakeTables();

    /// <summary>The checksum of the bytes.</summary>
    internal static uint Compute(ReadOnlySpan<byte> bytes) => Append(0, bytes);

    /// <summary>The checksum of bytes of which four, that hold the checksum itself, count as zero.</summary>
    internal static uint ComputeWithZeros(ReadOnlySpan<byte> bytes, int checksumAt) =>
        Append(Append(Compute(bytes[..checksumAt]), [0, 0, 0, 0]), bytes[(checksumAt + 4)..]);

    /// <summary>The checksum of two runs of bytes, of which each one's is known, one behind the other.</summary>
    /// <param name="first">The first one's.</param>
    /// <param name="second">The second one's.</param>
    /// <param name="secondLength">The second one's length in bytes.</param>
    internal static uint Combine(uint first, uint second, long secondLength)
    {
        // Each zero byte behind the first run multiplies its remainder by x^8. With zeros as long as the second run,
        // the registers can be added: the inversions at begin and end cancel out.
        var factor = 1u << 31;
        var power = 1u << 23;
        for (; secondLength > 0; secondLength >>= 1)
        {
            factor = (secondLength & 1) != 0 ? Multiply(factor, power) : factor;
            power = Multiply(power, power);
        }

        return Multiply(first, factor) ^ second;
    }

    // Of polynomials over GF(2), modulo the checksum's; the highest bit is that of x^0.
    private static uint Multiply(uint left, uint right)
    {
        var product = 0u;
        for (var bit = 1u << 31; bit != 0; bit >>= 1)
        {
            product ^= (left & bit) != 0 ? right : 0;
            right = (right & 1) != 0 ? right >> 1 ^ ReversedPolynomial : right >> 1;
        }

        return product;
    }

    private static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        var (t0, t1, t2, t3) = (s_tables[0], s_tables[1], s_tables[2], s_tables[3]);
        var (t4, t5, t6, t7) = (s_tables[4], s_tables[5], s_tables[6], s_tables[7]);
        crc = ~crc;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            var low = BinaryPrimitives.ReadUInt32LittleEndian(bytes) ^ crc;
            var high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc = t7[(byte)low] ^ t6[(byte)(low >> 8)] ^ t5[(byte)(low >> 16)] ^ t4[low >> 24]
                ^ t3[(byte)high] ^ t2[(byte)(high >> 8)] ^ t1[(byte)(high >> 16)] ^ t0[high >> 24];
        }

        foreach (var value in bytes)
        {
            crc = crc >> 8 ^ t0[(byte)(crc ^ value)];
        }

        return ~crc;
    }

    private static uint[][] MakeTables()
    {
        var tables = new uint[8][];
        for (var number = 0; number < tables.Length; number++)
        {
            tables[number] = new uint[256];
            for (uint index = 0; index < 256; index++)
            {
                tables[number][index] = number == 0
                    ? ShiftByte(index)
                    : tables[number - 1][index] >> 8 ^ tables[0][(byte)tables[number - 1][index]];
            }
        }

        return tables;
    }

    private static uint ShiftByte(uint value)
    {
        for (var bit = 0; bit < 8; bit++)
        {
            value = (value & 1) != 0 ? value >> 1 ^ ReversedPolynomial : value >> 1;
        }

        return value;
    }
}
