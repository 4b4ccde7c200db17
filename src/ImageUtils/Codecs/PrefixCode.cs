using System.Buffers.Binary;

namespace ImageUtils.Codecs;

/// <summary>
/// A canonical prefix code (RFC 1951, section 3.2.2) for the symbols of one alphabet, made from how often each is
/// used. Rebuilt for each block, in place.
/// </summary>
/// <param name="symbolCount">The alphabet's size.</param>
/// <param name="longest">The longest code word allowed, in bits: 15, or 7 for the code of code lengths.</param>
internal sealed class PrefixCode(int symbolCount, int longest)
{
    private readonly ulong[] _order = new ulong[symbolCount];
    private readonly uint[] _weights = new uint[symbolCount];
    private readonly int[] _countByLength = new int[16];

    /// <summary>How often each symbol is used. The array does not move.</summary>
    internal int[] Frequencies { get; } = GC.AllocateArray<int>(symbolCount, pinned: true);

    /// <summary>The length of each symbol's code word in bits; 0 for a symbol that has none.</summary>
    internal byte[] Lengths { get; } = new byte[symbolCount];

    /// <summary>Each symbol's code word, first bit lowest, as it is written.</summary>
    internal ushort[] Words { get; } = new ushort[symbolCount];

    internal void Clear() => Frequencies.AsSpan().Clear();

    /// <summary>Makes lengths and words. Where fewer than two symbols are used, two get a word of one bit.</summary>
    internal void Build()
    {
        var used = 0;
        for (var symbol = 0; symbol < symbolCount; symbol++)
        {
            Lengths[symbol] = 0;
            if (Frequencies[symbol] > 0)
            {
                _order[used++] = (ulong)Frequencies[symbol] << 16 | (uint)symbol;
            }
        }

        if (used < 2)
        {
            // Not every inflater takes a code that is not full.
            var only = used == 0 ? 0 : (int)(_order[0] & 0xFFFF);
            Lengths[only] = 1;
            Lengths[only == 0 ? 1 : 0] = 1;
        }
        else
        {
            var order = _order.AsSpan(0, used);
            order.Sort();
            CountLengths(order);
            AssignLengths(order);
        }

        AssignWords();
    }

    /// <summary>
    /// How many words of each length the best code has, by Moffat and Katajainen's method in place ("In-place
    /// calculation of minimum-redundancy codes", 1995), then cut to the longest allowed.
    /// </summary>
    private void CountLengths(ReadOnlySpan<ulong> order)
    {
        var count = order.Length;
        var nodes = _weights.AsSpan(0, count);
        for (var at = 0; at < count; at++)
        {
            nodes[at] = (uint)(order[at] >> 16);
        }

        // Joins the two lightest each time; a joined node's slot then holds where its parent is.
        var (leaf, root) = (0, 0);
        for (var next = 0; next < count - 1; next++)
        {
            uint weight = 0;
            for (var child = 0; child < 2; child++)
            {
                if (leaf >= count || (root < next && nodes[root] < nodes[leaf]))
                {
                    weight += nodes[root];
                    nodes[root++] = (uint)next;
                }
                else
                {
                    weight += nodes[leaf++];
                }
            }

            nodes[next] = weight;
        }

        // From the top: a joined node lies one deeper than its parent; what is left of a depth are leaves.
        _countByLength.AsSpan().Clear();
        nodes[count - 2] = 0;
        for (var at = count - 3; at >= 0; at--)
        {
            nodes[at] = nodes[(int)nodes[at]] + 1;
        }

        var (open, depth, inner) = (1, 0, count - 2);
        while (open > 0)
        {
            var innerHere = 0;
            while (inner >= 0 && nodes[inner] == depth)
            {
                innerHere++;
                inner--;
            }

            _countByLength[Math.Min(depth, longest)] += open - innerHere;
            open = 2 * innerHere;
            depth++;
        }

        // Cutting made too many words: each step turns one shorter word into two that are one bit longer.
        var excess = -(1L << longest);
        for (var length = 1; length <= longest; length++)
        {
            excess += (long)_countByLength[length] << (longest - length);
        }

        for (; excess > 0; excess--)
        {
            var length = longest - 1;
            while (_countByLength[length] == 0)
            {
                length--;
            }

            _countByLength[length]--;
            _countByLength[length + 1] += 2;
            _countByLength[longest]--;
        }
    }

    private void AssignLengths(ReadOnlySpan<ulong> order)
    {
        var at = 0;
        for (var length = longest; length > 0; length--)
        {
            for (var left = _countByLength[length]; left > 0; left--)
            {
                Lengths[(int)(order[at++] & 0xFFFF)] = (byte)length;
            }
        }
    }

    internal void AssignWords()
    {
        Span<int> next = stackalloc int[17];
        next.Clear();
        foreach (var length in Lengths)
        {
            next[length + 1]++;
        }

        next[1] = 0;
        for (var length = 2; length <= 16; length++)
        {
            next[length] = next[length] + next[length - 1] << 1;
        }

        for (var symbol = 0; symbol < symbolCount; symbol++)
        {
            int length = Lengths[symbol];
            if (length != 0)
            {
                Words[symbol] = (ushort)(Reverse((uint)next[length]++) >> (32 - length));
            }
        }
    }

    private static uint Reverse(uint bits)
    {
        bits = (bits & 0x5555_5555) << 1 | bits >> 1 & 0x5555_5555;
        bits = (bits & 0x3333_3333) << 2 | bits >> 2 & 0x3333_3333;
        bits = (bits & 0x0F0F_0F0F) << 4 | bits >> 4 & 0x0F0F_0F0F;
        return BinaryPrimitives.ReverseEndianness(bits);
    }
}
