namespace ImageUtils.Formats.Vhdx;

/// <summary>What an entry says of its block.</summary>
internal enum VhdxBlockState
{
    NotPresent = 0,
    Undefined = 1,
    Zero = 2,
    Unmapped = 3,
    FullyPresent = 6,
    PartiallyPresent = 7,
}

/// <summary>An entry of the block allocation table.</summary>
/// <remarks>
/// MS-VHDX, section 2.5.1, "BAT Entry". A little-endian integer of 8 bytes: bits 0-2 state, 3-19 reserved,
/// 20-63 file offset in MiB.
/// </remarks>
internal readonly record struct VhdxBatEntry(ulong Value)
{
    internal const int Length = 8;

    private const ulong OffsetMask = ~0xF_FFFFUL;

    internal VhdxBatEntry(VhdxBlockState state, ulong fileOffset)
        : this(fileOffset & OffsetMask | (ulong)state)
    {
    }

    internal VhdxBlockState State => (VhdxBlockState)(Value & 7);

    /// <summary>Where the block lies, in bytes from the start of the file.</summary>
    internal ulong FileOffset => Value & OffsetMask;

    internal bool IsPresent => State is VhdxBlockState.FullyPresent or VhdxBlockState.PartiallyPresent;
}

/// <summary>How payload and sector bitmap blocks alternate in the block allocation table.</summary>
/// <remarks>MS-VHDX, section 2.5, "BAT": after each chunk ratio of payload blocks comes one bitmap block.</remarks>
internal readonly record struct VhdxBatLayout
{
    private const ulong SectorsPerChunk = 1 << 23;

    internal VhdxBatLayout(ulong virtualDiskSize, uint blockSize, uint logicalSectorSize, bool hasParent)
    {
        ChunkRatio = SectorsPerChunk * logicalSectorSize / blockSize;
        PayloadBlocks = virtualDiskSize / blockSize + (virtualDiskSize % blockSize == 0 ? 0UL : 1);
        var chunks = (PayloadBlocks + ChunkRatio - 1) / ChunkRatio;
        Entries = hasParent ? chunks * (ChunkRatio + 1)
            : PayloadBlocks == 0 ? 0
            : PayloadBlocks + (PayloadBlocks - 1) / ChunkRatio;
    }

    /// <summary>The payload blocks that one sector bitmap block covers.</summary>
    internal ulong ChunkRatio { get; }

    internal ulong PayloadBlocks { get; }

    /// <summary>The number of entries that the table must have.</summary>
    internal ulong Entries { get; }

    /// <summary>Whether an entry is a sector bitmap block's; otherwise it is a payload block's.</summary>
    internal bool IsBitmap(ulong entry) => entry % (ChunkRatio + 1) == ChunkRatio;

    /// <summary>Which payload block an entry is of.</summary>
    internal ulong PayloadIndex(ulong entry) => entry - entry / (ChunkRatio + 1);
}
