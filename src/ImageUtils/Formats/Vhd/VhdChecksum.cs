namespace ImageUtils.Formats.Vhd;

/// <summary>The checksum of a VHD's footer and dynamic disk header.</summary>
/// <remarks>
/// Microsoft, Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format" and "Dynamic Disk Header
/// Format": the one's complement of the sum of all bytes, those of the checksum itself left out.
/// </remarks>
internal static class VhdChecksum
{
    internal const int Length = 4;

    /// <summary>Computes the checksum of a structure that holds it at <paramref name="checksumOffset"/>.</summary>
    internal static uint Compute(ReadOnlySpan<byte> bytes, int checksumOffset)
    {
        uint sum = 0;
        foreach (var value in bytes[..checksumOffset])
        {
            sum += value;
        }

        foreach (var value in bytes[(checksumOffset + Length)..])
        {
            sum += value;
        }

        return ~sum;
    }
}
