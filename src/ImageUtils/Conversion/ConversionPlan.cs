using ImageUtils.Codecs;
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
    private const long UnitsInRound = 4096;

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
                    await writer.PlaceUnitsAsync(extent.GuestOffset, extent.Length, cancellationToken)
                        .ConfigureAwait(false);
                    data += extent.Length;
                }
            }
        }

        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        return new ConversionPlan(sink.Length, Math.Min(data + sink.BytesWritten, sink.Length));
    }

    /// <summary>The length of the file if every unit of the disk held data, and none of it became shorter.</summary>
    internal static async ValueTask<long> FullLengthAsync(
        Func<ImageWriter> makeWriter, long virtualSize, CancellationToken cancellationToken)
    {
        var writer = makeWriter();
        if (writer.FullLength is { } known)
        {
            return known;
        }

        if (writer.Compression is { IsOptional: false } compression)
        {
            return await FullLengthAsync(makeWriter, compression, virtualSize, cancellationToken).ConfigureAwait(false);
        }

        var sink = new CountingSink();
        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        if (writer.LinearOffset is null)
        {
            await writer.PlaceUnitsAsync(0, virtualSize, cancellationToken).ConfigureAwait(false);
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

    // Such writers take the bytes of each unit, of which a large disk has too many to try them all: what one round of
    // units adds to the file is seen once. Tables come at intervals that divide a round.
    private static async ValueTask<long> FullLengthAsync(
        Func<ImageWriter> makeWriter,
        UnitCompression compression,
        long virtualSize,
        CancellationToken cancellationToken)
    {
        var unit = IncompressibleUnit(compression);
        var units = virtualSize / compression.UnitLength + (virtualSize % compression.UnitLength == 0 ? 0 : 1);
        var rest = await LengthOfAsync(units % UnitsInRound).ConfigureAwait(false);
        return units < UnitsInRound
            ? rest
            : rest + (await LengthOfAsync(units % UnitsInRound + UnitsInRound).ConfigureAwait(false) - rest)
                * (units / UnitsInRound);

        async ValueTask<long> LengthOfAsync(long count)
        {
            var sink = new CountingSink();
            var writer = makeWriter();
            await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
            for (long index = 0; index < count; index++)
            {
                await writer.WriteCompressedAsync(index * compression.UnitLength, unit, cancellationToken)
                    .ConfigureAwait(false);
            }

            await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
            return sink.Length;
        }
    }

    private static byte[] IncompressibleUnit(UnitCompression compression)
    {
        var unit = new byte[compression.UnitLength];
        new Random(0).NextBytes(unit);
        var encoded = new byte[compression.UnitLength * 2];
        using var encoder = UnitEncoder.Create(compression.Codec, compression.Level, compression.UnitLength);
        return encoded[..encoder.Encode(unit, encoded)];
    }
}
