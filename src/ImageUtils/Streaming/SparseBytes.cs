using System.Buffers.Binary;

namespace ImageUtils.Streaming;

/// <summary>
/// Tables without their zeros: for each 4096 bytes a mask of 64 bits, and of its 64 pieces of 64 bytes those that are
/// not zero. Tables of a disk with little data are little that way.
/// </summary>
internal static class SparseBytes
{
    private const int Granule = 64;
    private const int Page = 64 * Granule;

    /// <summary>The most bytes that a table takes.</summary>
    internal static int MaximumLength(int length) => length + (length / Page + 1) * sizeof(ulong);

    /// <summary>Leaves out the zeros.</summary>
    /// <returns>How many bytes of the target are the result.</returns>
    internal static int Pack(ReadOnlySpan<byte> table, Span<byte> target)
    {
        var count = 0;
        for (; table.Length > 0; table = table[Math.Min(Page, table.Length)..])
        {
            var maskAt = count;
            var mask = 0UL;
            count += sizeof(ulong);
            for (var at = 0; at < Math.Min(Page, table.Length); at += Granule)
            {
                var piece = table[at..Math.Min(table.Length, at + Granule)];
                if (piece.ContainsAnyExcept((byte)0))
                {
                    mask |= 1UL << at / Granule;
                    piece.CopyTo(target[count..]);
                    count += piece.Length;
                }
            }

            BinaryPrimitives.WriteUInt64LittleEndian(target[maskAt..], mask);
        }

        return count;
    }

    /// <summary>Puts the zeros in again.</summary>
    internal static void Unpack(ReadOnlySpan<byte> packed, Span<byte> table)
    {
        for (; table.Length > 0; table = table[Math.Min(Page, table.Length)..])
        {
            var mask = BinaryPrimitives.ReadUInt64LittleEndian(packed);
            packed = packed[sizeof(ulong)..];
            for (var at = 0; at < Math.Min(Page, table.Length); at += Granule)
            {
                var piece = table[at..Math.Min(table.Length, at + Granule)];
                if ((mask >> at / Granule & 1) == 0)
                {
                    piece.Clear();
                    continue;
                }

                packed[..piece.Length].CopyTo(piece);
                packed = packed[piece.Length..];
            }
        }
    }
}
