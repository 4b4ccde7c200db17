namespace ImageUtils.Conversion;

/// <summary>Finds zeros hidden in stored data.</summary>
internal static class ZeroScan
{
    /// <summary>Whether all bytes are zero.</summary>
    internal static bool IsZero(ReadOnlySpan<byte> data) => data.IndexOfAnyExcept((byte)0) < 0;

    /// <summary>Cuts data into pieces that are zero and pieces that are not.</summary>
    /// <param name="data">The data.</param>
    /// <param name="guestOffset">Where it begins on the guest's disk.</param>
    /// <param name="start">Where it begins in the chunk.</param>
    /// <param name="granule">What is looked at as one, in bytes; cuts are at its multiples on the guest's disk.</param>
    /// <param name="leastGap">Zeros that are fewer are left in the data around them.</param>
    /// <param name="pieces">Receives the pieces.</param>
    internal static void Cut(
        ReadOnlySpan<byte> data, long guestOffset, int start, int granule, int leastGap, List<Piece> pieces)
    {
        var runStart = 0;
        var zeroStart = -1;
        var at = 0;
        while (at < data.Length)
        {
            var next = (int)Math.Min(data.Length, at + granule - (guestOffset + at) % granule);
            if (!IsZero(data[at..next]))
            {
                if (zeroStart >= 0 && (at - zeroStart >= leastGap || zeroStart == 0))
                {
                    Add(PieceKind.Data, runStart, zeroStart);
                    Add(PieceKind.Zero, zeroStart, at);
                    runStart = at;
                }

                zeroStart = -1;
            }
            else if (zeroStart < 0)
            {
                zeroStart = at;
            }

            at = next;
        }

        Add(PieceKind.Data, runStart, zeroStart < 0 ? data.Length : zeroStart);
        Add(PieceKind.Zero, zeroStart < 0 ? data.Length : zeroStart, data.Length);

        void Add(PieceKind kind, int from, int to)
        {
            if (to > from)
            {
                pieces.Add(new Piece(kind, guestOffset + from, to - from, start + from));
            }
        }
    }
}
