using System.Buffers.Binary;

namespace ImageUtils.Codecs;

/// <summary>
/// Deflate without compression (RFC 1951, section 3.2.4): what a unit becomes that no compressor makes smaller, where
/// the format wants it compressed all the same.
/// </summary>
/// <remarks>
/// A block: one byte with the final bit and block type 0, the length and its complement in 16 bits each, the bytes.
/// zlib's frame (RFC 1950): 0x78 0x01 before, the Adler-32 checksum, big-endian, after.
/// </remarks>
internal static class StoredBlocks
{
    /// <summary>zlib's header and checksum.</summary>
    internal const int ZlibFrameLength = 6;

    private const int BlockHeaderLength = 5;
    private const int LongestBlock = ushort.MaxValue;
    private const ushort ZlibHeader = 0x7801;

    /// <summary>How long a unit becomes, without zlib's frame.</summary>
    internal static int LengthOf(int unitLength) => checked(
        unitLength + BlockHeaderLength * Math.Max(1, (int)((unitLength + (LongestBlock - 1L)) / LongestBlock)));

    /// <summary>Writes a unit; 0 where it does not fit.</summary>
    internal static int Write(ReadOnlySpan<byte> unit, Span<byte> target, bool isZlib)
    {
        var length = LengthOf(unit.Length) + (isZlib ? ZlibFrameLength : 0);
        if (length > target.Length)
        {
            return 0;
        }

        var rest = target;
        if (isZlib)
        {
            BinaryPrimitives.WriteUInt16BigEndian(rest, ZlibHeader);
            rest = rest[sizeof(ushort)..];
        }

        var left = unit;
        do
        {
            var block = left[..Math.Min(left.Length, LongestBlock)];
            left = left[block.Length..];
            rest[0] = left.IsEmpty ? (byte)1 : (byte)0;
            BinaryPrimitives.WriteUInt16LittleEndian(rest[1..], (ushort)block.Length);
            BinaryPrimitives.WriteUInt16LittleEndian(rest[3..], (ushort)~block.Length);
            block.CopyTo(rest[BlockHeaderLength..]);
            rest = rest[(BlockHeaderLength + block.Length)..];
        }
        while (!left.IsEmpty);

        if (isZlib)
        {
            BinaryPrimitives.WriteUInt32BigEndian(rest, Adler32(unit));
        }

        return length;
    }

    internal static uint Adler32(ReadOnlySpan<byte> bytes)
    {
        const uint Modulus = 65521;

        // So many sums fit into 32 bits before they must be reduced (RFC 1950, section 9).
        const int Stride = 5552;
        var (a, b) = (1u, 0u);
        while (!bytes.IsEmpty)
        {
            var part = bytes[..Math.Min(bytes.Length, Stride)];
            foreach (var value in part)
            {
                a += value;
                b += a;
            }

            (a, b) = (a % Modulus, b % Modulus);
            bytes = bytes[part.Length..];
        }

        return b << 16 | a;
    }
}
