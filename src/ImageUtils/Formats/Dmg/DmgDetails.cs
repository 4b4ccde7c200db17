using ImageUtils.Inspection;

namespace ImageUtils.Formats.Dmg;

/// <summary>What only Apple disk images have.</summary>
/// <param name="SegmentNumber">Which segment of the image the file is; 0 or 1 for a whole one.</param>
/// <param name="SegmentCount">How many files the image is split into; 0 or 1 for a whole one.</param>
/// <param name="ImageVariant">1 for a disk, 2 for a partition.</param>
public sealed record DmgDetails(long SegmentNumber, long SegmentCount, long ImageVariant) : FormatDetails;
