using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vmdk;

/// <summary>
/// A sparse extent's grain tables as they are needed: a window of the directory, and as many tables as lie side by
/// side in the file. Tables in holes of the file are not read at all.
/// </summary>
internal sealed class VmdkGrainTables(IByteSource source, VmdkGrainDirectory directory, long fileLength)
{
    private const int DirectoryWindowEntries = 16 * 1024;
    private const int MaximumTableRead = 128 * 1024;
    private const int SectorLength = VmdkSparseHeader.SectorLength;

    private readonly int _entriesPerTable = (int)directory.EntriesPerTable;
    private uint[] _directory = [];
    private long _directoryStart;
    private uint[] _tables = [];
    private long _firstTable;
    private int _tableCount;

    /// <summary>The entries of the table that was loaded.</summary>
    internal ReadOnlySpan<uint> EntriesOf(long table) =>
        _tables.AsSpan((int)(table - _firstTable) * _entriesPerTable, _entriesPerTable);

    /// <summary>Sees that a table is at hand.</summary>
    /// <returns>0: it is; otherwise how many tables from this one on are not there, or are empty.</returns>
    internal async ValueTask<long> LoadAsync(long table, CancellationToken cancellationToken)
    {
        if (table >= _firstTable && table < _firstTable + _tableCount)
        {
            return 0;
        }

        if (table < _directoryStart || table >= _directoryStart + _directory.Length)
        {
            await LoadDirectoryAsync(table, cancellationToken).ConfigureAwait(false);
        }

        var (sector, count) = FindRun((int)(table - _directoryStart));
        if (sector == 0)
        {
            return count;
        }

        var offset = (long)sector * SectorLength;
        var tableLength = directory.TableLength;
        Check(table, sector, offset, offset + tableLength);
        count = (int)Math.Min(count, (fileLength - offset) / tableLength);
        if (source is ISparseSource sparse)
        {
            var (start, _) = sparse.FindData(offset, offset + (long)count * tableLength);
            if (start - offset >= tableLength)
            {
                return (start - offset) / tableLength;
            }
        }

        count = Math.Min(count, Math.Max(1, MaximumTableRead / tableLength));
        var entries = count * _entriesPerTable;
        _tableCount = 0;
        if (_tables.Length < entries)
        {
            _tables = new uint[entries];
        }

        await ReadEntriesAsync(_tables.AsMemory(0, entries), offset, cancellationToken).ConfigureAwait(false);
        (_firstTable, _tableCount) = (table, count);
        return 0;
    }

    private async ValueTask LoadDirectoryAsync(long table, CancellationToken cancellationToken)
    {
        var start = table / DirectoryWindowEntries * DirectoryWindowEntries;
        var length = (int)Math.Min(DirectoryWindowEntries, (long)directory.Entries - start);
        var window = new uint[length];
        await ReadEntriesAsync(window, directory.Offset + start * sizeof(uint), cancellationToken)
            .ConfigureAwait(false);
        (_directory, _directoryStart) = (window, start);
    }

    // How many tables from this one on are not there, or lie one behind the other.
    private (uint Sector, int Count) FindRun(int index)
    {
        var entries = _directory.AsSpan(index);
        var sector = entries[0];
        if (sector == 0)
        {
            var present = entries.IndexOfAnyExcept(0u);
            return (0, present < 0 ? entries.Length : present);
        }

        var count = 1;
        if (directory.TableLength % SectorLength == 0)
        {
            var step = (ulong)(directory.TableLength / SectorLength);
            while (count < entries.Length && entries[count] == sector + (ulong)count * step)
            {
                count++;
            }
        }

        return (sector, count);
    }

    private void Check(long table, uint sector, long offset, long end)
    {
        if (offset < directory.MetadataEnd || (offset < directory.End && end > directory.Offset))
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VMDK grain directory's entry {table} at byte {directory.Offset + table * sizeof(uint)} is sector "
                + $"{sector}, inside of header, descriptor or the directory itself.");
        }

        if (end > fileLength)
        {
            throw new TruncatedImageException(
                $"The VMDK grain table {table} is at sector {sector} and ends at byte {end}, but the file has only "
                + $"{fileLength} bytes.");
        }
    }

    private async ValueTask ReadEntriesAsync(Memory<uint> entries, long offset, CancellationToken cancellationToken)
    {
        var bytes = new byte[entries.Length * sizeof(uint)];
        if (await source.ReadAsync(offset, bytes, cancellationToken).ConfigureAwait(false) < bytes.Length)
        {
            throw new TruncatedImageException($"The VMDK's file ends within the tables at byte {offset}.");
        }

        MemoryMarshal.Cast<byte, uint>(bytes).CopyTo(entries.Span);
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(entries.Span, entries.Span);
        }
    }
}
