using System.Buffers.Binary;
using System.Numerics;

namespace ImageUtils.Formats.Vhd;

/// <summary>A bit for each sector, as VHD and VHDX say which sectors of a block are in a differencing disk.</summary>
/// <remarks>Bits are counted from the least significant bit of the first byte, as in VHDX.</remarks>
internal static class SectorBitmap
{
    /// <summary>Turns the bitmap of a VHD, which begins with a byte's most significant bit, into this order.</summary>
    internal static void ReverseBits(Span<byte> bitmap)
    {
        foreach (ref var value in bitmap)
        {
            // The usual bytes are all ones or all zeros.
            if (value is not (0 or 0xFF))
            {
                value = (byte)((value * 0x0202020202UL & 0x010884422010UL) % 1023);
            }
        }
    }

    /// <summary>The length of the run of equal bits that begins at <paramref name="start"/>.</summary>
    /// <param name="bitmap">A whole number of 8 bytes.</param>
    /// <param name="start">The first bit.</param>
    /// <param name="end">The bit before which the run ends at the latest; beyond <paramref name="start"/>.</param>
    /// <param name="isSet">Whether the bits are set.</param>
    internal static long CountRun(ReadOnlySpan<byte> bitmap, long start, long end, out bool isSet)
    {
        isSet = (bitmap[(int)(start >> 3)] >> (int)(start & 7) & 1) != 0;
        for (var at = start; ;)
        {
            var word = BinaryPrimitives.ReadUInt64LittleEndian(bitmap[(int)(at >> 6 << 3)..]);
            var different = (isSet ? ~word : word) >> (int)(at & 63);
            if (different != 0)
            {
                return Math.Min(at + BitOperations.TrailingZeroCount(different), end) - start;
            }

            at = (at | 63) + 1;
            if (at >= end)
            {
                return end - start;
            }
        }
    }

    /// <summary>Sets the bits from <paramref name="start"/> to before <paramref name="end"/>.</summary>
    internal static void Set(Span<byte> bitmap, long start, long end)
    {
        for (var at = start; at < end;)
        {
            if ((at & 7) == 0 && end - at >= 8)
            {
                var bytes = (end - at) >> 3;
                bitmap.Slice((int)(at >> 3), (int)bytes).Fill(0xFF);
                at += bytes << 3;
            }
            else
            {
                bitmap[(int)(at >> 3)] |= (byte)(1 << (int)(at & 7));
                at++;
            }
        }
    }
}
