namespace ImageUtils.IO;

/// <summary>
/// Cyclic redundancy checks of 32 bits, bits reflected, register and result inverted: that of Ethernet and GPT, and
/// Castagnoli's (RFC 3720, B.4).
/// </summary>
internal sealed class Crc32
{
    private readonly uint[] _table = new uint[256];

    private Crc32(uint reversedPolynomial)
    {
        for (uint index = 0; index < _table.Length; index++)
        {
            var value = index;
            for (var bit = 0; bit < 8; bit++)
            {
                value = (value & 1) != 0 ? value >> 1 ^ reversedPolynomial : value >> 1;
            }

            _table[index] = value;
        }
    }

    /// <summary>ISO 3309, IEEE 802.3: GPT, gzip, zip.</summary>
    internal static Crc32 Ieee { get; } = new(0xEDB8_8320);

    /// <summary>CRC-32C: VHDX.</summary>
    internal static Crc32 Castagnoli { get; } = new(0x82F6_3B78);

    /// <summary>The checksum of the bytes.</summary>
    internal uint Compute(ReadOnlySpan<byte> bytes) => Append(0, bytes);

    /// <summary>The checksum of what <paramref name="crc"/> is the checksum of, followed by the bytes.</summary>
    internal uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        foreach (var value in bytes)
        {
            crc = crc >> 8 ^ _table[(byte)(crc ^ value)];
        }

        return ~crc;
    }

    /// <summary>The checksum of bytes of which four, that hold the checksum itself, count as zero.</summary>
    internal uint ComputeWithZeros(ReadOnlySpan<byte> bytes, int checksumAt) =>
        Append(Append(Compute(bytes[..checksumAt]), [0, 0, 0, 0]), bytes[(checksumAt + 4)..]);
}
