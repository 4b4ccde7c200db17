using System.Runtime.CompilerServices;

namespace ImageUtils.Codecs;

/// <summary>
/// The symbols of one deflate block, collected and then written as RFC 1951, section 3.2, has them: with codes of
/// their own, with the fixed codes or stored, whichever is shortest.
/// </summary>
internal sealed unsafe class DeflateBlock
{
    /// <summary>How many literals and matches a block takes at most.</summary>
    internal const int Capacity = 16384;

    private const int EndOfBlock = 256;
    private const int LiteralCount = 286;
    private const int DistanceCount = 30;

    // Literals as they are; matches as distance << 9 | length, with this bit.
    private const uint MatchMark = 0x8000_0000;

    private static readonly byte[] s_orderOfLengths =
        [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
    private static readonly byte[] s_lengthCodes = new byte[MatchFinder.LongestMatch + 1];
    private static readonly ushort[] s_lengthBases = new ushort[29];
    private static readonly byte[] s_lengthExtraBits = new byte[29];
    private static readonly byte[] s_distanceCodes = new byte[512];
    private static readonly ushort[] s_distanceBases = new ushort[DistanceCount];
    private static readonly byte[] s_distanceExtraBits = new byte[DistanceCount];
    private static readonly PrefixCode s_fixedLiterals = MakeFixed(288, LiteralLengthOfFixed);
    private static readonly PrefixCode s_fixedDistances = MakeFixed(DistanceCount, static _ => 5);

    private readonly PrefixCode _literals = new(LiteralCount, 15);
    private readonly PrefixCode _distances = new(DistanceCount, 15);
    private readonly PrefixCode _lengthsOfLengths = new(19, 7);
    private readonly uint[] _symbols = GC.AllocateUninitializedArray<uint>(Capacity, pinned: true);
    private readonly uint* _firstSymbol;
    private readonly int* _literalFrequencies;
    private readonly int* _distanceFrequencies;
    private uint* _nextSymbol;
    private readonly ushort[] _packedLengths = new ushort[LiteralCount + DistanceCount];
    private int _packedLengthCount;

    internal DeflateBlock()
    {
        // Pinned, all of them: most of the time goes into counting symbols, and bounds are known there.
        _firstSymbol = (uint*)Unsafe.AsPointer(ref _symbols[0]);
        _literalFrequencies = (int*)Unsafe.AsPointer(ref _literals.Frequencies[0]);
        _distanceFrequencies = (int*)Unsafe.AsPointer(ref _distances.Frequencies[0]);
        _nextSymbol = _firstSymbol;
    }

    static DeflateBlock()
    {
        var length = 3;
        for (var code = 0; code < 29; code++)
        {
            // The last code stands for 258 alone, which the one before it would reach too.
            var extra = code is < 8 or 28 ? 0 : (code - 4) >> 2;
            length = code == 28 ? MatchFinder.LongestMatch : length;
            (s_lengthBases[code], s_lengthExtraBits[code]) = ((ushort)length, (byte)extra);
            for (var end = length + (1 << extra); length < end && length <= MatchFinder.LongestMatch; length++)
            {
                s_lengthCodes[length] = (byte)code;
            }
        }

        var distance = 1;
        for (var code = 0; code < DistanceCount; code++)
        {
            var extra = code < 4 ? 0 : (code - 2) >> 1;
            (s_distanceBases[code], s_distanceExtraBits[code]) = ((ushort)distance, (byte)extra);
            for (var end = distance + (1 << extra); distance < end; distance++)
            {
                s_distanceCodes[IndexOf(distance)] = (byte)code;
            }
        }
    }

    /// <summary>How many literals and matches it has.</summary>
    internal int Count => (int)(_nextSymbol - _firstSymbol);

    /// <summary>How many bytes of the unit they stand for.</summary>
    internal int UnitLength { get; private set; }

    internal void Clear()
    {
        _nextSymbol = _firstSymbol;
        UnitLength = 0;
        _literals.Clear();
        _distances.Clear();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void AddLiteral(byte literal)
    {
        *_nextSymbol++ = literal;
        _literalFrequencies[literal]++;
        UnitLength++;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void AddMatch(int length, int distance)
    {
        *_nextSymbol++ = MatchMark | (uint)distance << 9 | (uint)length;
        _literalFrequencies[257 + s_lengthCodes[length]]++;
        _distanceFrequencies[s_distanceCodes[IndexOf(distance)]]++;
        UnitLength += length;
    }

    /// <summary>Writes the block, and is empty then.</summary>
    /// <param name="raw">The bytes of the unit that it stands for.</param>
    /// <param name="isLast">Whether it ends the stream.</param>
    /// <param name="bits">Where to.</param>
    /// <returns>Whether there was room; without, nothing is written.</returns>
    internal bool TryWrite(byte* raw, bool isLast, ref BitWriter bits)
    {
        _literals.Frequencies[EndOfBlock] = 1;
        _literals.Build();
        _distances.Build();
        var (literalCount, distanceCount) = (UsedOf(_literals.Lengths, 257), UsedOf(_distances.Lengths, 1));
        PackLengths(literalCount, distanceCount);
        var headerCount = HeaderCount();
        var ownCost = 14L + 3 * headerCount + PackedCost() + SymbolCost(_literals, _distances);
        var fixedCost = SymbolCost(s_fixedLiterals, s_fixedDistances);
        var storedCost = bits.BitsOfStored(UnitLength);
        var cost = 3 + Math.Min(ownCost, fixedCost);
        if (storedCost <= cost)
        {
            return bits.TryWriteStored(raw, UnitLength, isLast) && End();
        }

        if (!bits.HasRoomFor(cost))
        {
            return false;
        }

        var type = ownCost < fixedCost ? 2u : 1u;
        bits.Write(type << 1 | (isLast ? 1u : 0u), 3);
        if (type == 2)
        {
            WriteLengths(literalCount, distanceCount, headerCount, ref bits);
            WriteSymbols(_literals, _distances, ref bits);
        }
        else
        {
            WriteSymbols(s_fixedLiterals, s_fixedDistances, ref bits);
        }

        return End();

        bool End()
        {
            Clear();
            return true;
        }
    }

    private static PrefixCode MakeFixed(int count, Func<int, int> lengthOf)
    {
        var code = new PrefixCode(count, 15);
        for (var symbol = 0; symbol < count; symbol++)
        {
            code.Lengths[symbol] = (byte)lengthOf(symbol);
        }

        code.AssignWords();
        return code;
    }

    private static int LiteralLengthOfFixed(int symbol) => symbol switch
    {
        < 144 => 8,
        < 256 => 9,
        < 280 => 7,
        _ => 8,
    };

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int IndexOf(int distance) => distance <= 256 ? distance - 1 : 256 + ((distance - 1) >> 7);

    private static int UsedOf(byte[] lengths, int atLeast)
    {
        var count = lengths.Length;
        while (count > atLeast && lengths[count - 1] == 0)
        {
            count--;
        }

        return count;
    }

    /// <summary>Section 3.2.7: runs of equal code lengths become 16 (again), 17 and 18 (zeros).</summary>
    private void PackLengths(int literalCount, int distanceCount)
    {
        _lengthsOfLengths.Clear();
        _packedLengthCount = 0;
        Span<byte> all = stackalloc byte[LiteralCount + DistanceCount];
        _literals.Lengths.AsSpan(0, literalCount).CopyTo(all);
        _distances.Lengths.AsSpan(0, distanceCount).CopyTo(all[literalCount..]);
        all = all[..(literalCount + distanceCount)];
        for (var at = 0; at < all.Length;)
        {
            var length = all[at];
            var run = 1;
            while (at + run < all.Length && all[at + run] == length)
            {
                run++;
            }

            at += run;
            if (length == 0)
            {
                for (; run >= 11; run -= Math.Min(run, 138))
                {
                    Pack(18, Math.Min(run, 138) - 11);
                }

                if (run >= 3)
                {
                    Pack(17, run - 3);
                    run = 0;
                }
            }
            else
            {
                Pack(length, 0);
                for (run--; run >= 3; run -= Math.Min(run, 6))
                {
                    Pack(16, Math.Min(run, 6) - 3);
                }
            }

            for (; run > 0; run--)
            {
                Pack(length, 0);
            }
        }

        _lengthsOfLengths.Build();

        void Pack(int code, int extra)
        {
            _packedLengths[_packedLengthCount++] = (ushort)(extra << 5 | code);
            _lengthsOfLengths.Frequencies[code]++;
        }
    }

    private int HeaderCount()
    {
        var count = s_orderOfLengths.Length;
        while (count > 4 && _lengthsOfLengths.Lengths[s_orderOfLengths[count - 1]] == 0)
        {
            count--;
        }

        return count;
    }

    private static int ExtraBitsOf(int code) => code switch
    {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    };

    private long PackedCost()
    {
        var bits = 0L;
        for (var code = 0; code < 19; code++)
        {
            bits += _lengthsOfLengths.Frequencies[code] * (_lengthsOfLengths.Lengths[code] + ExtraBitsOf(code));
        }

        return bits;
    }

    private long SymbolCost(PrefixCode literals, PrefixCode distances)
    {
        var bits = 0L;
        for (var symbol = 0; symbol < LiteralCount; symbol++)
        {
            var extra = symbol > EndOfBlock ? s_lengthExtraBits[symbol - 257] : 0;
            bits += (long)_literals.Frequencies[symbol] * (literals.Lengths[symbol] + extra);
        }

        for (var symbol = 0; symbol < DistanceCount; symbol++)
        {
            bits += (long)_distances.Frequencies[symbol] * (distances.Lengths[symbol] + s_distanceExtraBits[symbol]);
        }

        return bits;
    }

    private void WriteLengths(int literalCount, int distanceCount, int headerCount, ref BitWriter bits)
    {
        bits.Write((uint)(literalCount - 257 | (distanceCount - 1) << 5 | (headerCount - 4) << 10), 14);
        for (var at = 0; at < headerCount; at++)
        {
            bits.Write(_lengthsOfLengths.Lengths[s_orderOfLengths[at]], 3);
        }

        for (var at = 0; at < _packedLengthCount; at++)
        {
            var code = _packedLengths[at] & 31;
            int length = _lengthsOfLengths.Lengths[code];
            bits.Write(
                (uint)(_packedLengths[at] >> 5 << length | _lengthsOfLengths.Words[code]), length + ExtraBitsOf(code));
        }
    }

    private void WriteSymbols(PrefixCode literals, PrefixCode distances, ref BitWriter bits)
    {
        var writer = bits;
        fixed (ushort* literalWords = literals.Words, distanceWords = distances.Words)
        fixed (byte* literalLengths = literals.Lengths, distanceLengths = distances.Lengths)
        fixed (byte* lengthCodes = s_lengthCodes, distanceCodes = s_distanceCodes)
        fixed (byte* lengthExtraBits = s_lengthExtraBits, distanceExtraBits = s_distanceExtraBits)
        fixed (ushort* lengthBases = s_lengthBases, distanceBases = s_distanceBases)
        {
            for (uint* symbol = _firstSymbol, end = _nextSymbol; symbol < end; symbol++)
            {
                var value = *symbol;
                if (value < MatchMark)
                {
                    writer.Write(literalWords[value], literalLengths[value]);
                    continue;
                }

                var length = (int)(value & 511);
                var distance = (int)((value & ~MatchMark) >> 9);
                int code = lengthCodes[length];
                var count = (int)literalLengths[257 + code];
                ulong word = literalWords[257 + code];
                word |= (ulong)(uint)(length - lengthBases[code]) << count;
                count += lengthExtraBits[code];
                code = distanceCodes[IndexOf(distance)];
                word |= (ulong)distanceWords[code] << count;
                count += distanceLengths[code];
                word |= (ulong)(uint)(distance - distanceBases[code]) << count;
                count += distanceExtraBits[code];
                writer.Write(word, count);
            }

            writer.Write(literalWords[EndOfBlock], literalLengths[EndOfBlock]);
        }

        bits = writer;
    }
}
