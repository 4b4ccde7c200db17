using System.Buffers.Binary;
using System.Numerics;

namespace ImageUtils.Signatures;

/// <summary>SHA-224, which .NET lacks, of data that comes in pieces.</summary>
/// <remarks>
/// FIPS 180-4: sections 4.1.2 (functions), 4.2.2 (constants), 5.1.1 (padding), 5.3.2 (initial value), 6.2.2 (rounds)
/// and 6.3 (SHA-224: another initial value than SHA-256, and the last of the eight words is left out).
/// </remarks>
internal sealed class Sha224
{
    internal const int HashLength = 28;
    private const int BlockLength = 64;
    private const int LengthField = 8;

    private static readonly uint[] s_initial =
    [
        0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939, 0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4,
    ];

    private static readonly uint[] s_constants =
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    private readonly uint[] _state = [.. s_initial];
    private readonly byte[] _block = new byte[BlockLength];
    private int _inBlock;
    private ulong _length;

    internal static byte[] HashData(ReadOnlySpan<byte> data)
    {
        var hash = new Sha224();
        hash.Append(data);
        return hash.Finish();
    }

    internal void Append(ReadOnlySpan<byte> data)
    {
        _length += (ulong)data.Length;
        if (_inBlock > 0)
        {
            var taken = Math.Min(BlockLength - _inBlock, data.Length);
            data[..taken].CopyTo(_block.AsSpan(_inBlock));
            _inBlock += taken;
            data = data[taken..];
            if (_inBlock < BlockLength)
            {
                return;
            }

            Add(_block);
            _inBlock = 0;
        }

        var whole = data.Length / BlockLength * BlockLength;
        Add(data[..whole]);
        data[whole..].CopyTo(_block);
        _inBlock = data.Length - whole;
    }

    /// <summary>Ends the data and returns its hash; nothing can be added after that.</summary>
    internal byte[] Finish()
    {
        Span<byte> padding = stackalloc byte[2 * BlockLength];
        padding.Clear();
        padding[0] = 0x80;
        var length = (_inBlock < BlockLength - LengthField ? BlockLength : 2 * BlockLength) - _inBlock;
        BinaryPrimitives.WriteUInt64BigEndian(padding[(length - LengthField)..], _length * 8);
        Append(padding[..length]);
        var hash = new byte[HashLength];
        for (var word = 0; word < HashLength / 4; word++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(hash.AsSpan(4 * word), _state[word]);
        }

        return hash;
    }

    private void Add(ReadOnlySpan<byte> blocks)
    {
        Span<uint> schedule = stackalloc uint[64];
        var constants = s_constants.AsSpan(0, 64);
        var state = _state.AsSpan(0, 8);
        for (; blocks.Length >= BlockLength; blocks = blocks[BlockLength..])
        {
            for (var at = 0; at < 16; at++)
            {
                schedule[at] = BinaryPrimitives.ReadUInt32BigEndian(blocks[(4 * at)..]);
            }

            for (var at = 16; at < schedule.Length; at++)
            {
                var (early, late) = (schedule[at - 15], schedule[at - 2]);
                var small0 = BitOperations.RotateRight(early, 7) ^ BitOperations.RotateRight(early, 18) ^ (early >> 3);
                var small1 = BitOperations.RotateRight(late, 17) ^ BitOperations.RotateRight(late, 19) ^ (late >> 10);
                schedule[at] = small1 + schedule[at - 7] + small0 + schedule[at - 16];
            }

            var (a, b, c, d) = (state[0], state[1], state[2], state[3]);
            var (e, f, g, h) = (state[4], state[5], state[6], state[7]);
            for (var at = 0; at < schedule.Length; at++)
            {
                var large1 = BitOperations.RotateRight(e, 6) ^ BitOperations.RotateRight(e, 11)
                    ^ BitOperations.RotateRight(e, 25);
                var first = h + large1 + ((e & f) ^ (~e & g)) + constants[at] + schedule[at];
                var large0 = BitOperations.RotateRight(a, 2) ^ BitOperations.RotateRight(a, 13)
                    ^ BitOperations.RotateRight(a, 22);
                var second = large0 + ((a & b) ^ (a & c) ^ (b & c));
                (h, g, f, e, d, c, b, a) = (g, f, e, d + first, c, b, a, first + second);
            }

            state[0] += a;
            state[1] += b;
            state[2] += c;
            state[3] += d;
            state[4] += e;
            state[5] += f;
            state[6] += g;
            state[7] += h;
        }
    }
}
