using System.Buffers.Binary;
using System.IO.Compression;
using ImageUtils.IO;

namespace ImageUtils.Streaming;

/// <summary>
/// One gzip member whose parts are compressed in parallel: each ends at a byte's border and refers to nothing before
/// it, so that they follow each other as one deflate stream (RFC 1951, section 3.2.4; RFC 1952).
/// </summary>
/// <param name="level">How hard it is tried.</param>
internal sealed class GzipLine(CompressionLevel level)
{
    // A stored block that is empty and not the last ends a part; this is the last block, empty, with fixed codes.
    private static ReadOnlySpan<byte> EmptyLastBlock => [0x03, 0x00];

    // Deflate, no flags, no time, no level, and an unknown system.
    private static ReadOnlySpan<byte> Header => [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];

    private (byte[] Packed, uint Checksum)? _zeros;
    private uint _checksum;
    private long _length;

    /// <summary>Compresses a block's data; blocks are compressed in any order.</summary>
    internal void Pack(SendBlock block)
    {
        // Disks are full of holes.
        var isWholeZero = block is { IsZero: true, IsFirst: false, Length: SendBlock.Size };
        if (isWholeZero && _zeros is { } zeros)
        {
            (block.Output, block.Checksum) = (zeros.Packed, zeros.Checksum);
            return;
        }

        block.Packed.SetLength(0);
        if (block.IsFirst)
        {
            block.Packed.Write(Header);
        }

        long length;
        using (var deflate = new DeflateStream(block.Packed, level, leaveOpen: true))
        {
            deflate.Write(block.Data.Span);
            deflate.Flush();
            length = block.Packed.Position;
        }

        // What closing the stream added is the end of a file that goes on.
        block.Packed.SetLength(length);
        block.Checksum = Crc32.Compute(block.Data.Span);
        block.Output = block.Packed.GetBuffer().AsMemory(0, (int)length);
        if (isWholeZero)
        {
            _zeros = (block.Output.ToArray(), block.Checksum);
        }
    }

    /// <summary>Takes the blocks in order, and puts the member's end behind the last one.</summary>
    internal void Append(SendBlock block)
    {
        _checksum = Crc32.Combine(_checksum, block.Checksum, block.Length);
        _length += block.Length;
        if (!block.IsLast)
        {
            return;
        }

        Span<byte> end = stackalloc byte[EmptyLastBlock.Length + 2 * sizeof(uint)];
        EmptyLastBlock.CopyTo(end);
        BinaryPrimitives.WriteUInt32LittleEndian(end[2..], _checksum);
        BinaryPrimitives.WriteUInt32LittleEndian(end[6..], (uint)_length);
        var whole = new byte[block.Output.Length + end.Length];
        block.Output.Span.CopyTo(whole);
        end.CopyTo(whole.AsSpan(block.Output.Length));
        block.Output = whole;
    }
}
