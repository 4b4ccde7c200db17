namespace ImageUtils.Formats.Vmdk;

/// <summary>
/// Flags of a sparse extent. VMware Virtual Disk Format 5.0, "Hosted Sparse Extent Header", bytes 8-11.
/// </summary>
[Flags]
internal enum VmdkSparseFlags : uint
{
    None = 0,
    NewlineDetection = 1 << 0,
    RedundantGrainDirectory = 1 << 1,
    ZeroedGrains = 1 << 2,
    CompressedGrains = 1 << 16,
    Markers = 1 << 17,
}

/// <summary>The flags' names.</summary>
internal static class VmdkFlagNames
{
    internal static IReadOnlyList<string> Of(VmdkSparseFlags flags)
    {
        var names = new List<string>();
        for (var bit = 0; bit < 32; bit++)
        {
            var flag = (VmdkSparseFlags)(1u << bit);
            if ((flags & flag) != 0)
            {
                names.Add(flag switch
                {
                    VmdkSparseFlags.NewlineDetection => "newline detection",
                    VmdkSparseFlags.RedundantGrainDirectory => "redundant grain directory",
                    VmdkSparseFlags.ZeroedGrains => "zeroed grains",
                    VmdkSparseFlags.CompressedGrains => "compressed grains",
                    VmdkSparseFlags.Markers => "markers",
                    _ => $"flag bit {bit}",
                });
            }
        }

        return names;
    }
}
