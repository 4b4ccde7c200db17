using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;

namespace ImageUtils.VhdChains;

/// <content>Size and parent: the metadata, and the room for the table.</content>
internal sealed partial class VhdxEditor
{
    // A region table's checksum and first 15 entries; more than two are known of no writer.
    private const int SwitchLength = 512;

    private const int MaximumMetadataLength = 16 << 20;

    private VhdxRegion Table => _regions[IndexOf(VhdxIds.BatRegion)];

    private VhdxRegion Metadata => _regions[IndexOf(VhdxIds.MetadataRegion)];

    /// <summary>Makes the table one of a disk of a size, which it has only once <see cref="SetSizeAsync"/> gave it.</summary>
    /// <exception cref="ImageOptionException">No VHDX is that large.</exception>
    internal async ValueTask PrepareSizeAsync(long size, CancellationToken cancellationToken)
    {
        await CommitAsync(cancellationToken).ConfigureAwait(false);
        var entries = (long)_layout.Entries * VhdxBatEntry.Length;
        var length = (long)LayoutOf(ToSectors(size)).Entries * VhdxBatEntry.Length;
        if (length <= Table.Length)
        {
            // What is there may be left over from when the disk was larger.
            if (length > entries)
            {
                await _sink.FillAsync((long)Table.FileOffset + entries, length - entries, cancellationToken)
                    .ConfigureAwait(false);
                await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        else
        {
            var space = (length + Mebibyte - 1) / Mebibyte * Mebibyte;
            var offset = FindGap(space) ?? await AllocateAsync(space, cancellationToken).ConfigureAwait(false);
            await CopyTableAsync(offset, entries, space, cancellationToken).ConfigureAwait(false);
            await SwitchAsync(
                Table with { FileOffset = (ulong)offset, Length = (uint)space }, cancellationToken).ConfigureAwait(false);
        }

        _pageIndex = -1;
    }

    /// <summary>Gives the disk a size; its table has room for it.</summary>
    internal async ValueTask SetSizeAsync(long size, CancellationToken cancellationToken)
    {
        size = ToSectors(size);
        await CommitAsync(cancellationToken).ConfigureAwait(false);
        await ChangeMetadataAsync(
            (bytes, entries) =>
            {
                var item = Array.Find(entries, entry => entry.Is(VhdxIds.VirtualDiskSize));
                BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan((int)item.Offset), (ulong)size);
            },
            cancellationToken).ConfigureAwait(false);
        (_layout, VirtualSize) = (LayoutOf(size), size);
    }

    /// <summary>Names another parent.</summary>
    /// <exception cref="VhdChainException">The disk has none, or no room for the name.</exception>
    internal async ValueTask SetParentAsync(VhdxParentLocator parent, CancellationToken cancellationToken)
    {
        if (!HasParent)
        {
            throw new VhdChainException(
                VhdChainProblem.NotUsable, _source.Path,
                "It is no differencing disk, and cannot get a parent. Make a new disk over the parent.");
        }

        await CommitAsync(cancellationToken).ConfigureAwait(false);
        await ChangeMetadataAsync(
            (bytes, entries) => PutLocator(bytes, entries, parent), cancellationToken).ConfigureAwait(false);
    }

    private int IndexOf(Guid region) => Array.FindIndex(_regions, one => one.Id == region);

    private long ToSectors(long size) => (size + _sectorSize - 1) / _sectorSize * _sectorSize;

    private VhdxBatLayout LayoutOf(long size) => size <= (long)VhdxSafetyChecks.MaximumDiskSize
        ? new VhdxBatLayout((ulong)size, (uint)BlockSize, _sectorSize, HasParent)
        : throw new ImageOptionException(
            "Size",
            $"A disk of {size} bytes is too large for a VHDX, which has 64 TiB ({VhdxSafetyChecks.MaximumDiskSize} "
            + "bytes) at most.");

    // Behind all other items: what was there is not needed, and the region is written whole.
    private void PutLocator(byte[] bytes, VhdxMetadataEntry[] entries, VhdxParentLocator parent)
    {
        var others = entries.Where(entry => !entry.Is(VhdxIds.ParentLocator)).ToArray();
        var offset = Math.Max(
            VhdxMetadataTable.Length, others.Max(entry => (long)entry.Offset + entry.Length) + 7 & ~7L);
        if (bytes.Length - offset < parent.Length)
        {
            throw new VhdChainException(
                VhdChainProblem.NotUsable, _source.Path,
                $"Its metadata region of {bytes.Length} bytes has no room for a parent locator. Convert it.");
        }

        bytes.AsSpan((int)offset).Clear();
        var length = parent.Write(bytes.AsSpan((int)offset));
        VhdxMetadataTable.Write(
            [
                .. others,
                new(VhdxIds.ParentLocator, (uint)offset, (uint)length, VhdxMetadataFlags.IsRequired),
            ],
            bytes);
    }

    // Readers that go through a file once want the metadata near its beginning: the region goes to the end for as long as
    // its place is being written, and comes back.
    private async ValueTask ChangeMetadataAsync(
        Action<byte[], VhdxMetadataEntry[]> change, CancellationToken cancellationToken)
    {
        var region = Metadata;
        if (region.Length > MaximumMetadataLength)
        {
            throw new VhdChainException(
                VhdChainProblem.NotUsable, _source.Path,
                $"Its metadata region has {region.Length} bytes; at most {MaximumMetadataLength} are changed. Convert it.");
        }

        var bytes = new byte[region.Length];
        await VhdxReader.ReadWholeAsync(_source, (long)region.FileOffset, bytes, "metadata region", cancellationToken)
            .ConfigureAwait(false);
        change(bytes, VhdxMetadataTable.ParseEntries(
            bytes.AsSpan(VhdxMetadataTable.HeaderLength), VhdxMetadataTable.ReadEntryCount(bytes)));
        var fileLength = RandomAccess.GetLength(_file.Handle);
        var end = _end;
        var gap = FindGap(region.Length);
        var place = gap ?? await AllocateAsync(region.Length, cancellationToken).ConfigureAwait(false);
        await _sink.WriteAsync(place, bytes, cancellationToken).ConfigureAwait(false);
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);

        // The rest is a matter of moments: nobody who asks for an end leaves the region where it is out of place.
        cancellationToken.ThrowIfCancellationRequested();
        cancellationToken = CancellationToken.None;
        await SwitchAsync(region with { FileOffset = (ulong)place }, cancellationToken).ConfigureAwait(false);
        if (gap is null)
        {
            await _sink.WriteAsync((long)region.FileOffset, bytes, cancellationToken).ConfigureAwait(false);
            await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
            await SwitchAsync(region, cancellationToken).ConfigureAwait(false);
            await _sink.SetLengthAsync(Math.Max(fileLength, end), cancellationToken).ConfigureAwait(false);
            await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
            _end = end;
        }
    }

    private async ValueTask CopyTableAsync(
        long offset, long entries, long space, CancellationToken cancellationToken)
    {
        var table = (long)Table.FileOffset;
        var buffer = new byte[Mebibyte];
        for (var at = 0L; at < entries; at += buffer.Length)
        {
            var piece = buffer.AsMemory(0, (int)Math.Min(buffer.Length, entries - at));
            await VhdxReader.ReadWholeAsync(_source, table + at, piece, "block allocation table", cancellationToken)
                .ConfigureAwait(false);
            await _sink.WriteAsync(offset + at, piece, cancellationToken).ConfigureAwait(false);
        }

        await _sink.FillAsync(offset + entries, space - entries, cancellationToken).ConfigureAwait(false);
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    // Between the headers and the first block.
    private long? FindGap(long length)
    {
        var at = Mebibyte;
        var taken = _regions.Select(region => (Start: (long)region.FileOffset, Length: (long)region.Length))
            .Append((Start: (long)_header.LogOffset, Length: (long)_header.LogLength)).Order();
        foreach (var (start, occupied) in taken)
        {
            if (start - at >= length)
            {
                break;
            }

            at = Math.Max(at, start + occupied);
        }

        // Behind the last of them is no gap, but the end.
        return at + length <= Math.Min(_firstBlock, _end) ? at : null;
    }

    private async ValueTask SwitchAsync(VhdxRegion changed, CancellationToken cancellationToken)
    {
        _regions[IndexOf(changed.Id)] = changed;
        var table = new byte[VhdxRegionTable.Length];
        VhdxRegionTable.Write(_regions, table);
        foreach (var offset in (long[])[VhdxRegionTable.FirstOffset, VhdxRegionTable.SecondOffset])
        {
            await _sink.WriteAsync(offset, table.AsMemory(0, SwitchLength), cancellationToken).ConfigureAwait(false);
            await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }

    // The first table decides, and the second is made alike. What is not known of the first would be lost.
    private async ValueTask BeginAsync(CancellationToken cancellationToken)
    {
        var first = new byte[VhdxRegionTable.Length];
        var second = new byte[VhdxRegionTable.Length];
        var own = new byte[VhdxRegionTable.Length];
        VhdxRegionTable.Write(_regions, own);
        await VhdxReader.ReadWholeAsync(_source, VhdxRegionTable.FirstOffset, first, "region table", cancellationToken)
            .ConfigureAwait(false);
        await VhdxReader.ReadWholeAsync(_source, VhdxRegionTable.SecondOffset, second, "region table", cancellationToken)
            .ConfigureAwait(false);
        if (!first.AsSpan().SequenceEqual(own) || own.AsSpan(SwitchLength).ContainsAnyExcept((byte)0))
        {
            throw new VhdChainException(
                VhdChainProblem.NotUsable, _source.Path,
                "Its region table has more in it than is known, and is not changed in place. Convert it.");
        }

        await WriteHeaderAsync(cancellationToken).ConfigureAwait(false);
        if (!second.AsSpan().SequenceEqual(own))
        {
            await _sink.WriteAsync(VhdxRegionTable.SecondOffset, own, cancellationToken).ConfigureAwait(false);
            await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        }
    }
}
