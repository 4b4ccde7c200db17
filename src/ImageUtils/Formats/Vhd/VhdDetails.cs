using ImageUtils.Inspection;

namespace ImageUtils.Formats.Vhd;

/// <summary>What only VHD has.</summary>
public sealed record VhdDetails : FormatDetails
{
    /// <summary><c>fixed</c>, <c>dynamic</c> or <c>differencing</c>.</summary>
    public required string DiskType { get; init; }

    /// <summary>
    /// The size in the footer, in bytes: the disk's size to Hyper-V and Azure. QEMU takes the size of most creators'
    /// disks from the geometry instead, and so does <see cref="ImageInspection.VirtualSize"/>. Null where it is more
    /// than any disk can have.
    /// </summary>
    public required long? CurrentSize { get; init; }

    /// <summary>The size when the disk was created, in bytes; null where it is more than any disk can have.</summary>
    public required long? OriginalSize { get; init; }

    /// <summary>Cylinders, heads and sectors per track.</summary>
    public required VhdGeometry Geometry { get; init; }

    /// <summary>
    /// The four-character name of the program that made the file: <c>win</c>, <c>vpc</c>, <c>qemu</c>…
    /// </summary>
    public required string CreatorApplication { get; init; }

    /// <summary>That program's version, such as <c>5.3</c>.</summary>
    public required string CreatorVersion { get; init; }

    /// <summary>The four-character name of the system that it ran on: <c>Wi2k</c>, <c>Mac</c>…</summary>
    public required string CreatorHostOs { get; init; }

    /// <summary>Identifies the disk to its children.</summary>
    public required Guid UniqueId { get; init; }

    /// <summary>When the file was made.</summary>
    public required DateTimeOffset TimeStamp { get; init; }

    /// <summary>Whether a machine that uses the disk has been saved in mid-run.</summary>
    public required bool IsSavedState { get; init; }

    /// <summary>The size of a block in bytes, without its bitmap; null for fixed disks.</summary>
    public long? BlockSize { get; init; }

    /// <summary>The number of blocks that the block allocation table has room for; null for fixed disks.</summary>
    public long? BatEntries { get; init; }

    /// <summary>The parent's <see cref="UniqueId"/>; null where there is none.</summary>
    public Guid? ParentId { get; init; }

    /// <summary>When the parent was last changed; null where there is none.</summary>
    public DateTimeOffset? ParentTimeStamp { get; init; }

    /// <summary>The parent's name in the header; null where there is none.</summary>
    public string? ParentName { get; init; }

    /// <summary>The parent's names for each platform.</summary>
    public IReadOnlyList<VhdParentName> ParentLocators { get; init; } = [];
}

/// <summary>A disk's geometry.</summary>
/// <param name="Cylinders">Cylinders.</param>
/// <param name="Heads">Heads per cylinder.</param>
/// <param name="SectorsPerTrack">Sectors of 512 bytes per track.</param>
public sealed record VhdGeometry(int Cylinders, int Heads, int SectorsPerTrack);

/// <summary>A parent's name for one platform.</summary>
/// <param name="PlatformCode">Four characters: <c>W2ru</c> relative, <c>W2ku</c> absolute, <c>MacX</c> a URL…</param>
/// <param name="Name">The name as written; null where it is no text, or could not be read.</param>
public sealed record VhdParentName(string PlatformCode, string? Name);
