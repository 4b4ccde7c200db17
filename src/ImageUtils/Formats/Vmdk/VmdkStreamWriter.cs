using System.Buffers;
using System.Buffers.Binary;
using ImageUtils.Codecs;
using ImageUtils.Conversion;

namespace ImageUtils.Formats.Vmdk;

/// <summary>
/// Writes a streamOptimized disk: compressed grains with their markers, each grain table behind its grains, the
/// directory, the footer and the end-of-stream marker. All but header and descriptor goes out in ascending order.
/// </summary>
/// <remarks>
/// VMware Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents". The header says where the directory
/// is, although a footer does too: those who follow the markers find all of it in order, as in a file of VMware's, and
/// those who want it from the header (qemu, and an inspection while the file arrives) need not wait for the end. Where
/// the file is sent while it is made, the header comes first and sends readers to the footer, as VMware's do.
/// </remarks>
internal sealed class VmdkStreamWriter : ImageWriter
{
    // Where VMware begins, and a whole number of grains of the usual size.
    private const int OverheadSectors = 128;

    private const int SectorLength = VmdkNewDisk.SectorLength;
    private const int TableLength = VmdkNewDisk.TableLength;
    private const int EntriesPerTable = VmdkNewDisk.EntriesPerTable;

    private readonly VmdkNewDisk _disk;

    // The open table, with the sector for its marker before it.
    private readonly byte[] _table = new byte[SectorLength + TableLength];
    private readonly byte[] _directory;
    private long _tableIndex = -1;
    private long _nextSector = OverheadSectors;
    private bool _isAppended;

    internal VmdkStreamWriter(VmdkNewDisk disk, int? level)
    {
        _disk = disk;
        _directory = new byte[disk.TableCount * sizeof(uint)];
        Compression = new UnitCompression(UnitCodec.Zlib, level, (int)disk.GrainLength, IsOptional: false);
    }

    public override long VirtualSize => _disk.VirtualSize;

    public override long UnitSize => _disk.GrainLength;

    public override UnitCompression Compression { get; }

    internal override bool TryAppend() => _isAppended = true;

    public override ValueTask<long> PlaceAsync(long guestOffset, long length, CancellationToken cancellationToken) =>
        throw new InvalidOperationException("The grains of a streamOptimized VMDK are always compressed.");

    public override async ValueTask WriteCompressedAsync(
        long guestOffset, ReadOnlyMemory<byte> compressed, CancellationToken cancellationToken)
    {
        var grain = guestOffset / _disk.GrainLength;
        if (grain / EntriesPerTable != _tableIndex)
        {
            await WriteTableAsync(cancellationToken).ConfigureAwait(false);
            _tableIndex = grain / EntriesPerTable;
        }

        var used = VmdkMarker.GrainMarkerLength + compressed.Length;
        var sectors = (used + SectorLength - 1) / SectorLength;
        VmdkNewDisk.RequireReachable(_nextSector + sectors);
        var buffer = ArrayPool<byte>.Shared.Rent(sectors * SectorLength);
        try
        {
            BinaryPrimitives.WriteInt64LittleEndian(buffer, guestOffset / SectorLength);
            BinaryPrimitives.WriteInt32LittleEndian(buffer.AsSpan(sizeof(long)), compressed.Length);
            compressed.Span.CopyTo(buffer.AsSpan(VmdkMarker.GrainMarkerLength));
            buffer.AsSpan(used, sectors * SectorLength - used).Clear();
            await Sink.WriteAsync(
                _nextSector * SectorLength, buffer.AsMemory(0, sectors * SectorLength), cancellationToken)
                .ConfigureAwait(false);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(
            _table.AsSpan(SectorLength + (int)(grain % EntriesPerTable) * sizeof(uint)), (uint)_nextSector);
        _nextSector += sectors;
    }

    public override async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await WriteTableAsync(cancellationToken).ConfigureAwait(false);
        var directorySectors = (_directory.Length + SectorLength - 1) / SectorLength;
        var header = CreateHeader((ulong)(_nextSector + 1));

        // Directory marker and directory; footer marker, footer, end-of-stream marker.
        var end = new byte[(1 + directorySectors + 3) * SectorLength];
        new VmdkMarker((ulong)directorySectors, 0, VmdkMarkerType.GrainDirectory).Write(end);
        _directory.CopyTo(end, SectorLength);
        var footer = end.AsMemory((1 + directorySectors) * SectorLength);
        new VmdkMarker(1, 0, VmdkMarkerType.Footer).Write(footer.Span);
        header.Write(footer.Span[SectorLength..]);
        new VmdkMarker(0, 0, VmdkMarkerType.EndOfStream).Write(footer.Span[(2 * SectorLength)..]);
        VmdkNewDisk.RequireReachable(_nextSector + end.Length / SectorLength);
        await Sink.WriteAsync(_nextSector * SectorLength, end, cancellationToken).ConfigureAwait(false);
        await Sink.SetLengthAsync(_nextSector * SectorLength + end.Length, cancellationToken).ConfigureAwait(false);
        if (!_isAppended)
        {
            await Sink.WriteAsync(SectorLength, _disk.WriteDescriptor(), cancellationToken).ConfigureAwait(false);
            await WriteHeaderAsync(header, cancellationToken).ConfigureAwait(false);
        }
    }

    public override void SaveState(BinaryWriter writer)
    {
        _disk.SaveIdentity(writer);
        writer.Write(_nextSector);
        writer.Write(_tableIndex);
        writer.Write(_table);

        // Directory entries behind the open table are still zero.
        writer.Write(_directory, 0, (int)(_tableIndex + 1) * sizeof(uint));
    }

    protected override void RestoreState(BinaryReader reader)
    {
        _disk.RequireIdentity(reader);
        _nextSector = reader.ReadInt64();
        _tableIndex = reader.ReadInt64();
        if (_nextSector is < OverheadSectors or > uint.MaxValue || _tableIndex < -1 || _tableIndex >= _disk.TableCount)
        {
            throw new InvalidDataException("The saved state has an impossible position.");
        }

        reader.BaseStream.ReadExactly(_table);
        reader.BaseStream.ReadExactly(_directory.AsSpan(0, (int)(_tableIndex + 1) * sizeof(uint)));
    }

    protected override async ValueTask StartAsync(CancellationToken cancellationToken)
    {
        if (!_isAppended)
        {
            await ClearAsync(0, OverheadSectors * SectorLength, cancellationToken).ConfigureAwait(false);
            return;
        }

        await WriteHeaderAsync(CreateHeader(VmdkSparseHeader.AtEnd), cancellationToken).ConfigureAwait(false);
        await Sink.WriteAsync(SectorLength, _disk.WriteDescriptor(), cancellationToken).ConfigureAwait(false);
    }

    private VmdkSparseHeader CreateHeader(ulong directorySector) => _disk.CreateHeader() with
    {
        Version = 3,
        Flags = VmdkSparseFlags.NewlineDetection | VmdkSparseFlags.CompressedGrains | VmdkSparseFlags.Markers,
        GrainDirectorySector = directorySector,
        OverheadSectors = OverheadSectors,
        CompressAlgorithm = 1,
    };

    private ValueTask WriteHeaderAsync(VmdkSparseHeader header, CancellationToken cancellationToken)
    {
        var sector = new byte[SectorLength];
        header.Write(sector);
        return Sink.WriteAsync(0, sector, cancellationToken);
    }

    private async ValueTask WriteTableAsync(CancellationToken cancellationToken)
    {
        if (_tableIndex < 0)
        {
            return;
        }

        VmdkNewDisk.RequireReachable(_nextSector + 1 + VmdkNewDisk.TableSectors);
        new VmdkMarker(VmdkNewDisk.TableSectors, 0, VmdkMarkerType.GrainTable).Write(_table);
        await Sink.WriteAsync(_nextSector * SectorLength, _table, cancellationToken).ConfigureAwait(false);
        BinaryPrimitives.WriteUInt32LittleEndian(
            _directory.AsSpan((int)_tableIndex * sizeof(uint)), (uint)(_nextSector + 1));
        _nextSector += 1 + VmdkNewDisk.TableSectors;
        _table.AsSpan().Clear();
        _tableIndex = -1;
    }
}
