namespace ImageUtils.IO;

/// <summary>
/// The cyclic redundancy check of ISO 3309 and IEEE 802.3, as GPT uses it: 32 bits, reflected, register and result
/// inverted.
/// </summary>
internal static class Crc32
{
    private const uint ReversedPolynomial = 0xEDB8_8320;

    private static readonly uint[] s_table = MakeTable();

    /// <summary>The checksum of the bytes.</summary>
    internal static uint Compute(ReadOnlySpan<byte> bytes) => Append(0, bytes);

    /// <summary>The checksum of bytes of which four, that hold the checksum itself, count as zero.</summary>
    internal static uint ComputeWithZeros(ReadOnlySpan<byte> bytes, int checksumAt) =>
        Append(Append(Compute(bytes[..checksumAt]), [0, 0, 0, 0]), bytes[(checksumAt + 4)..]);

    private static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        foreach (var value in bytes)
        {
            crc = crc >> 8 ^ s_table[(byte)(crc ^ value)];
        }

        return ~crc;
    }

    private static uint[] MakeTable()
    {
        var table = new uint[256];
        for (uint index = 0; index < table.Length; index++)
        {
            var value = index;
            for (var bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? value >> 1 ^ ReversedPolynomial : value >> 1;
            }

            table[index] = value;
        }

        return table;
    }
}
