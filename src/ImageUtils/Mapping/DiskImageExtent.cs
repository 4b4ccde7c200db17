namespace ImageUtils.Mapping;

/// <summary>What an image has for a range of the guest's disk.</summary>
public enum DiskExtentKind
{
    /// <summary>Bytes that lie in a file as they are.</summary>
    Data,

    /// <summary>Bytes that lie compressed in a file.</summary>
    Compressed,

    /// <summary>Zeros that an image states, or that its file has a hole for.</summary>
    Zero,

    /// <summary>Nothing, in no image of the chain: it reads as zero.</summary>
    Hole,
}

/// <summary>A range of the guest's disk that is of one kind and in one piece. Offsets and lengths are in bytes.</summary>
public sealed record DiskImageExtent
{
    /// <summary>The image's absolute path.</summary>
    public required string Path { get; init; }

    /// <summary>Where the range begins on the guest's disk.</summary>
    public required long Start { get; init; }

    /// <summary>Its length on the guest's disk.</summary>
    public required long Length { get; init; }

    /// <summary>The byte after it.</summary>
    public long End => Start + Length;

    /// <summary>What the image has there.</summary>
    public required DiskExtentKind Kind { get; init; }

    /// <summary>Whether a file has bytes for it.</summary>
    public bool IsAllocated => Kind is DiskExtentKind.Data or DiskExtentKind.Compressed;

    /// <summary>
    /// The file that holds the bytes: the image's own, one of its extents, or one that it is based on. Null where
    /// nothing does.
    /// </summary>
    public string? File { get; init; }

    /// <summary>Where the bytes begin in <see cref="File"/>.</summary>
    public long? HostOffset { get; init; }

    /// <summary>
    /// How many bytes of <see cref="File"/> they take up; of compressed data at most, since formats round it up.
    /// </summary>
    public long? HostLength { get; init; }

    /// <summary>How far below the image <see cref="File"/> is: 0 for its own files, 1 for those of its parent.</summary>
    public int? Depth { get; init; }

    /// <summary>Whether it lies in the file where <paramref name="previous"/> ends, so that both are read in one go.</summary>
    internal bool Follows(DiskImageExtent previous)
    {
        // Compressed units are padded to sectors, and some have a marker before them.
        const int Padding = 1024;
        if (!ReferenceEquals(File, previous.File))
        {
            return false;
        }

        var gap = HostOffset - (previous.HostOffset + previous.HostLength);
        return Kind == DiskExtentKind.Compressed && previous.Kind == DiskExtentKind.Compressed
            ? gap < Padding && HostOffset >= previous.HostOffset
            : gap == 0;
    }

    /// <summary>Whether <paramref name="next"/> goes on where this ends, so that both are one.</summary>
    internal bool IsContinuedBy(DiskImageExtent next) =>
        Kind == next.Kind && End == next.Start && (!IsAllocated || next.Follows(this));

    /// <summary>This and what continues it.</summary>
    internal DiskImageExtent With(DiskImageExtent next) => this with
    {
        Length = Length + next.Length,
        HostLength = IsAllocated ? next.HostOffset + next.HostLength - HostOffset : null,
    };
}
