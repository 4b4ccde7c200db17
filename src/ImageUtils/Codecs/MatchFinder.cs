using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace ImageUtils.Codecs;

/// <summary>
/// Finds where bytes of a unit stand before, in a window: chains of places whose next four bytes have the same hash,
/// and the last place for three bytes. Places count on from unit to unit, so that nothing is cleared between them.
/// </summary>
internal sealed unsafe class MatchFinder : IDisposable
{
    internal const int LongestMatch = 258;

    /// <summary>A place is asked for only where at least so many bytes are left.</summary>
    internal const int ShortestRest = 4;

    // Three bytes are worth a match only nearby, and a small table stays in the processor's first cache.
    private const int BitsOfThree = 12;

    // Three bytes that stand further back cost as much as literals. Within every window that there is.
    private const int FarthestOfThree = (1 << UnitEncoder.Qcow2WindowBits) - 1;

    private const uint Multiplier = 0x9E37_79B1;

    private readonly int _windowLength;
    private readonly int _windowMask;
    private readonly int _shiftOfFour;
    private readonly int _shiftOfThree;
    private readonly int _nice;
    private readonly int _tableLength;

    // One block: last places by four bytes, by three bytes, and for each place in the window the one before it.
    private int* _lastOfFour;
    private readonly int* _lastOfThree;
    private readonly int* _before;
    private int _place;

    /// <param name="windowBits">How far back to look: 2 to the power of it, less one.</param>
    /// <param name="nice">A match of this length is not improved on.</param>
    internal MatchFinder(int windowBits, int nice)
    {
        _windowLength = 1 << windowBits;
        _windowMask = _windowLength - 1;
        _nice = nice;
        _shiftOfFour = 32 - (windowBits + 1);
        _shiftOfThree = 32 - BitsOfThree;
        var tableOfFour = 2 * _windowLength;
        const int TableOfThree = 1 << BitsOfThree;
        _tableLength = tableOfFour + TableOfThree + _windowLength;
        _lastOfFour = (int*)NativeMemory.Alloc((nuint)_tableLength, sizeof(int));
        _lastOfThree = _lastOfFour + tableOfFour;
        _before = _lastOfThree + TableOfThree;
        Clear();
    }

    /// <summary>Forgets what was before: the next unit stands by itself.</summary>
    internal void Start(int unitLength)
    {
        _place += _windowLength;
        if (_place > int.MaxValue - _windowLength - unitLength)
        {
            Clear();
        }
    }

    /// <summary>The longest match of the bytes at <paramref name="bytes"/>, and moves on by one.</summary>
    /// <param name="bytes">The next bytes.</param>
    /// <param name="longest">How long a match may be; at least <see cref="ShortestRest"/>.</param>
    /// <param name="atLeast">A match must be longer.</param>
    /// <param name="depth">How many places to try.</param>
    /// <param name="distance">How far back it is.</param>
    /// <returns>Its length; <paramref name="atLeast"/> where there is none.</returns>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int Find(byte* bytes, int longest, int atLeast, int depth, ref int distance)
    {
        var place = _place++;
        var four = *(uint*)bytes;
        var three = ThreeOf(four);
        var ofFour = _lastOfFour + (four * Multiplier >> _shiftOfFour);
        var ofThree = _lastOfThree + (three * Multiplier >> _shiftOfThree);
        var candidate = *ofFour;
        var near = *ofThree;
        *ofFour = place;
        *ofThree = place;
        _before[place & _windowMask] = candidate;

        var result = atLeast;
        var back = place - near;
        if (atLeast < 3 && back <= FarthestOfThree && ThreeOf(*(uint*)(bytes - back)) == three)
        {
            result = 3;
            distance = back;
        }

        var best = Math.Max(result, 3);
        if (best >= longest)
        {
            return result;
        }

        var tail = *(uint*)(bytes + best - 3);
        while ((back = place - candidate) < _windowLength && depth-- > 0)
        {
            var earlier = bytes - back;
            if (*(uint*)(earlier + best - 3) == tail && *(uint*)earlier == four)
            {
                var length = LengthOf(bytes, earlier, longest);
                if (length > best)
                {
                    result = best = length;
                    distance = back;
                    if (length >= _nice || length == longest)
                    {
                        break;
                    }

                    tail = *(uint*)(bytes + best - 3);
                }
            }

            candidate = _before[candidate & _windowMask];
        }

        return result;
    }

    /// <summary>Notes places without looking for matches.</summary>
    internal void Skip(byte* bytes, int count)
    {
        var place = _place;
        for (var end = bytes + count; bytes < end; bytes++, place++)
        {
            var four = *(uint*)bytes;
            var ofFour = _lastOfFour + (four * Multiplier >> _shiftOfFour);
            _before[place & _windowMask] = *ofFour;
            *ofFour = place;
            _lastOfThree[ThreeOf(four) * Multiplier >> _shiftOfThree] = place;
        }

        _place = place;
    }

    public void Dispose()
    {
        NativeMemory.Free(_lastOfFour);
        _lastOfFour = null;
    }

    private static uint ThreeOf(uint four) => BitConverter.IsLittleEndian ? four << 8 : four >> 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int LengthOf(byte* bytes, byte* earlier, int longest)
    {
        var length = 4;
        while (length + sizeof(ulong) <= longest)
        {
            var difference = *(ulong*)(bytes + length) ^ *(ulong*)(earlier + length);
            if (difference != 0)
            {
                var equalBits = BitConverter.IsLittleEndian
                    ? BitOperations.TrailingZeroCount(difference)
                    : BitOperations.LeadingZeroCount(difference);
                return length + (equalBits >> 3);
            }

            length += sizeof(ulong);
        }

        while (length < longest && bytes[length] == earlier[length])
        {
            length++;
        }

        return length;
    }

    private void Clear()
    {
        NativeMemory.Clear(_lastOfFour, (nuint)_tableLength * sizeof(int));
        _place = _windowLength;
    }
}
