using ImageUtils.Codecs;
using ImageUtils.IO;

namespace ImageUtils.Mapping;

/// <summary>A range of the guest's disk, and where its bytes are. Offsets and lengths are in bytes.</summary>
public readonly record struct Extent
{
    private Extent(long guestOffset, long length, ExtentKind kind)
    {
        GuestOffset = guestOffset;
        Length = length;
        Kind = kind;
    }

    /// <summary>Where the range begins on the guest's disk.</summary>
    public long GuestOffset { get; private init; }

    /// <summary>The range's length; never 0.</summary>
    public long Length { get; private init; }

    /// <summary>Where the bytes come from.</summary>
    public ExtentKind Kind { get; private init; }

    /// <summary>The file that holds the bytes; null for zeros and holes.</summary>
    public IByteSource? Source { get; private init; }

    /// <summary>Where the bytes, or the compressed unit, begin in <see cref="Source"/>.</summary>
    public long HostOffset { get; private init; }

    /// <summary>The compressed unit's length in the file, at least: formats round it up.</summary>
    public int HostLength { get; private init; }

    /// <summary>How the unit is compressed.</summary>
    public UnitCodec Codec { get; private init; }

    /// <summary>The unit's length once decompressed; 0 where it is not compressed.</summary>
    public int UnitLength { get; private init; }

    /// <summary>Where the range begins in the decompressed unit.</summary>
    public int UnitOffset { get; private init; }

    /// <summary>The byte after the range.</summary>
    public long GuestEnd => GuestOffset + Length;

    /// <summary>Whether the range reads as zero without reading a file; a hole does so only without a parent.</summary>
    public bool IsEmpty => Kind is ExtentKind.Hole or ExtentKind.Zero;

    /// <summary>A range that the image says nothing of.</summary>
    public static Extent Hole(long guestOffset, long length) => new(guestOffset, length, ExtentKind.Hole);

    /// <summary>A range of zeros.</summary>
    public static Extent Zero(long guestOffset, long length) => new(guestOffset, length, ExtentKind.Zero);

    /// <summary>A range that lies in a file as it is.</summary>
    public static Extent Stored(long guestOffset, long length, IByteSource source, long hostOffset) =>
        new(guestOffset, length, ExtentKind.Stored) { Source = source, HostOffset = hostOffset };

    /// <summary>A range that is a compressed unit, or its beginning where the disk ends within the unit.</summary>
    /// <param name="guestOffset">Where the unit begins on the guest's disk.</param>
    /// <param name="length">How much of the unit the disk has.</param>
    /// <param name="source">The file.</param>
    /// <param name="hostOffset">Where the compressed unit begins in the file.</param>
    /// <param name="hostLength">Its length in the file, at least.</param>
    /// <param name="codec">How it is compressed.</param>
    /// <param name="unitLength">Its length once decompressed.</param>
    public static Extent Compressed(
        long guestOffset,
        long length,
        IByteSource source,
        long hostOffset,
        int hostLength,
        UnitCodec codec,
        int unitLength) => new(guestOffset, length, ExtentKind.Compressed)
        {
            Source = source,
            HostOffset = hostOffset,
            HostLength = hostLength,
            Codec = codec,
            UnitLength = unitLength,
        };

    /// <summary>A part of the range.</summary>
    /// <param name="skip">How many bytes to leave out at the beginning.</param>
    /// <param name="length">How many bytes to take.</param>
    public Extent Slice(long skip, long length) => this with
    {
        GuestOffset = GuestOffset + skip,
        Length = length,
        HostOffset = Kind == ExtentKind.Stored ? HostOffset + skip : HostOffset,
        UnitOffset = Kind == ExtentKind.Compressed ? checked((int)(UnitOffset + skip)) : 0,
    };

    /// <summary>The range at another place of the disk, with the same bytes.</summary>
    /// <param name="guestOffset">Where it then begins.</param>
    public Extent At(long guestOffset) => this with { GuestOffset = guestOffset };

    /// <summary>The part of the range that lies in a window of the guest's disk, which it must touch.</summary>
    public Extent Clip(long guestOffset, long guestEnd)
    {
        var start = Math.Max(GuestOffset, guestOffset);
        return Slice(start - GuestOffset, Math.Min(GuestEnd, guestEnd) - start);
    }

    /// <summary>Whether <paramref name="next"/> goes on where this ends, so that both are one range.</summary>
    public bool IsContinuedBy(in Extent next) =>
        Kind == next.Kind && Kind != ExtentKind.Compressed && GuestEnd == next.GuestOffset
        && (Kind != ExtentKind.Stored
            || (ReferenceEquals(Source, next.Source) && HostOffset + Length == next.HostOffset));

    /// <summary>This range, made longer.</summary>
    public Extent Extend(long length) => this with { Length = Length + length };
}
