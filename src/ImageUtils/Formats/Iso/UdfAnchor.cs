using System.Buffers.Binary;

namespace ImageUtils.Formats.Iso;

/// <summary>The anchor of a UDF volume, in block 256: where the sequences that describe the volume lie.</summary>
/// <remarks>
/// ECMA-167, part 3, section 10.2, "Anchor Volume Descriptor Pointer", with the tag of section 7.2. Little-endian.
/// <code>
///  0  2  tag: identifier (2)            16  4  main sequence: length in bytes
///  4  1  tag: sum of its other bytes    20  4  main sequence: first block
/// 12  4  tag: block that it lies in     24  8  reserve sequence: the same
/// </code>
/// </remarks>
internal readonly record struct UdfAnchor(uint MainLength, uint MainBlock, uint ReserveLength, uint ReserveBlock)
{
    internal const int Block = 256;
    internal const int Length = 32;
    private const int TagLength = 16;
    private const int TagChecksumOffset = 4;
    private const ushort TagIdentifier = 2;

    /// <summary>The first block behind both sequences.</summary>
    internal long EndBlock(int blockSize) => Math.Max(
        MainBlock + (MainLength + (long)blockSize - 1) / blockSize,
        ReserveBlock + (ReserveLength + (long)blockSize - 1) / blockSize);

    /// <summary>Reads an anchor; null where the bytes are something else.</summary>
    internal static UdfAnchor? TryParse(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < Length || BinaryPrimitives.ReadUInt16LittleEndian(bytes) != TagIdentifier
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]) != Block)
        {
            return null;
        }

        byte sum = 0;
        for (var index = 0; index < TagLength; index++)
        {
            sum += index == TagChecksumOffset ? (byte)0 : bytes[index];
        }

        return sum != bytes[TagChecksumOffset]
            ? null
            : new UdfAnchor(
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]),
                BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]));
    }
}
