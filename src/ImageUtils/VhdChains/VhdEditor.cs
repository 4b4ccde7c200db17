using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.VhdChains;

/// <summary>
/// A VHD that is changed in place. Whatever was flushed when it ends, and whatever was not, the disk reads as before
/// the change or as after it, to readers that trust the footer's copy at byte 0, as QEMU and this library do.
/// </summary>
/// <remarks>
/// No journal is needed for that. A write of one sector is taken to be done whole or not at all. What is not in the
/// block allocation table is not seen; a header's first sector says where that table is; and the footers, one after the
/// other, say where the header is. Each of them is written once what it points at is on the disk. A footer is at the
/// file's end at every moment.
/// </remarks>
internal sealed partial class VhdEditor : IDisposable
{
    private const int SectorSize = VhdFooter.SectorSize;

    // The table of the greatest disk with blocks of 512 KiB: it is held in memory.
    private const uint MostTableEntries = 4 << 20;

    // Sector numbers have 32 bits, of which the greatest means that there is no block.
    private const long GreatestOffset = (uint.MaxValue - 1L) * SectorSize;

    private readonly FileByteSource _source;

    // As they are in the file, with what the structures do not name, such as vhd-util's mark of a hidden disk.
    private readonly byte[] _footerBytes = new byte[VhdFooter.Length];
    private readonly byte[] _headerBytes = new byte[VhdDynamicHeader.Length];

    private readonly SortedSet<long> _added = [];
    private readonly SortedDictionary<long, byte[]> _bitmaps = [];

    // In the machine's order of bytes.
    private uint[] _table = [];
    private VhdBatmap? _batmap;

    // Where the footer at the file's end begins, and where the structures and blocks end.
    private long _footerOffset;
    private long _dataEnd;

    // For what size the table is made, and all behind the end is zero.
    private long _preparedSize;

    private VhdEditor(FileByteSource source, IByteSink sink)
    {
        _source = source;
        Sink = sink;
    }

    internal VhdFooter Footer { get; private set; } = new();

    /// <summary>The dynamic header; null: the disk is fixed.</summary>
    internal VhdDynamicHeader? Header { get; private set; }

    /// <summary>The size that a guest sees, in bytes.</summary>
    internal long VirtualSize => (long)Footer.GuestSize;

    internal long BlockSize => Header?.BlockSize ?? 0;

    /// <summary>What a block's bitmap takes up before its data.</summary>
    internal long BitmapSize => Header?.BitmapSize ?? 0;

    internal bool HasParent => Footer.DiskType == VhdDiskType.Differencing;

    internal IByteSink Sink { get; }

    private long BlockLength => BitmapSize + BlockSize;

    private VhdDynamicHeader Dynamic => Header ?? throw new InvalidOperationException("A fixed disk has no blocks.");

    /// <summary>
    /// Opens a disk. Where a change was interrupted between its footers, the one at the end is set right.
    /// </summary>
    /// <param name="file">The disk, held for writing.</param>
    /// <param name="sink">Writes to it.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFormatException">The disk is damaged, or cannot be changed in place.</exception>
    /// <exception cref="SourceChangedException">Another file has taken the disk's name.</exception>
    internal static async ValueTask<VhdEditor> OpenAsync(
        ImageLock file, IByteSink sink, CancellationToken cancellationToken)
    {
        var source = FileByteSource.Open(file.Path);
        try
        {
            if (!file.IsSameFileAs(source))
            {
                throw new SourceChangedException(file.Path);
            }

            var editor = new VhdEditor(source, sink);
            await editor.LoadAsync(cancellationToken).ConfigureAwait(false);
            return editor;
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Completes a change that was interrupted when the footer's copy at byte 0 was written, and the one at the end not
    /// yet. Until then the inspector says that both differ; no data is concerned.
    /// </summary>
    /// <param name="path">Any file. What is no dynamic or differencing VHD with a good copy is left alone.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>Whether there was something to complete.</returns>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    /// <exception cref="ImageFormatException">It is damaged otherwise.</exception>
    /// <exception cref="ImageWriteException">It is in use, or cannot be written.</exception>
    internal static async ValueTask<bool> MendAsync(string path, CancellationToken cancellationToken)
    {
        using (var source = FileByteSource.Open(path))
        {
            var head = new byte[VhdFooter.Length];
            var tail = new byte[VhdFooter.Length];
            if (await source.ReadAsync(0, head, cancellationToken).ConfigureAwait(false) < head.Length
                || !head.AsSpan().StartsWith(VhdFooter.Cookie)
                || VhdSafetyChecks.FindWrongChecksum("", head, VhdFooter.ChecksumOffset) is not null)
            {
                return false;
            }

            // What only differs in what readers do not go by is no interrupted change.
            await source.ReadTailAsync(tail, cancellationToken).ConfigureAwait(false);
            var end = VhdFormat.FindFooter(tail);
            if (end.Length == 0
                || VhdSafetyChecks.FindWrongChecksum("", end.Span, VhdFooter.ChecksumOffset) is not null
                || VhdSafetyChecks.FindDifference(VhdFooter.Parse(head), VhdFooter.Parse(end.Span)) is null)
            {
                return false;
            }
        }

        using var file = ImageLock.Acquire(path);
        using var editor = await OpenAsync(file, file.Sink, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>A footer for another size: current size, and a geometry that goes with it.</summary>
    /// <exception cref="ImageOptionException">The size is more than a VHD can have.</exception>
    internal static VhdFooter WithSize(VhdFooter footer, long size)
    {
        var given = VhdSize.For(footer, size);
        return footer with
        {
            CurrentSize = (ulong)given.Bytes,
            Cylinders = given.Cylinders,
            Heads = given.Heads,
            SectorsPerTrack = given.SectorsPerTrack,
        };
    }

    public void Dispose() => _source.Dispose();

    /// <summary>
    /// What the disk has itself, up to Hyper-V's end; null where QEMU's is the same, or the disk is fixed.
    /// </summary>
    internal ImageMap? OpenToCurrentSize() => Header is not null && Footer.CurrentSize > Footer.GuestSize
        ? new VhdMap(
            _source,
            Footer with { Cylinders = ushort.MaxValue, Heads = 16, SectorsPerTrack = 255 },
            Dynamic,
            _footerOffset)
        : null;

    /// <summary>
    /// The host offset of a block's bitmap; null: it has no place. Blocks that were added have one at once.
    /// </summary>
    internal long? FindBlock(long block) =>
        block < _table.Length && _table[block] is not VhdSafetyChecks.UnusedEntry and var entry
            ? (long)entry * SectorSize
            : null;

    /// <summary>Makes room for so many more blocks; a footer is behind it when this returns.</summary>
    /// <exception cref="ImageWriteException">
    /// The medium is full, or the file would be longer than a VHD can be.
    /// </exception>
    internal ValueTask ReserveAsync(long blocks, CancellationToken cancellationToken) =>
        MoveFooterAsync(_dataEnd + blocks * BlockLength, cancellationToken);

    /// <summary>Gives a block the next place in the room that was made.</summary>
    /// <returns>The host offset of its bitmap. Bitmap and data are all to be written before the next commit.</returns>
    internal long AddBlock(long block)
    {
        if (FindBlock(block) is not null || block >= _table.Length || _dataEnd + BlockLength > _footerOffset)
        {
            throw new InvalidOperationException($"Block {block} is there already, or no room was made for it.");
        }

        var hostOffset = _dataEnd;
        _dataEnd += BlockLength;
        _table[block] = (uint)(hostOffset / SectorSize);
        _added.Add(block);
        return hostOffset;
    }

    /// <summary>A block's bitmap in <see cref="SectorBitmap"/>'s order; also one that waits to be committed.</summary>
    internal async ValueTask<byte[]> ReadBitmapAsync(long block, CancellationToken cancellationToken)
    {
        if (_bitmaps.TryGetValue(block, out var waiting))
        {
            return [.. waiting];
        }

        var bitmap = new byte[BitmapSize];
        var hostOffset = FindBlock(block) ?? throw new InvalidOperationException($"Block {block} has no place.");
        await VhdReader.ReadWholeAsync(_source, hostOffset, bitmap, "sector bitmap", cancellationToken)
            .ConfigureAwait(false);
        SectorBitmap.ReverseBits(bitmap);
        return bitmap;
    }

    /// <summary>
    /// Has a bitmap written once the data is on the disk. Bits may only be added: tapdisk's own map of whole blocks,
    /// where there is one, is left as it is.
    /// </summary>
    internal void SetBitmap(long block, byte[] bitmap) => _bitmaps[block] = [.. bitmap];

    /// <summary>
    /// Has everything that was written since the last time seen: its bitmaps, then its table entries.
    /// </summary>
    internal async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        if (_added.Count == 0 && _bitmaps.Count == 0)
        {
            return;
        }

        foreach (var (block, bitmap) in _bitmaps.Where(bitmap => _added.Contains(bitmap.Key)))
        {
            await WriteBitmapAsync(block, bitmap, cancellationToken).ConfigureAwait(false);
        }

        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        foreach (var (block, bitmap) in _bitmaps.Where(bitmap => !_added.Contains(bitmap.Key)))
        {
            await WriteBitmapAsync(block, bitmap, cancellationToken).ConfigureAwait(false);
        }

        await WriteEntriesAsync(_added, cancellationToken).ConfigureAwait(false);
        _bitmaps.Clear();
        _added.Clear();
    }

    /// <summary>
    /// Gives back what was reserved and not used; the file then ends in the footer, and is on the disk.
    /// </summary>
    internal async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await CommitAsync(cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        if (Header is null || _footerOffset <= _dataEnd)
        {
            return;
        }

        await Sink.WriteAsync(_dataEnd, _footerBytes, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        await Sink.SetLengthAsync(_dataEnd + VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        _footerOffset = _dataEnd;
    }

    private static long ToSectors(long bytes) => (bytes + SectorSize - 1) / SectorSize * SectorSize;

    private async ValueTask WriteBitmapAsync(long block, byte[] bitmap, CancellationToken cancellationToken)
    {
        var bytes = bitmap.AsSpan().ToArray();
        SectorBitmap.ReverseBits(bytes);
        await Sink.WriteAsync(FindBlock(block)!.Value, bytes, cancellationToken).ConfigureAwait(false);
    }

    // Each sector of the table that has one of the blocks is written once; the table begins with a sector.
    private async ValueTask WriteEntriesAsync(IEnumerable<long> blocks, CancellationToken cancellationToken)
    {
        const int entriesPerSector = SectorSize / sizeof(uint);
        foreach (var sector in blocks.Select(block => block / entriesPerSector).Distinct())
        {
            var first = sector * entriesPerSector;
            var count = (int)Math.Min(entriesPerSector, _table.Length - first);
            await Sink.WriteAsync(
                (long)Dynamic.TableOffset + sector * SectorSize, EntriesOf(first, count), cancellationToken)
                .ConfigureAwait(false);
        }
    }

    private byte[] EntriesOf(long first, int count)
    {
        var bytes = new byte[count * sizeof(uint)];
        for (var index = 0; index < count; index++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(index * sizeof(uint)), _table[first + index]);
        }

        return bytes;
    }

    // The footer at the end is moved up by a write of one sector behind the file's end, which is there whole or not.
    private async ValueTask MoveFooterAsync(long hostOffset, CancellationToken cancellationToken)
    {
        if (hostOffset <= _footerOffset)
        {
            return;
        }

        if (hostOffset > GreatestOffset)
        {
            throw new ImageWriteException(
                ImageWriteProblem.TooLarge, _source.Path,
                $"'{_source.Path}' would be {hostOffset} bytes long, but sector numbers in a VHD reach to "
                + $"{GreatestOffset}. Use vhdx.");
        }

        await Sink.WriteAsync(hostOffset, _footerBytes, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        _footerOffset = hostOffset;
    }

    // Readers trust the copy, so that the disk changes with it; the other follows. Nobody who asks for an end gets it in
    // between.
    private async ValueTask SwitchFootersAsync(VhdFooter footer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        cancellationToken = CancellationToken.None;
        Span<byte> bytes = stackalloc byte[VhdFooter.Length];
        footer.Write(bytes);
        const int firstReserved = 85;
        bytes[..firstReserved].CopyTo(_footerBytes);
        BinaryPrimitives.WriteUInt32BigEndian(
            _footerBytes.AsSpan(VhdFooter.ChecksumOffset),
            VhdChecksum.Compute(_footerBytes, VhdFooter.ChecksumOffset));
        Footer = footer;
        if (Header is not null)
        {
            await Sink.WriteAsync(0, _footerBytes, cancellationToken).ConfigureAwait(false);
            await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        await Sink.WriteAsync(_footerOffset, _footerBytes, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }
}
