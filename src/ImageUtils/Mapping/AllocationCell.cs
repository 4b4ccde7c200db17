namespace ImageUtils.Mapping;

/// <summary>What a piece of the guest's disk holds, in bytes.</summary>
/// <param name="Length">The piece's length.</param>
/// <param name="DataBytes">How much of it lies in files as it is.</param>
/// <param name="CompressedBytes">How much of it lies compressed in files.</param>
/// <param name="ZeroBytes">How much of it is stated to be zero.</param>
public readonly record struct AllocationCell(long Length, long DataBytes, long CompressedBytes, long ZeroBytes)
{
    /// <summary>How much of it files have bytes for.</summary>
    public long AllocatedBytes => DataBytes + CompressedBytes;

    /// <summary>
    /// How full it is: 0 where files have nothing, 1 up to a third, 2 up to two thirds, 3 more, 4 all of it.
    /// </summary>
    public int Level => AllocatedBytes switch
    {
        0 => 0,
        var bytes when bytes >= Length => 4,
        var bytes => 1 + (int)Math.Min(2, (decimal)bytes * 3 / Length),
    };
}
