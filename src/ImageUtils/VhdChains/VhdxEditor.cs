using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>Changes a VHDX in place. At every moment it is a whole disk, as it was before or after one of the changes.</summary>
/// <remarks>
/// That takes no log, only an order with flushes between its steps. A block is written where nothing was, and gets into the
/// block allocation table once it is on the disk: each entry lies within a sector, which is written whole or not at all.
/// Other structures are written anew, and the region table, of which all that changes lies in its first sector, then
/// points at them. The data write guid, by which children know the disk, stays as long as what they see does.
/// </remarks>
internal sealed partial class VhdxEditor : IDisposable
{
    private const long Mebibyte = VhdxSafetyChecks.Mebibyte;
    private const int EntriesPerPage = 8 * 1024;
    private const int MostPending = 8192;

    private readonly ImageLock _file;
    private readonly IByteSink _sink;
    private readonly FileByteSource _source;
    private readonly Dictionary<long, ulong> _added = [];
    private readonly byte[] _page = new byte[EntriesPerPage * VhdxBatEntry.Length];
    private readonly VhdxRegion[] _regions;
    private readonly uint _sectorSize;
    private VhdxHeader _header;
    private VhdxBatLayout _layout;
    private long _pageIndex = -1;
    private long _firstBlock = long.MaxValue;
    private long _end;

    private VhdxEditor(ImageLock file, IByteSink sink, FileByteSource source, VhdxStructures disk)
    {
        var parameters = disk.Metadata.FileParameters!.Value;
        _file = file;
        _sink = sink;
        _source = source;
        _header = disk.Header;
        _regions = disk.Regions;
        _sectorSize = disk.Metadata.LogicalSectorSize!.Value;
        _layout = VhdxSafetyChecks.LayoutOf(disk.Metadata);
        BlockSize = parameters.BlockSize;
        HasParent = parameters.HasParent;
        IsFixed = parameters.LeaveBlockAllocated;
        VirtualSize = (long)disk.Metadata.VirtualDiskSize!.Value;
    }

    internal string Path => _source.Path;

    internal long VirtualSize { get; private set; }

    internal long BlockSize { get; }

    /// <summary>The bytes that a bit of a sector bitmap stands for.</summary>
    internal int SectorSize => (int)_sectorSize;

    internal bool HasParent { get; }

    internal bool IsFixed { get; }

    /// <summary>Opens a disk, and mends its second region table where a change was cut off before it.</summary>
    /// <param name="file">The disk, open for writing; it has been inspected.</param>
    /// <param name="sink">Writes to it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="VhdChainException">Its log must be replayed first.</exception>
    /// <exception cref="ImageFormatException">It is damaged.</exception>
    /// <exception cref="SourceChangedException">Another file has taken the disk's name.</exception>
    internal static async ValueTask<VhdxEditor> OpenAsync(
        ImageLock file, IByteSink sink, CancellationToken cancellationToken)
    {
        var source = FileByteSource.Open(file.Path);
        try
        {
            if (!file.IsSameFileAs(source))
            {
                throw new SourceChangedException(file.Path);
            }

            var disk = await VhdxReader.ReadStructuresAsync(source, cancellationToken).ConfigureAwait(false);
            if (disk.Header.LogGuid != Guid.Empty)
            {
                throw new VhdChainException(
                    VhdChainProblem.NotUsable, file.Path,
                    "It was not closed properly, and has a log that must be replayed before it is changed: open it once with "
                    + "Hyper-V, or repair it with 'qemu-img check -r all'.");
            }

            var editor = new VhdxEditor(file, sink, source, disk);
            await editor.FindSpaceAsync(disk, cancellationToken).ConfigureAwait(false);
            await editor.BeginAsync(cancellationToken).ConfigureAwait(false);
            return editor;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>What the table says of a block, or will once it is committed.</summary>
    internal ValueTask<VhdxBatEntry> FindBlockAsync(long block, CancellationToken cancellationToken) =>
        FindEntryAsync(IndexOf(block), cancellationToken);

    /// <summary>Gives a block another state; it has it once that is committed.</summary>
    internal async ValueTask SetBlockAsync(long block, VhdxBatEntry entry, CancellationToken cancellationToken)
    {
        // A block that waits is not committed by another change of its own: its bitmap may not be written yet.
        var index = IndexOf(block);
        if (_added.Count >= MostPending && !_added.ContainsKey(index))
        {
            await CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        _added[index] = entry.Value;
    }

    /// <summary>Makes a block, of zeros, at the end of the file, and returns where it lies.</summary>
    internal async ValueTask<long> AddBlockAsync(
        long block, VhdxBlockState state, CancellationToken cancellationToken)
    {
        var offset = await AllocateAsync(BlockSize, cancellationToken).ConfigureAwait(false);
        await SetBlockAsync(block, new VhdxBatEntry(state, (ulong)offset), cancellationToken).ConfigureAwait(false);
        return offset;
    }

    /// <summary>Reads which of a block's sectors are its own, a bit for each; none where there is no bitmap yet.</summary>
    internal async ValueTask<byte[]> ReadBitmapAsync(long block, CancellationToken cancellationToken)
    {
        var bitmap = new byte[BlockSize / SectorSize / 8];
        if (await FindEntryAsync(BitmapIndexOf(block), cancellationToken).ConfigureAwait(false) is
            { State: VhdxBlockState.FullyPresent } entry)
        {
            await VhdxReader.ReadWholeAsync(
                _source, BitmapOffsetIn(entry, block, bitmap.Length), bitmap, "sector bitmap", cancellationToken)
                .ConfigureAwait(false);
        }

        return bitmap;
    }

    /// <summary>Writes which of a block's sectors are its own.</summary>
    internal async ValueTask WriteBitmapAsync(
        long block, ReadOnlyMemory<byte> bitmap, CancellationToken cancellationToken)
    {
        var index = BitmapIndexOf(block);
        var entry = await FindEntryAsync(index, cancellationToken).ConfigureAwait(false);
        if (entry.State != VhdxBlockState.FullyPresent)
        {
            // A block that is there in part must find it.
            var offset = await AllocateAsync(Mebibyte, cancellationToken).ConfigureAwait(false);
            entry = new VhdxBatEntry(VhdxBlockState.FullyPresent, (ulong)offset);
            await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
            await WriteEntryAsync(index, entry.Value, cancellationToken).ConfigureAwait(false);
            await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
            _pageIndex = -1;
        }

        await _sink.WriteAsync(BitmapOffsetIn(entry, block, bitmap.Length), bitmap, cancellationToken)
            .ConfigureAwait(false);
    }

    internal ValueTask WriteAsync(
        long hostOffset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
        _sink.WriteAsync(hostOffset, data, cancellationToken);

    internal ValueTask WriteZeroesAsync(long hostOffset, long length, CancellationToken cancellationToken) =>
        _sink.WriteZeroesAsync(hostOffset, length, cancellationToken);

    /// <summary>Has the table say what has been set, once what it points at is on the disk.</summary>
    internal async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        if (_added.Count == 0)
        {
            return;
        }

        foreach (var (index, value) in _added)
        {
            await WriteEntryAsync(index, value, cancellationToken).ConfigureAwait(false);
        }

        _added.Clear();
        _pageIndex = -1;
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Has no disk that was made over this one be its child any more: what it holds has become another.</summary>
    /// <remarks>MS-VHDX, section 2.2.2, "DataWriteGuid".</remarks>
    internal ValueTask RenewDataWriteGuidAsync(CancellationToken cancellationToken)
    {
        _header = _header with { DataWriteGuid = Guid.NewGuid() };
        return WriteHeaderAsync(cancellationToken);
    }

    public void Dispose() => _source.Dispose();

    private long IndexOf(long block) => block + block / (long)_layout.ChunkRatio;

    private long BitmapIndexOf(long block)
    {
        var ratio = (long)_layout.ChunkRatio;
        return block / ratio * (ratio + 1) + ratio;
    }

    private long BitmapOffsetIn(VhdxBatEntry entry, long block, int bitmapLength) =>
        (long)entry.FileOffset + block % (long)_layout.ChunkRatio * bitmapLength;

    private async ValueTask<VhdxBatEntry> FindEntryAsync(long index, CancellationToken cancellationToken)
    {
        if (_added.TryGetValue(index, out var value))
        {
            return new VhdxBatEntry(value);
        }

        var page = index / EntriesPerPage;
        if (page != _pageIndex)
        {
            var first = page * EntriesPerPage;
            var length = (int)Math.Min(EntriesPerPage, Table.Length / VhdxBatEntry.Length - first) * VhdxBatEntry.Length;
            await VhdxReader.ReadWholeAsync(
                _source, (long)Table.FileOffset + first * VhdxBatEntry.Length, _page.AsMemory(0, length),
                "block allocation table", cancellationToken).ConfigureAwait(false);
            _pageIndex = page;
        }

        return new VhdxBatEntry(BinaryPrimitives.ReadUInt64LittleEndian(
            _page.AsSpan((int)(index % EntriesPerPage) * VhdxBatEntry.Length)));
    }

    private ValueTask WriteEntryAsync(long index, ulong value, CancellationToken cancellationToken)
    {
        var bytes = new byte[VhdxBatEntry.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        return _sink.WriteAsync((long)Table.FileOffset + index * VhdxBatEntry.Length, bytes, cancellationToken);
    }

    // Zeros behind everything that is in use. A run that was cut off may have written there.
    private async ValueTask<long> AllocateAsync(long length, CancellationToken cancellationToken)
    {
        var offset = _end;
        var fileLength = RandomAccess.GetLength(_file.Handle);
        if (offset < fileLength)
        {
            await _sink.WriteZeroesAsync(offset, Math.Min(length, fileLength - offset), cancellationToken)
                .ConfigureAwait(false);
        }

        if (offset + length > fileLength)
        {
            await _sink.SetLengthAsync(offset + length, cancellationToken).ConfigureAwait(false);
        }

        _end += length;
        return offset;
    }

    // Behind all regions, the log and every block; blocks begin at whole MiB.
    private async ValueTask FindSpaceAsync(VhdxStructures disk, CancellationToken cancellationToken)
    {
        var end = Math.Max(
            _header.LogOffset + _header.LogLength, _regions.Max(region => region.FileOffset + region.Length));
        await foreach (var (first, entries) in BlockTablePages.ReadAsync(disk, cancellationToken).ConfigureAwait(false))
        {
            for (var index = 0; index < entries.Count; index++)
            {
                if (entries[index].IsPresent)
                {
                    var isBitmap = _layout.IsBitmap((ulong)(first + index));
                    var offset = entries[index].FileOffset;
                    end = Math.Max(end, offset + (ulong)(isBitmap ? Mebibyte : BlockSize));
                    _firstBlock = Math.Min(_firstBlock, (long)offset);
                }
            }
        }

        _end = ((long)end + Mebibyte - 1) / Mebibyte * Mebibyte;
    }

    // MS-VHDX, section 2.2.2.1: the file write guid changes before anything else does, in the header that is not current.
    private async ValueTask WriteHeaderAsync(CancellationToken cancellationToken)
    {
        var bytes = new byte[VhdxHeader.Length];
        await VhdxReader.ReadWholeAsync(_source, VhdxHeader.FirstOffset, bytes, "header", cancellationToken)
            .ConfigureAwait(false);
        var isFirstCurrent = VhdxHeader.IsValid(bytes)
            && VhdxHeader.Parse(bytes).SequenceNumber == _header.SequenceNumber;
        _header = _header with { SequenceNumber = _header.SequenceNumber + 1, FileWriteGuid = Guid.NewGuid() };
        _header.Write(bytes);
        await _sink.WriteAsync(
            isFirstCurrent ? VhdxHeader.SecondOffset : VhdxHeader.FirstOffset, bytes, cancellationToken)
            .ConfigureAwait(false);
        await _sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
