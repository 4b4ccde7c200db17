using System.Buffers.Binary;

namespace ImageUtils.Formats.Vhdx;

/// <summary>The metadata item that says how the file stores the disk.</summary>
/// <remarks>
/// MS-VHDX, section 2.6.2.1, "File Parameters". Little-endian.
/// <code>
///   0  4  block size                       4  4  bit 0 leave block allocated (fixed), bit 1 has parent
/// </code>
/// </remarks>
internal readonly record struct VhdxFileParameters(uint BlockSize, bool LeaveBlockAllocated, bool HasParent)
{
    internal const int Length = 8;

    internal static VhdxFileParameters Parse(ReadOnlySpan<byte> bytes)
    {
        var flags = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
        return new VhdxFileParameters(
            BinaryPrimitives.ReadUInt32LittleEndian(bytes), (flags & 1) != 0, (flags & 2) != 0);
    }

    internal void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, BlockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], (LeaveBlockAllocated ? 1u : 0) | (HasParent ? 2u : 0));
    }
}
