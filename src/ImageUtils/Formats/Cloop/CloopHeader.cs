using System.Buffers.Binary;

namespace ImageUtils.Formats.Cloop;

/// <summary>The header of a compressed loop image, version 2.</summary>
/// <remarks>
/// cloop, cloop.h, struct cloop_head; QEMU, block/cloop.c. Integers are big-endian.
/// <code>
///   0 128  preamble: a shell script, padded with zeros
/// 128   4  block size                     132   4  number of blocks
/// </code>
/// </remarks>
internal sealed record CloopHeader(uint BlockSize, uint Blocks)
{
    internal const int Length = 136;

    // qemu's MAX_BLOCK_SIZE
    private const uint MaximumBlockSize = 64 * 1024 * 1024;

    internal static ReadOnlySpan<byte> Magic =>
        "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n"u8;

    /// <summary>Whether a reader accepts the block size.</summary>
    internal bool IsBlockSizePossible => BlockSize is > 0 and <= MaximumBlockSize && BlockSize % 512 == 0;

    /// <summary>Reads a header of <see cref="Length"/> bytes.</summary>
    internal static CloopHeader Parse(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt32BigEndian(bytes[128..]),
        BinaryPrimitives.ReadUInt32BigEndian(bytes[132..]));
}
