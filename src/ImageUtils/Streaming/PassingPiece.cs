using ImageUtils.Codecs;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Streaming;

/// <summary>A piece of a guest's disk, by where it is in the file: what is to be done when those bytes pass.</summary>
/// <param name="HostOffset">Where its bytes begin in the file.</param>
/// <param name="GuestOffset">Where they go on the guest's disk.</param>
/// <param name="Length">How many bytes of the disk it is.</param>
/// <param name="HostLength">How many bytes of the file; where it is compressed, at least.</param>
/// <param name="UnitLength">The unit's length once decompressed; 0 where it is not compressed.</param>
/// <param name="Codec">How it is compressed.</param>
internal readonly record struct PassingPiece(
    long HostOffset, long GuestOffset, int Length, int HostLength, int UnitLength, UnitCodec Codec)
{
    // Some 90 GiB of units of 64 KiB, each of them compressed, or as many islands of data.
    internal const int MostPieces = 1_500_000;

    private const int LongestStored = 1 << 30;

    internal bool IsCompressed => UnitLength > 0;

    internal long HostEnd => HostOffset + HostLength;

    /// <summary>The pieces of a disk, in the guest's order.</summary>
    /// <param name="map">The disk.</param>
    /// <param name="source">The only file that it may be in.</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    /// <returns>The pieces; null where there are too many to be held, or they are not all in the file.</returns>
    internal static async ValueTask<List<PassingPiece>?> ListAsync(
        ImageMap map, IByteSource source, CancellationToken cancellationToken)
    {
        var pieces = new List<PassingPiece>();
        await foreach (var extent in map.GetExtentsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (extent.IsEmpty)
            {
                continue;
            }

            if (!ReferenceEquals(extent.Source, source))
            {
                return null;
            }

            for (var at = 0L; at < extent.Length; at += LongestStored)
            {
                pieces.Add(Of(extent.Kind == ExtentKind.Stored
                    ? extent.Slice(at, Math.Min(LongestStored, extent.Length - at))
                    : extent));
            }

            if (pieces.Count > MostPieces)
            {
                return null;
            }
        }

        return pieces;
    }

    /// <summary>Puts pieces into the order in which they pass.</summary>
    internal static void Sort(List<PassingPiece> pieces) =>
        pieces.Sort(static (one, other) => one.HostOffset.CompareTo(other.HostOffset));

    /// <summary>The piece as a part of the disk.</summary>
    internal Extent ToExtent(IByteSource source) => IsCompressed
        ? Extent.Compressed(GuestOffset, Length, source, HostOffset, HostLength, Codec, UnitLength)
        : Extent.Stored(GuestOffset, Length, source, HostOffset);

    private static PassingPiece Of(in Extent extent) => new(
        extent.HostOffset, extent.GuestOffset, (int)extent.Length,
        extent.Kind == ExtentKind.Stored ? (int)extent.Length : extent.HostLength, extent.UnitLength, extent.Codec);
}
