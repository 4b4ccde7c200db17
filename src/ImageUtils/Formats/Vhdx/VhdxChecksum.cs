using System.Buffers.Binary;
using System.Numerics;

namespace ImageUtils.Formats.Vhdx;

/// <summary>The CRC-32C (Castagnoli) over a VHDX structure, its own four bytes taken as zero.</summary>
/// <remarks>MS-VHDX, sections 2.2.2 and 2.2.3: headers and region tables hold it at byte 4.</remarks>
internal static class VhdxChecksum
{
    internal const int Offset = 4;

    internal static uint Compute(ReadOnlySpan<byte> bytes)
    {
        // The first 8 bytes are a signature of 4 and the checksum itself.
        var crc = BitOperations.Crc32C(uint.MaxValue, (ulong)BinaryPrimitives.ReadUInt32LittleEndian(bytes));
        bytes = bytes[8..];
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        return ~crc;
    }

    internal static bool IsValid(ReadOnlySpan<byte> bytes) =>
        BinaryPrimitives.ReadUInt32LittleEndian(bytes[Offset..]) == Compute(bytes);

    internal static void Write(Span<byte> bytes) =>
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[Offset..], Compute(bytes));
}
