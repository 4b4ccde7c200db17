namespace ImageUtils.Conversion;

/// <summary>How large the file is that a conversion would make.</summary>
/// <param name="Format">The target's format.</param>
/// <param name="VirtualSize">The size that a guest would see, in bytes.</param>
/// <param name="RequiredBytes">The length of the file that would be made of this source, in bytes.</param>
/// <param name="DataBytes">How much of that holds data or tables; the rest would be holes.</param>
/// <param name="FullyAllocatedBytes">
/// The length of the file if every unit of the disk held data, and none of it could be compressed.
/// </param>
public sealed record ImageMeasurement(
    ImageFormat Format, long VirtualSize, long RequiredBytes, long DataBytes, long FullyAllocatedBytes)
{
    /// <summary>The source's absolute path; null where an empty disk was measured.</summary>
    public string? Path { get; init; }
}
