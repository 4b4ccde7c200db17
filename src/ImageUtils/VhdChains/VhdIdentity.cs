using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;

namespace ImageUtils.VhdChains;

/// <summary>The id by which a disk's children know it.</summary>
internal static class VhdIdentity
{
    /// <summary>A VHD's unique id, a VHDX's data write guid; null for anything else.</summary>
    internal static Guid? Of(ImageInspection inspection) => inspection.Details switch
    {
        VhdDetails vhd => vhd.UniqueId,
        VhdxDetails vhdx => vhdx.DataWriteGuid,
        _ => null,
    };
}
