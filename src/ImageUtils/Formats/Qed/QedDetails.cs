using ImageUtils.Inspection;

namespace ImageUtils.Formats.Qed;

/// <summary>What only QED has.</summary>
/// <param name="TableSize">The size of an L1 or L2 table, in bytes.</param>
/// <param name="HeaderSize">The size of the header with all that follows it before the first cluster, in bytes.</param>
public sealed record QedDetails(long TableSize, long HeaderSize) : FormatDetails;
