using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Space;

namespace ImageUtils.Conversion;

/// <summary>What a conversion writes, known before a byte is read: a dry run of the writer over the source's map.</summary>
/// <param name="Length">The file's length in bytes.</param>
/// <param name="DataBytes">How much of it is data or tables; the rest is holes.</param>
internal sealed record ConversionPlan(long Length, long DataBytes)
{
    /// <summary>
    /// Plans the target of a map. Zeros that are hidden in stored data are not known to it: less may be written.
    /// </summary>
    internal static async ValueTask<ConversionPlan> MakeAsync(
        ImageWriter writer, ImageMap map, CancellationToken cancellationToken)
    {
        var sink = new CountingSink();
        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        long data = 0;
        if (writer.LinearOffset is not null)
        {
            // Its length is known already; only how much of it is data is not.
            await foreach (var extent in map.GetExtentsAsync(cancellationToken).ConfigureAwait(false))
            {
                data += extent.IsEmpty ? 0 : extent.Length;
            }
        }
        else
        {
            await foreach (var extent in map.GetExtentsAsync(cancellationToken).ConfigureAwait(false))
            {
                if (!extent.IsEmpty)
                {
                    await PlaceAsync(writer, extent.GuestOffset, extent.Length, cancellationToken)
                        .ConfigureAwait(false);
                    data += extent.Length;
                }
            }
        }

        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        return new ConversionPlan(sink.Length, Math.Min(data + sink.BytesWritten, sink.Length));
    }

    /// <summary>The length of the file if every unit held data; null where nobody knows it.</summary>
    internal static async ValueTask<long?> FullLengthAsync(
        ImageWriter writer, long virtualSize, CancellationToken cancellationToken)
    {
        if (writer.Compression is { IsOptional: false })
        {
            return null;
        }

        var sink = new CountingSink();
        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        if (writer.LinearOffset is null)
        {
            await PlaceAsync(writer, 0, virtualSize, cancellationToken).ConfigureAwait(false);
        }

        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        return sink.Length;
    }

    /// <summary>Refuses a destination without room for what is planned.</summary>
    /// <exception cref="ImageWriteException">A device is too small.</exception>
    /// <exception cref="InsufficientSpaceException">A file system has not enough space.</exception>
    internal void ThrowIfNoSpace(string destination)
    {
        if (!Destination.IsBlockDevice(destination))
        {
            SpaceCheck.ThrowIfShort(new SpaceRequirement(SpaceKind.Destination, destination, DataBytes));
            return;
        }

        using var device = FileByteSource.Open(destination);
        if (device.Length < Length)
        {
            throw new ImageWriteException(
                ImageWriteProblem.TooLarge, destination,
                $"'{destination}' has {device.Length} bytes, but the image takes {Length}. Nothing was written; use a "
                + "larger device.");
        }
    }

    private static async ValueTask PlaceAsync(
        ImageWriter writer, long guestOffset, long length, CancellationToken cancellationToken)
    {
        while (length > 0)
        {
            var piece = Math.Min(length, writer.UnitSize - guestOffset % writer.UnitSize);
            await writer.PlaceAsync(guestOffset, piece, cancellationToken).ConfigureAwait(false);
            guestOffset += piece;
            length -= piece;
        }
    }
}
