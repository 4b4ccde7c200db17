using ImageUtils.Codecs;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Mapping;

/// <summary>
/// Fetches what extents stand for: reads what is stored, decompresses what is compressed. Each thread has its own.
/// </summary>
internal sealed class ExtentReader : IDisposable
{
    // Compressed units that lie close together are read at once; more than this is not.
    private const int LongestSpan = 4 << 20;

    private readonly UnitDecoder _decoder = new();
    private byte[] _compressed = [];
    private byte[] _unit = [];

    /// <summary>How many bytes were read from files.</summary>
    public long BytesRead { get; private set; }

    /// <summary>Fetches the data of extents; what is empty is left as it is.</summary>
    /// <param name="extents">Extents within the window.</param>
    /// <param name="guestOffset">Where the window begins on the guest's disk.</param>
    /// <param name="window">Receives the bytes, each at its offset less <paramref name="guestOffset"/>.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="ImageFormatException">Compressed data is corrupt, or the file ends before the data does.</exception>
    public async ValueTask ReadAsync(
        IReadOnlyList<Extent> extents, long guestOffset, Memory<byte> window, CancellationToken cancellationToken)
    {
        for (var index = 0; index < extents.Count; index++)
        {
            var extent = extents[index];
            if (extent.Kind == ExtentKind.Stored)
            {
                var target = window.Slice((int)(extent.GuestOffset - guestOffset), (int)extent.Length);
                await ReadStoredAsync(extent, target, cancellationToken).ConfigureAwait(false);
            }
            else if (extent.Kind == ExtentKind.Compressed)
            {
                var count = CountTogether(extents, index, out var start, out var length);
                await ReadCompressedAsync(extent.Source!, start, length, cancellationToken).ConfigureAwait(false);
                for (var each = index; each < index + count; each++)
                {
                    if (extents[each].Kind == ExtentKind.Compressed)
                    {
                        Decode(extents[each], start, length, guestOffset, window.Span);
                    }
                    else if (extents[each].Kind == ExtentKind.Stored)
                    {
                        var stored = extents[each];
                        var target = window.Slice((int)(stored.GuestOffset - guestOffset), (int)stored.Length);
                        await ReadStoredAsync(stored, target, cancellationToken).ConfigureAwait(false);
                    }
                }

                index += count - 1;
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _decoder.Dispose();

    // How many extents from one on can be served by one read, and what it reads.
    private static int CountTogether(IReadOnlyList<Extent> extents, int first, out long start, out int length)
    {
        start = extents[first].HostOffset;
        var end = start + extents[first].HostLength;
        long useful = extents[first].HostLength;
        var count = 1;
        for (var index = first + 1; index < extents.Count; index++)
        {
            var extent = extents[index];
            if (extent.Kind == ExtentKind.Compressed)
            {
                var newStart = Math.Min(start, extent.HostOffset);
                var newEnd = Math.Max(end, extent.HostOffset + extent.HostLength);
                useful += extent.HostLength;
                if (!ReferenceEquals(extent.Source, extents[first].Source) || newEnd - newStart > LongestSpan
                    || newEnd - newStart > useful * 2)
                {
                    break;
                }

                (start, end) = (newStart, newEnd);
            }

            count = index - first + 1;
        }

        length = checked((int)(end - start));
        return count;
    }

    private static void ThrowIfShort(in Extent extent, int read, long wanted)
    {
        if (read < wanted)
        {
            throw new TruncatedImageException(
                $"The data of the guest's bytes from {extent.GuestOffset} on should be {wanted} bytes at host offset "
                + $"{extent.HostOffset}, but the file ends after {read} of them. Was the copy or download interrupted?");
        }
    }

    private async ValueTask ReadStoredAsync(Extent extent, Memory<byte> target, CancellationToken cancellationToken)
    {
        var read = await extent.Source!.ReadAsync(extent.HostOffset, target, cancellationToken).ConfigureAwait(false);
        BytesRead += read;
        ThrowIfShort(extent, read, target.Length);
    }

    private async ValueTask ReadCompressedAsync(
        IByteSource source, long start, int length, CancellationToken cancellationToken)
    {
        if (_compressed.Length < length)
        {
            _compressed = GC.AllocateUninitializedArray<byte>(Math.Max(length, 1 << 20));
        }

        // Formats round the last unit's length up, past the end of the file.
        var read = await source.ReadAsync(start, _compressed.AsMemory(0, length), cancellationToken)
            .ConfigureAwait(false);
        BytesRead += read;
        _compressed.AsSpan(read, length - read).Clear();
    }

    private void Decode(in Extent extent, long start, int length, long guestOffset, Span<byte> window)
    {
        var from = (int)(extent.HostOffset - start);
        var source = _compressed.AsSpan(from, Math.Min(extent.HostLength, length - from));
        var target = window.Slice((int)(extent.GuestOffset - guestOffset), (int)extent.Length);
        try
        {
            if (extent.UnitLength == extent.Length)
            {
                _decoder.Decode(extent.Codec, source, target);
                return;
            }

            if (_unit.Length < extent.UnitLength)
            {
                _unit = GC.AllocateUninitializedArray<byte>(extent.UnitLength);
            }

            var unit = _unit.AsSpan(0, extent.UnitLength);
            _decoder.Decode(extent.Codec, source, unit);
            unit.Slice(extent.UnitOffset, (int)extent.Length).CopyTo(target);
        }
        catch (ImageFormatException exception)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The compressed data at host offset {extent.HostOffset}, of the guest's bytes from "
                + $"{extent.GuestOffset} on, is corrupt: {exception.Message}");
        }
    }
}
