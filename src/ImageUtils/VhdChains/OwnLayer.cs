using ImageUtils.Conversion;
using ImageUtils.Formats;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.VhdChains;

/// <summary>What a disk has of its own, beside its parent: whether a range of it says anything new.</summary>
/// <param name="own">The disk by itself; what it leaves to its parent is a hole.</param>
/// <param name="parent">The parent's disk; null: zeros.</param>
internal sealed class OwnLayer(ImageMap own, ImageMap? parent) : IDisposable
{
    private const int WindowLength = 1 << 20;

    private readonly ExtentReader _reader = new();
    private readonly AlignedBuffer _own = new(WindowLength);
    private readonly AlignedBuffer _below = new(WindowLength);
    private readonly List<Extent> _extents = [];

    /// <summary>Opens a disk by itself, or over a parent that was opened before.</summary>
    /// <param name="reader">What reads the disk.</param>
    /// <param name="source">The disk.</param>
    /// <param name="inspection">What the inspector found in it.</param>
    /// <param name="parent">Its parent; null: it has none.</param>
    /// <param name="shows">Whether the parent shows through holes.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    internal static ValueTask<ImageMap> OpenAsync(
        IReadableFormat reader,
        FileByteSource source,
        ImageInspection inspection,
        OpenedImage? parent,
        bool shows,
        CancellationToken cancellationToken)
    {
        var given = parent is null
            ? null
            : new OpenedParent(shows ? parent.Map : new HoleMap(), parent.Inspection, parent.Path);
        return reader.OpenAsync(
            source, new GivenParent(given, source.Path) { Inspection = inspection }, cancellationToken);
    }

    public void Dispose()
    {
        _reader.Dispose();
        ((IDisposable)_own).Dispose();
        ((IDisposable)_below).Dispose();
    }

    /// <summary>Whether a guest would see the same if the disk said nothing of a range.</summary>
    internal async ValueTask<bool> IsSuperfluousAsync(
        long guestOffset, long length, CancellationToken cancellationToken)
    {
        await foreach (var extent in own.GetExtentsAsync(guestOffset, length, cancellationToken).ConfigureAwait(false))
        {
            for (var at = 0L; extent.Kind != ExtentKind.Hole && at < extent.Length; at += WindowLength)
            {
                var piece = extent.Slice(at, Math.Min(WindowLength, extent.Length - at));
                if (!await IsSameAsync(piece, cancellationToken).ConfigureAwait(false))
                {
                    return false;
                }
            }
        }

        return true;
    }

    private async ValueTask<bool> IsSameAsync(Extent piece, CancellationToken cancellationToken)
    {
        var bytes = _own.Memory[..(int)piece.Length];
        bytes.Span.Clear();
        await _reader.ReadAsync([piece], piece.GuestOffset, bytes, cancellationToken).ConfigureAwait(false);
        if (parent is null)
        {
            return ZeroScan.IsZero(bytes.Span);
        }

        var below = _below.Memory[..(int)piece.Length];
        below.Span.Clear();
        _extents.Clear();
        var length = Math.Min(piece.GuestEnd, parent.VirtualSize) - piece.GuestOffset;
        if (length > 0)
        {
            await foreach (var extent in parent.GetExtentsAsync(piece.GuestOffset, length, cancellationToken)
                .ConfigureAwait(false))
            {
                _extents.Add(extent);
            }
        }

        await _reader.ReadAsync(_extents, piece.GuestOffset, below, cancellationToken).ConfigureAwait(false);
        return bytes.Span.SequenceEqual(below.Span);
    }
}
