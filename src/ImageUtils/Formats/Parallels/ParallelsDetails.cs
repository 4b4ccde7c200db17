using ImageUtils.Inspection;

namespace ImageUtils.Formats.Parallels;

/// <summary>What only Parallels images have.</summary>
/// <param name="Heads">Heads of the geometry that is shown to the guest.</param>
/// <param name="Cylinders">Cylinders of that geometry.</param>
/// <param name="DataOffset">Where the data area starts, in bytes; null: right behind the table.</param>
/// <param name="HasExtension">Whether there is a format extension, such as dirty bitmaps.</param>
public sealed record ParallelsDetails(long Heads, long Cylinders, long? DataOffset, bool HasExtension) : FormatDetails;
