using System.Buffers.Binary;

namespace ImageUtils.Formats.Vmdk;

/// <summary>What a metadata marker of a stream-optimized extent announces.</summary>
internal enum VmdkMarkerType : uint
{
    EndOfStream = 0,
    GrainTable = 1,
    GrainDirectory = 2,
    Footer = 3,
}

/// <summary>A sector that announces metadata in a stream-optimized extent.</summary>
/// <remarks>
/// VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents", metadata marker. Little-endian.
/// <code>
///   0  8  val: the metadata's sectors      12  4  type
///   8  4  size: 0 for metadata             16     zeros to the sector's end
/// </code>
/// </remarks>
/// <param name="Value">How many sectors of metadata follow.</param>
/// <param name="Size">0; a compressed grain has its length here.</param>
/// <param name="Type">What follows.</param>
/// <param name="IsPaddedWithZeros">Whether the rest of the sector is zero.</param>
internal readonly record struct VmdkMarker(ulong Value, uint Size, VmdkMarkerType Type, bool IsPaddedWithZeros = true)
{
    /// <summary>A compressed grain begins with its first sector on the disk (8 bytes) and its length (4).</summary>
    internal const int GrainMarkerLength = 12;

    private const int FixedLength = 16;

    /// <summary>Reads a marker's sector.</summary>
    internal static VmdkMarker Parse(ReadOnlySpan<byte> sector) => new(
        BinaryPrimitives.ReadUInt64LittleEndian(sector),
        BinaryPrimitives.ReadUInt32LittleEndian(sector[8..]),
        (VmdkMarkerType)BinaryPrimitives.ReadUInt32LittleEndian(sector[12..]),
        !sector[FixedLength..VmdkSparseHeader.SectorLength].ContainsAnyExcept((byte)0));

    /// <summary>Writes the marker over a sector.</summary>
    internal void Write(Span<byte> sector)
    {
        sector = sector[..VmdkSparseHeader.SectorLength];
        sector.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(sector, Value);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[8..], Size);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[12..], (uint)Type);
    }
}
