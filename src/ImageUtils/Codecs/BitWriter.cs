using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace ImageUtils.Codecs;

/// <summary>Writes bits, lowest first (RFC 1951, section 3.1.1).</summary>
/// <param name="start">The buffer, which has <see cref="Slack"/> bytes more than <paramref name="limit"/>.</param>
/// <param name="limit">How many bytes may be written.</param>
internal unsafe struct BitWriter(byte* start, int limit)
{
    /// <summary>A word is stored at once, and may reach so many bytes beyond the bits.</summary>
    internal const int Slack = sizeof(ulong);

    private const int LongestStored = ushort.MaxValue;
    private readonly byte* _start = start;
    private byte* _next = start;
    private ulong _bits;
    private int _bitCount;

    /// <summary>How many bytes have been begun.</summary>
    internal readonly int Length => (int)(_next - _start) + (_bitCount + 7 >> 3);

    internal readonly bool HasRoomFor(long bitCount) => (_next - _start) * 8 + _bitCount + bitCount <= 8L * limit;

    /// <summary>Writes up to 56 bits; there must be room.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void Write(ulong bits, int count)
    {
        _bits |= bits << _bitCount;
        _bitCount += count;
        Unsafe.WriteUnaligned(
            _next, BitConverter.IsLittleEndian ? _bits : BinaryPrimitives.ReverseEndianness(_bits));
        _next += _bitCount >> 3;
        _bits >>= _bitCount & ~7;
        _bitCount &= 7;
    }

    /// <summary>What bytes take up when they are stored from here.</summary>
    internal readonly long BitsOfStored(int length)
    {
        var blocks = Math.Max(1, (length + LongestStored - 1) / LongestStored);

        // Three bits, then up to the next byte; the blocks after the first begin at a byte.
        var first = 3 + (-(_bitCount + 3) & 7);
        return first + (blocks - 1) * 8L + blocks * 32L + length * 8L;
    }

    internal bool TryWriteStored(byte* bytes, int length, bool isLast)
    {
        if (!HasRoomFor(BitsOfStored(length)))
        {
            return false;
        }

        do
        {
            var part = Math.Min(length, LongestStored);
            length -= part;
            Write(isLast && length == 0 ? 1u : 0u, 3);
            Write(0, -_bitCount & 7);
            Write((uint)part | (ulong)(ushort)~part << 16, 32);
            Buffer.MemoryCopy(bytes, _next, part, part);
            bytes += part;
            _next += part;
        }
        while (length > 0);
        return true;
    }
}
