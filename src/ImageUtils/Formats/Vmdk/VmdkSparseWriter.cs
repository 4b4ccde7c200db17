using System.Buffers.Binary;
using ImageUtils.Conversion;

namespace ImageUtils.Formats.Vmdk;

/// <summary>
/// Writes a monolithicSparse disk as qemu-img does: header, descriptor, redundant directory and tables, directory and
/// tables, all of them there from the start, then grains in the order in which they are written.
/// </summary>
internal sealed class VmdkSparseWriter : ImageWriter
{
    private const int SectorLength = VmdkNewDisk.SectorLength;
    private const int TableLength = VmdkNewDisk.TableLength;
    private const int EntriesPerTable = VmdkNewDisk.EntriesPerTable;

    // Tables that lie side by side are written together.
    private const int WindowTables = 64;
    private const int DirectoryPiece = 16 * 1024;

    private readonly VmdkNewDisk _disk;
    private readonly long _directorySectors;
    private readonly long _redundantSector;
    private readonly long _directorySector;
    private readonly long _overheadSectors;
    private readonly byte[] _window = new byte[WindowTables * TableLength];
    private long _windowTable;
    private int _windowLength;
    private long _nextSector;

    internal VmdkSparseWriter(VmdkNewDisk disk)
    {
        _disk = disk;
        _directorySectors = (disk.TableCount * sizeof(uint) + SectorLength - 1) / SectorLength;
        var copySectors = _directorySectors + disk.TableCount * VmdkNewDisk.TableSectors;
        _redundantSector = 1 + VmdkNewDisk.DescriptorSectors;
        _directorySector = _redundantSector + copySectors;
        _overheadSectors = (_directorySector + copySectors + disk.GrainSectors - 1)
            / disk.GrainSectors * disk.GrainSectors;
        _nextSector = _overheadSectors;
    }

    public override long VirtualSize => _disk.VirtualSize;

    public override long UnitSize => _disk.GrainLength;

    public override async ValueTask<long> PlaceAsync(
        long guestOffset, long length, CancellationToken cancellationToken)
    {
        var grain = guestOffset / _disk.GrainLength;
        var table = grain / EntriesPerTable;
        if (_windowLength == 0 || table >= _windowTable + WindowTables)
        {
            await WriteWindowAsync(cancellationToken).ConfigureAwait(false);
            _windowTable = table;
        }

        var at = (int)(grain - _windowTable * EntriesPerTable) * sizeof(uint);
        var sector = (long)BinaryPrimitives.ReadUInt32LittleEndian(_window.AsSpan(at));
        if (sector == 0)
        {
            sector = _nextSector;
            VmdkNewDisk.RequireReachable(sector + _disk.GrainSectors);
            if (length < _disk.GrainLength)
            {
                await ClearAsync(sector * SectorLength, _disk.GrainLength, cancellationToken).ConfigureAwait(false);
            }

            _nextSector += _disk.GrainSectors;
            BinaryPrimitives.WriteUInt32LittleEndian(_window.AsSpan(at), (uint)sector);
            _windowLength = (at / TableLength + 1) * TableLength;
        }

        return sector * SectorLength + guestOffset % _disk.GrainLength;
    }

    public override async ValueTask FinishAsync(CancellationToken cancellationToken)
    {
        await WriteWindowAsync(cancellationToken).ConfigureAwait(false);
        await WriteDirectoryAsync(_redundantSector, cancellationToken).ConfigureAwait(false);
        await WriteDirectoryAsync(_directorySector, cancellationToken).ConfigureAwait(false);
        await Sink.SetLengthAsync(_nextSector * SectorLength, cancellationToken).ConfigureAwait(false);
        await Sink.WriteAsync(SectorLength, _disk.WriteDescriptor(), cancellationToken).ConfigureAwait(false);
        var header = new byte[SectorLength];
        (_disk.CreateHeader() with
        {
            Flags = VmdkSparseFlags.NewlineDetection | VmdkSparseFlags.RedundantGrainDirectory,
            RedundantGrainDirectorySector = (ulong)_redundantSector,
            GrainDirectorySector = (ulong)_directorySector,
            OverheadSectors = (ulong)_overheadSectors,
        }).Write(header);
        await Sink.WriteAsync(0, header, cancellationToken).ConfigureAwait(false);
    }

    public override void SaveState(BinaryWriter writer)
    {
        _disk.SaveIdentity(writer);
        writer.Write(_nextSector);
        writer.Write(_windowTable);
        writer.Write(_windowLength);
        writer.Write(_window, 0, _windowLength);
    }

    protected override void RestoreState(BinaryReader reader)
    {
        _disk.RequireIdentity(reader);
        _nextSector = reader.ReadInt64();
        _windowTable = reader.ReadInt64();
        _windowLength = reader.ReadInt32();
        if (_nextSector < _overheadSectors || _nextSector > uint.MaxValue
            || _windowTable < 0 || _windowTable >= _disk.TableCount
            || _windowLength < 0 || _windowLength > _window.Length || _windowLength % TableLength != 0)
        {
            throw new InvalidDataException("The saved state has an impossible position.");
        }

        reader.BaseStream.ReadExactly(_window.AsSpan(0, _windowLength));
    }

    protected override ValueTask StartAsync(CancellationToken cancellationToken) =>
        ClearAsync(0, _overheadSectors * SectorLength, cancellationToken);

    private async ValueTask WriteWindowAsync(CancellationToken cancellationToken)
    {
        if (_windowLength == 0)
        {
            return;
        }

        var tables = _window.AsMemory(0, _windowLength);
        foreach (var directory in new[] { _redundantSector, _directorySector })
        {
            var sector = directory + _directorySectors + _windowTable * VmdkNewDisk.TableSectors;
            await Sink.WriteAsync(sector * SectorLength, tables, cancellationToken).ConfigureAwait(false);
        }

        tables.Span.Clear();
        _windowLength = 0;
    }

    private async ValueTask WriteDirectoryAsync(long directorySector, CancellationToken cancellationToken)
    {
        var firstTable = directorySector + _directorySectors;
        for (long table = 0; table < _disk.TableCount; table += DirectoryPiece)
        {
            var count = (int)Math.Min(DirectoryPiece, _disk.TableCount - table);
            var piece = new byte[(count * sizeof(uint) + SectorLength - 1) / SectorLength * SectorLength];
            for (var index = 0; index < count; index++)
            {
                BinaryPrimitives.WriteUInt32LittleEndian(
                    piece.AsSpan(index * sizeof(uint)),
                    (uint)(firstTable + (table + index) * VmdkNewDisk.TableSectors));
            }

            await Sink.WriteAsync(
                directorySector * SectorLength + table * sizeof(uint), piece, cancellationToken).ConfigureAwait(false);
        }
    }
}
