using System.Buffers.Binary;

namespace ImageUtils.Formats.Vmdk;

/// <summary>The header of an ESX server sparse extent (vmfsSparse), also that of VMware's third disk format.</summary>
/// <remarks>
/// VMware Virtual Disk Format 5.0, "ESX Server Sparse Extents". Integers are little-endian; sectors have 512 bytes.
/// <code>
///   0  4  magicNumber "COWD"               20  4  gdOffset (sectors)
///   4  4  version (1)                      24  4  numGDEntries
///   8  4  flags                            28  4  freeSector
///  12  4  numSectors                       32     geometry, parent name, generation: not used here
///  16  4  grainSize (sectors)
/// </code>
/// </remarks>
internal sealed record VmdkCowdHeader
{
    /// <summary>The magic number as a big-endian value: the bytes "COWD".</summary>
    internal const uint Magic = 0x434F5744;

    internal const int MeaningfulLength = 32;

    /// <summary>Entries of every grain table.</summary>
    internal const uint EntriesPerGrainTable = 4096;

    public uint Version { get; init; } = 1;

    public uint Flags { get; init; } = 3;

    public uint CapacitySectors { get; init; }

    public uint GrainSectors { get; init; } = 1;

    public uint GrainDirectorySector { get; init; } = 4;

    public uint GrainDirectoryEntries { get; init; }

    public uint FreeSector { get; init; }

    /// <summary>Reads a header of <see cref="MeaningfulLength"/> bytes at least.</summary>
    internal static VmdkCowdHeader Parse(ReadOnlySpan<byte> bytes) => new()
    {
        Version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
        Flags = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        CapacitySectors = BinaryPrimitives.ReadUInt32LittleEndian(bytes[12..]),
        GrainSectors = BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]),
        GrainDirectorySector = BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]),
        GrainDirectoryEntries = BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]),
        FreeSector = BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]),
    };

    /// <summary>Writes the fields over <see cref="MeaningfulLength"/> bytes.</summary>
    internal void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[4..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[8..], Flags);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[12..], CapacitySectors);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], GrainSectors);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[20..], GrainDirectorySector);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[24..], GrainDirectoryEntries);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[28..], FreeSector);
    }
}
