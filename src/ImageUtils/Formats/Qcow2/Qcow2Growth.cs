using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Resizing;

namespace ImageUtils.Formats.Qcow2;

/// <summary>Makes a qcow2 image's disk larger in its file: new L1 entries first, then the header's first sector at once.</summary>
/// <remarks>
/// QEMU, docs/interop/qcow2.rst, "Header" and "Cluster mapping". The L1 table fills whole clusters, of which qemu writes
/// only the entries that there are: what is behind them is cleared, and on the disk, before the header counts it in. An
/// image of version 3 states each snapshot's size beside the snapshot, so that only older ones keep it from being resized,
/// as in qemu's qcow2_co_truncate.
/// </remarks>
/// <param name="path">The image's path, for messages.</param>
/// <param name="source">Reads the image.</param>
/// <param name="inspection">What the inspector found in it.</param>
/// <param name="sink">Writes to the same file.</param>
internal sealed class Qcow2Growth(string path, IByteSource source, ImageInspection inspection, IByteSink sink)
{
    private const int SectorLength = 512;
    private const int L1EntryLength = 8;
    private const ulong RefcountBlockMask = ~(ulong)0x1FF;

    /// <summary>Makes the disk larger.</summary>
    /// <param name="newSize">Its size in bytes, rounded up to whole sectors.</param>
    /// <param name="parentSize">The size of the backing file's disk; null where there is none.</param>
    /// <param name="cancellationToken">Ends the work before anything is written.</param>
    /// <returns>The new size; null where the image must be written anew, because its tables have no room or hide old data.</returns>
    /// <exception cref="ImageResizeException">It must not be resized.</exception>
    internal async ValueTask<long?> GrowAsync(long newSize, long? parentSize, CancellationToken cancellationToken)
    {
        var header = await Qcow2FirstCluster.ReadHeaderAsync(new ForwardReader(source), cancellationToken)
            .ConfigureAwait(false);
        newSize = newSize + SectorLength - 1 & -SectorLength;
        ThrowIfBound(header, parentSize);
        var clusterSize = 1L << (int)header.ClusterBits;
        var entryLength = header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExtendedL2) ? 16 : 8;
        var spanOfTable = clusterSize / entryLength * clusterSize;
        var needed = (newSize - 1) / spanOfTable + 1;
        if (needed * L1EntryLength > Qcow2SafetyChecks.MaximumL1Bytes)
        {
            throw No(
                ImageResizeProblem.TooLarge,
                $"A disk of {newSize} bytes is too large for clusters of {clusterSize} bytes. Convert it to one with "
                + "larger clusters.");
        }

        var tableClusters = (header.L1Size * (long)L1EntryLength + clusterSize - 1) / clusterSize;
        if (needed * L1EntryLength > tableClusters * clusterSize
            || await HidesDataAsync(header, newSize, spanOfTable, cancellationToken).ConfigureAwait(false))
        {
            return null;
        }

        var sector = new byte[SectorLength];
        await ReadAsync(0, sector, cancellationToken).ConfigureAwait(false);
        if (needed > header.L1Size)
        {
            var lastCluster = (long)header.L1TableOffset / clusterSize + tableClusters - 1;
            await ThrowIfSharedAsync(header, lastCluster, cancellationToken).ConfigureAwait(false);
            var end = (long)header.L1TableOffset + header.L1Size * (long)L1EntryLength;
            var entries = new byte[(needed - header.L1Size) * L1EntryLength];
            await sink.WriteAsync(end, entries, cancellationToken).ConfigureAwait(false);
            await sink.FlushAsync(CancellationToken.None).ConfigureAwait(false);
            BinaryPrimitives.WriteUInt32BigEndian(sector.AsSpan(36), (uint)needed);
        }

        BinaryPrimitives.WriteUInt64BigEndian(sector.AsSpan(24), (ulong)newSize);
        if (header.Version >= 3)
        {
            // What a feature that is not known says of the image's content may be true no longer.
            const Qcow2AutoclearFeatures known = Qcow2AutoclearFeatures.Bitmaps | Qcow2AutoclearFeatures.RawExternalData;
            BinaryPrimitives.WriteUInt64BigEndian(sector.AsSpan(88), (ulong)(header.AutoclearFeatures & known));
        }

        await sink.WriteAsync(0, sector, CancellationToken.None).ConfigureAwait(false);
        await sink.FlushAsync(CancellationToken.None).ConfigureAwait(false);
        return newSize;
    }

    private void ThrowIfBound(Qcow2Header header, long? parentSize)
    {
        const Qcow2IncompatibleFeatures notClean = Qcow2IncompatibleFeatures.Dirty | Qcow2IncompatibleFeatures.Corrupt;
        if ((header.IncompatibleFeatures & notClean) != 0)
        {
            throw No(ImageResizeProblem.NotClean, "It is marked as dirty or corrupt. Use 'qemu-img check -r all' first.");
        }

        if (header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExternalDataFile))
        {
            throw No(
                ImageResizeProblem.NotResizable,
                "Its data is in another file, which would have to be resized as well. Use 'qemu-img resize' on images "
                + "that you trust.");
        }

        if (header.AutoclearFeatures.HasFlag(Qcow2AutoclearFeatures.Bitmaps))
        {
            throw No(
                ImageResizeProblem.HasHistory,
                "It has dirty bitmaps, which would have to be resized as well. Use -Engine Qemu.");
        }

        // The inspector reads no more of a very long table than its beginning.
        if (header.SnapshotCount > 0
            && (header.Version < 3 || inspection.Snapshots.Count < header.SnapshotCount
                || inspection.Snapshots.Any(snapshot => snapshot.DiskSize is null)))
        {
            throw No(
                ImageResizeProblem.HasHistory,
                $"It has {header.SnapshotCount} snapshots, and it is not seen that each states its own size, as those of "
                + "version 3 (compat 1.1) do: they would change with the disk. Delete them, or use -Engine Qemu.");
        }

        if (parentSize > (long)header.Size)
        {
            throw No(
                ImageResizeProblem.HasParent,
                $"Its backing file has {parentSize} bytes, and it {header.Size}: what is behind that in the backing file "
                + "would show through. Use -Engine Qemu, which puts zeros over it.");
        }
    }

    // Clusters behind the end, as an image that was shrunk may have them.
    private async ValueTask<bool> HidesDataAsync(
        Qcow2Header header, long newSize, long spanOfTable, CancellationToken cancellationToken)
    {
        var length = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var end = UInt128.Min((UInt128)newSize, (UInt128)header.L1Size * (ulong)spanOfTable);
        if (end <= header.Size)
        {
            return false;
        }

        var map = new Qcow2Map(
            source, length, header, new Qcow2L1Table((long)header.L1TableOffset, header.L1Size, (long)end),
            new Qcow2L2Decoder(header, source, length, null, 0));
        return await GuestTail.FindLastDataAsync(map, (long)header.Size, cancellationToken).ConfigureAwait(false)
            is not null;
    }

    private async ValueTask ThrowIfSharedAsync(Qcow2Header header, long cluster, CancellationToken cancellationToken)
    {
        var clusterSize = 1L << (int)header.ClusterBits;
        var bits = 1 << (int)header.RefcountOrder;
        var countsOfBlock = clusterSize * 8 / bits;
        var index = cluster / countsOfBlock;
        ulong count = 0;
        if (index < header.RefcountTableClusters * clusterSize / 8)
        {
            var entry = new byte[8];
            await ReadAsync((long)header.RefcountTableOffset + index * 8, entry, cancellationToken)
                .ConfigureAwait(false);
            var block = BinaryPrimitives.ReadUInt64BigEndian(entry) & RefcountBlockMask;
            if (block is not 0 and <= long.MaxValue / 2)
            {
                var within = cluster % countsOfBlock * bits;
                var bytes = entry.AsMemory(0, Math.Max(1, bits / 8));
                await ReadAsync((long)block + within / 8, bytes, cancellationToken).ConfigureAwait(false);
                foreach (var one in bytes.Span)
                {
                    count = count << 8 | one;
                }

                count = bits < 8 ? count >> (int)(within % 8) & (1UL << bits) - 1 : count;
            }
        }

        if (count != 1)
        {
            throw No(
                ImageResizeProblem.NotClean,
                $"The cluster at byte {cluster * clusterSize}, the last of its L1 table, has a reference count of {count} "
                + "instead of 1. Have the image repaired first, with 'qemu-img check -r all'.");
        }
    }

    private async ValueTask ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var read = await source.ReadAsync(offset, buffer, cancellationToken).ConfigureAwait(false);
        if (read < buffer.Length)
        {
            throw new TruncatedImageException(
                $"The qcow2 image should have {buffer.Length} bytes at byte {offset}, but its file ends before.");
        }
    }

    private ImageResizeException No(ImageResizeProblem problem, string reason) => new(problem, path, reason);
}
