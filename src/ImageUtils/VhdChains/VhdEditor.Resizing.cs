using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;

namespace ImageUtils.VhdChains;

/// <content>Other sizes.</content>
internal sealed partial class VhdEditor
{
    /// <summary>
    /// Makes the disk larger; what is added reads as zeros, or shows what a larger parent has there. Nothing happens
    /// where it has the size already.
    /// </summary>
    /// <remarks>
    /// The footer's size comes last: a table with more entries than the size needs is valid. A fixed disk gets a footer
    /// with the old size at its new end; the old one, which is behind the disk's end then, is zeroed; then the footer
    /// gets the new size.
    /// </remarks>
    /// <exception cref="ImageOptionException">The size is more than a VHD can have.</exception>
    /// <exception cref="ImageWriteException">The medium is full.</exception>
    internal async ValueTask GrowAsync(long size, CancellationToken cancellationToken)
    {
        if (size <= VirtualSize)
        {
            return;
        }

        await PrepareGrowthAsync(size, cancellationToken).ConfigureAwait(false);

        // Hyper-V's end can be behind QEMU's, which comes from the geometry: nothing is cut off.
        var footer = WithSize(Footer, Math.Max(size, (long)Footer.CurrentSize));
        if (Header is null)
        {
            await GrowFixedAsync(footer, cancellationToken).ConfigureAwait(false);
            return;
        }

        await CommitAsync(cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        await SwitchFootersAsync(footer, cancellationToken).ConfigureAwait(false);
    }

    // What is behind the old end is not the disk's yet; after an interruption that is a footer, and more.
    private async ValueTask GrowFixedAsync(VhdFooter footer, CancellationToken cancellationToken)
    {
        var (oldSize, size) = ((long)Footer.CurrentSize, (long)footer.CurrentSize);
        cancellationToken.ThrowIfCancellationRequested();
        cancellationToken = CancellationToken.None;
        await MoveFooterAsync(size, cancellationToken).ConfigureAwait(false);
        await Sink.WriteZeroesAsync(oldSize, size - oldSize, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        await SwitchFootersAsync(footer, cancellationToken).ConfigureAwait(false);
        if (_footerOffset > size)
        {
            await Sink.WriteAsync(size, _footerBytes, cancellationToken).ConfigureAwait(false);
            await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
            await Sink.SetLengthAsync(size + VhdFooter.Length, cancellationToken).ConfigureAwait(false);
            await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        _footerOffset = _dataEnd = size;
    }

    /// <summary>
    /// Makes the table long enough for another size, which the disk does not have yet: what is then written behind its
    /// end is seen once it has grown. Nothing happens to a fixed disk, or where that was done before.
    /// </summary>
    /// <inheritdoc cref="GrowAsync" path="/exception"/>
    internal async ValueTask PrepareGrowthAsync(long size, CancellationToken cancellationToken)
    {
        var footer = WithSize(Footer, Math.Max(size, (long)Footer.CurrentSize));
        if (Header is null || (long)footer.CurrentSize <= _preparedSize)
        {
            return;
        }

        await CommitAsync(cancellationToken).ConfigureAwait(false);
        var entries = ((long)footer.CurrentSize + BlockSize - 1) / BlockSize;
        if (entries > MostTableEntries)
        {
            throw new ImageOptionException(
                "Size",
                $"A VHD with blocks of {BlockSize} bytes can have {MostTableEntries * BlockSize} bytes at most where "
                + "it is changed in place. Convert it, with greater blocks.");
        }

        await ClearBehindAsync((long)footer.CurrentSize, cancellationToken).ConfigureAwait(false);
        if (entries > Dynamic.MaxTableEntries)
        {
            await GrowTableAsync(entries, (long)footer.CurrentSize, cancellationToken).ConfigureAwait(false);
        }

        _preparedSize = (long)footer.CurrentSize;
    }

    /// <summary>Makes the disk smaller; the caller has seen that nothing is behind its new end.</summary>
    /// <remarks>
    /// The table keeps its length. Blocks behind the new end are given up, except where tapdisk's map says something of
    /// them: map and checksum cannot be changed in one.
    /// </remarks>
    /// <exception cref="NotSupportedException">The disk is fixed: its footer would overwrite it.</exception>
    internal async ValueTask ShrinkAsync(long size, CancellationToken cancellationToken)
    {
        if (Header is null)
        {
            throw new NotSupportedException("A fixed VHD does not become smaller in place.");
        }

        if (size >= VirtualSize)
        {
            return;
        }

        await CommitAsync(cancellationToken).ConfigureAwait(false);
        await SwitchFootersAsync(WithSize(Footer, size), cancellationToken).ConfigureAwait(false);
        if (_batmap is not null)
        {
            return;
        }

        var first = ((long)Footer.CurrentSize + BlockSize - 1) / BlockSize;
        var given = new List<long>();
        for (var block = first; block < _table.Length; block++)
        {
            if (FindBlock(block) is not null)
            {
                _table[block] = VhdSafetyChecks.UnusedEntry;
                given.Add(block);
            }
        }

        await WriteEntriesAsync(given, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        _dataEnd = FindDataEnd();
    }

    // What lies in blocks behind the end is not the disk's yet. Hyper-V's end is the current size.
    private async ValueTask ClearBehindAsync(long size, CancellationToken cancellationToken)
    {
        var start = Math.Max((long)Footer.CurrentSize, VirtualSize);
        for (var block = start / BlockSize; block * BlockSize < size; block++)
        {
            if (FindBlock(block) is not { } hostOffset)
            {
                continue;
            }

            var within = Math.Max(start - block * BlockSize, 0);
            await Sink.WriteZeroesAsync(
                hostOffset + BitmapSize + within, BlockSize - within, cancellationToken).ConfigureAwait(false);
        }

        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private async ValueTask GrowTableAsync(long entries, long size, CancellationToken cancellationToken)
    {
        var tableOffset = (long)Dynamic.TableOffset;
        if (!CanGrowWhereItIs(entries))
        {
            tableOffset = await MoveTableAsync(entries, size, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            var first = (long)_table.Length;
            ExtendTable(entries);
            _dataEnd = Math.Max(_dataEnd, ToSectors(tableOffset + entries * sizeof(uint)));
            await MoveFooterAsync(_dataEnd, cancellationToken).ConfigureAwait(false);

            // From the first sector that changes; what it has already stays as it is.
            const int entriesPerSector = SectorSize / sizeof(uint);
            await WriteTableAsync(tableOffset, first / entriesPerSector * entriesPerSector, cancellationToken)
                .ConfigureAwait(false);
            await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        await SwitchTableAsync(tableOffset, entries, cancellationToken).ConfigureAwait(false);
    }

    // Whether nothing is behind the table where the new entries go; tapdisk's map has its place by the table's end.
    private bool CanGrowWhereItIs(long entries)
    {
        var start = (long)Dynamic.TableOffset;
        var oldEnd = start + ToSectors(Dynamic.TableLength);
        var newEnd = ToSectors(start + entries * sizeof(uint));
        return _batmap is not null
            ? newEnd == oldEnd && VhdBatmap.LengthFor(entries) <= _batmap.Map.Length
            : newEnd <= FindFirstBlock()
                && FindStructures().All(other => other.Start == start || other.Start >= newEnd || other.End <= start);
    }

    // A whole new table, and tapdisk's map behind it, in a place that nothing points at yet.
    private async ValueTask<long> MoveTableAsync(long entries, long size, CancellationToken cancellationToken)
    {
        var tableLength = ToSectors(entries * sizeof(uint));
        var mapLength = _batmap is null
            ? 0
            : VhdBatmap.HeaderLength + Math.Max(VhdBatmap.LengthFor(entries), _batmap.Map.Length);
        var hostOffset = await MakeRoomAsync(tableLength + mapLength, cancellationToken).ConfigureAwait(false);
        ExtendTable(entries);
        await WriteTableAsync(hostOffset, 0, cancellationToken).ConfigureAwait(false);
        if (_batmap is not null)
        {
            _batmap = _batmap.MoveTo(hostOffset + tableLength, entries, size);
            await Sink.WriteAsync(_batmap.HeaderOffset, _batmap.HeaderBytes, cancellationToken).ConfigureAwait(false);
            await Sink.WriteAsync(_batmap.Offset, _batmap.Map, cancellationToken).ConfigureAwait(false);
        }

        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        return hostOffset;
    }

    private void ExtendTable(long entries)
    {
        var first = _table.Length;
        Array.Resize(ref _table, (int)entries);
        _table.AsSpan(first).Fill(VhdSafetyChecks.UnusedEntry);
    }

    // The rest of its last sector is like unused entries.
    private async ValueTask WriteTableAsync(long hostOffset, long first, CancellationToken cancellationToken)
    {
        const int entriesPerPiece = 16 * 1024;
        while (first < _table.Length)
        {
            var entries = EntriesOf(first, (int)Math.Min(entriesPerPiece, _table.Length - first));
            var bytes = new byte[ToSectors(entries.Length)];
            bytes.AsSpan(entries.Length).Fill(0xFF);
            entries.CopyTo(bytes, 0);
            await Sink.WriteAsync(hostOffset + first * sizeof(uint), bytes, cancellationToken).ConfigureAwait(false);
            first += entriesPerPiece;
        }
    }

    // Offset, number of entries and checksum are in the header's first sector.
    private async ValueTask SwitchTableAsync(long tableOffset, long entries, CancellationToken cancellationToken)
    {
        BinaryPrimitives.WriteUInt64BigEndian(_headerBytes.AsSpan(16), (ulong)tableOffset);
        BinaryPrimitives.WriteUInt32BigEndian(_headerBytes.AsSpan(28), (uint)entries);
        BinaryPrimitives.WriteUInt32BigEndian(
            _headerBytes.AsSpan(VhdDynamicHeader.ChecksumOffset),
            VhdChecksum.Compute(_headerBytes, VhdDynamicHeader.ChecksumOffset));
        Header = VhdDynamicHeader.Parse(_headerBytes);
        await Sink.WriteAsync((long)Footer.DataOffset, _headerBytes.AsMemory(0, SectorSize), cancellationToken)
            .ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
