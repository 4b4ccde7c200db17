namespace ImageUtils.VhdChains;

/// <summary>How a VHD or VHDX stores its disk; the values are those of Hyper-V and of the VHD footer.</summary>
public enum VhdType
{
    /// <summary>All of the disk is in the file.</summary>
    Fixed = 2,

    /// <summary>Blocks are in the file once they are written.</summary>
    Dynamic = 3,

    /// <summary>Blocks are in the file once they are written; the others are the parent's.</summary>
    Differencing = 4,
}
