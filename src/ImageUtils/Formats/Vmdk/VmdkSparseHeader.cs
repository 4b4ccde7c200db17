using System.Buffers.Binary;

namespace ImageUtils.Formats.Vmdk;

/// <summary>The header of a hosted sparse extent, and the footer of a stream-optimized one.</summary>
/// <remarks>
/// VMware Virtual Disk Format 5.0, "Hosted Sparse Extent Header". Integers are little-endian; sectors have 512 bytes.
/// <code>
///   0  4  magicNumber "KDMV"               44  4  numGTEsPerGT
///   4  4  version (1, 2, 3)                48  8  rgdOffset (sectors)
///   8  4  flags                            56  8  gdOffset (sectors; all ones: see the footer)
///  12  8  capacity (sectors)               64  8  overHead (sectors)
///  20  8  grainSize (sectors)              72  1  uncleanShutdown
///  28  8  descriptorOffset (sectors)       73  4  newline detection: 0a 20 0d 0a
///  36  8  descriptorSize (sectors)         77  2  compressAlgorithm (0 none, 1 deflate)
/// </code>
/// </remarks>
internal sealed record VmdkSparseHeader
{
    /// <summary>The magic number as a big-endian value: the bytes "KDMV".</summary>
    internal const uint Magic = 0x4B444D56;

    internal const int SectorLength = 512;

    /// <summary>The bytes with a meaning; the header fills its sector with zeros.</summary>
    internal const int MeaningfulLength = 79;

    /// <summary>The <see cref="GrainDirectorySector"/> that sends the reader to the footer.</summary>
    internal const ulong AtEnd = ulong.MaxValue;

    internal const uint NewlineBytes = 0x0A200D0A;

    public uint Version { get; init; } = 1;

    public VmdkSparseFlags Flags { get; init; } = VmdkSparseFlags.NewlineDetection;

    public ulong CapacitySectors { get; init; }

    public ulong GrainSectors { get; init; } = 128;

    public ulong DescriptorSector { get; init; }

    public ulong DescriptorSectors { get; init; }

    public uint EntriesPerGrainTable { get; init; } = 512;

    public ulong RedundantGrainDirectorySector { get; init; }

    public ulong GrainDirectorySector { get; init; }

    public ulong OverheadSectors { get; init; }

    public bool IsUncleanShutdown { get; init; }

    /// <summary>The four bytes whose change betrays a transfer in text mode, as a big-endian value.</summary>
    public uint Newlines { get; init; } = NewlineBytes;

    public ushort CompressAlgorithm { get; init; }

    /// <summary>Whether grains are compressed. qemu goes by the algorithm, not by the flag, and so do we.</summary>
    public bool IsCompressed => CompressAlgorithm != 0;

    /// <summary>Reads a header of <see cref="MeaningfulLength"/> bytes at least.</summary>
    internal static VmdkSparseHeader Parse(ReadOnlySpan<byte> bytes) => new()
    {
        Version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]),
        Flags = (VmdkSparseFlags)BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]),
        CapacitySectors = BinaryPrimitives.ReadUInt64LittleEndian(bytes[12..]),
        GrainSectors = BinaryPrimitives.ReadUInt64LittleEndian(bytes[20..]),
        DescriptorSector = BinaryPrimitives.ReadUInt64LittleEndian(bytes[28..]),
        DescriptorSectors = BinaryPrimitives.ReadUInt64LittleEndian(bytes[36..]),
        EntriesPerGrainTable = BinaryPrimitives.ReadUInt32LittleEndian(bytes[44..]),
        RedundantGrainDirectorySector = BinaryPrimitives.ReadUInt64LittleEndian(bytes[48..]),
        GrainDirectorySector = BinaryPrimitives.ReadUInt64LittleEndian(bytes[56..]),
        OverheadSectors = BinaryPrimitives.ReadUInt64LittleEndian(bytes[64..]),
        IsUncleanShutdown = bytes[72] != 0,
        Newlines = BinaryPrimitives.ReadUInt32BigEndian(bytes[73..]),
        CompressAlgorithm = BinaryPrimitives.ReadUInt16LittleEndian(bytes[77..]),
    };

    /// <summary>Writes the header over a sector.</summary>
    internal void Write(Span<byte> sector)
    {
        sector = sector[..SectorLength];
        sector.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(sector, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[4..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[8..], (uint)Flags);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[12..], CapacitySectors);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[20..], GrainSectors);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[28..], DescriptorSector);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[36..], DescriptorSectors);
        BinaryPrimitives.WriteUInt32LittleEndian(sector[44..], EntriesPerGrainTable);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[48..], RedundantGrainDirectorySector);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[56..], GrainDirectorySector);
        BinaryPrimitives.WriteUInt64LittleEndian(sector[64..], OverheadSectors);
        sector[72] = IsUncleanShutdown ? (byte)1 : (byte)0;
        BinaryPrimitives.WriteUInt32BigEndian(sector[73..], Newlines);
        BinaryPrimitives.WriteUInt16LittleEndian(sector[77..], CompressAlgorithm);
    }
}
