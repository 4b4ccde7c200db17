using ImageUtils.Inspection;

namespace ImageUtils.Formats.Vdi;

/// <summary>What only VDI has.</summary>
public sealed record VdiDetails : FormatDetails
{
    /// <summary><c>dynamic</c>, <c>static</c>, <c>undo</c> or <c>differencing</c>.</summary>
    public required string ImageType { get; init; }

    /// <summary>The line that the file begins with, which names its maker.</summary>
    public required string Text { get; init; }

    /// <summary>The user's description.</summary>
    public required string Description { get; init; }

    /// <summary>Where the block map lies, in bytes from the start of the file.</summary>
    public required long BlockMapOffset { get; init; }

    /// <summary>Where the data lies, in bytes from the start of the file.</summary>
    public required long DataOffset { get; init; }

    /// <summary>The bytes before each block's data.</summary>
    public required long BlockExtra { get; init; }

    /// <summary>The disk's size in blocks.</summary>
    public required long BlocksInImage { get; init; }

    /// <summary>How many blocks the file holds.</summary>
    public required long BlocksAllocated { get; init; }

    /// <summary>Identifies the image.</summary>
    public required Guid ImageId { get; init; }

    /// <summary>Changes whenever the guest's data does.</summary>
    public required Guid ModificationId { get; init; }

    /// <summary>The parent's <see cref="ImageId"/>; null where there is none.</summary>
    public Guid? ParentId { get; init; }

    /// <summary>The parent's <see cref="ModificationId"/>; null where there is none.</summary>
    public Guid? ParentModificationId { get; init; }
}
