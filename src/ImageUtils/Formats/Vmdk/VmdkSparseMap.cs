using System.Runtime.CompilerServices;
using ImageUtils.Codecs;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vmdk;

/// <summary>
/// Where the grains of one sparse extent are: hosted (KDMV, compressed or not), or of an ESX server (COWD).
/// </summary>
/// <remarks>
/// Of the directories the first is used and the redundant one left alone, as qemu does. A grain's marker is not read:
/// the compressed stream ends itself, and its checksum tells whether it is one. Nothing may lie beyond the file's end,
/// not even where qemu would read zeros.
/// </remarks>
internal sealed class VmdkSparseMap : ImageMap
{
    // VMware's compressed grains have 64 KiB, and each is decompressed in memory.
    private const long MaximumCompressedGrain = 2 << 20;

    private const int SectorLength = VmdkSparseHeader.SectorLength;

    private readonly IByteSource _source;
    private readonly VmdkGrainDirectory _directory;
    private readonly VmdkGrainTables _tables;
    private readonly long _fileLength;
    private readonly long _grainLength;
    private readonly int _markerLength;

    private VmdkSparseMap(IByteSource source, VmdkGrainDirectory directory, long fileLength, bool hasMarkers)
    {
        _source = source;
        _directory = directory;
        _fileLength = fileLength;
        _grainLength = (long)directory.GrainSectors * SectorLength;
        _markerLength = hasMarkers ? VmdkMarker.GrainMarkerLength : 0;
        _tables = new VmdkGrainTables(source, directory, fileLength);
        VirtualSize = (long)directory.CapacitySectors * SectorLength;
        if (directory.IsCompressed && _grainLength > MaximumCompressedGrain)
        {
            throw new UnsupportedImageException(
                $"The VMDK's compressed grains have {_grainLength} bytes; up to {MaximumCompressedGrain} are read "
                + "natively. Use the qemu engine.");
        }
    }

    public override long VirtualSize { get; }

    /// <summary>Opens a hosted sparse extent.</summary>
    internal static async ValueTask<VmdkSparseMap> OpenAsync(
        IByteSource source, VmdkSparseHeader header, CancellationToken cancellationToken)
    {
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        if (header.GrainDirectorySector == VmdkSparseHeader.AtEnd)
        {
            var tail = new byte[VmdkSafetyChecks.FooterLength];
            var length = await source.ReadTailAsync(tail, cancellationToken).ConfigureAwait(false);
            if (VmdkSafetyChecks.FindFooterProblem(header, tail.AsSpan(0, length), fileLength) is { } problem)
            {
                throw new ImageFormatException(CheckNames.Footer, problem);
            }

            header = VmdkSparseHeader.Parse(tail.AsSpan(SectorLength));
        }

        if (VmdkSafetyChecks.FindVersion(header.Version, "header") is { } version)
        {
            throw new ImageFormatException(CheckNames.Version, version);
        }

        if (VmdkSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        var missing = VmdkSafetyChecks.FindBeyondEnd(header, fileLength)
            ?? VmdkSafetyChecks.FindMissing(header, 0, fileLength);
        return missing is null
            ? new VmdkSparseMap(
                source, VmdkGrainDirectory.Of(header), fileLength, header.Flags.HasFlag(VmdkSparseFlags.Markers))
            : throw new TruncatedImageException(missing);
    }

    /// <summary>Opens a COWD extent.</summary>
    internal static async ValueTask<VmdkSparseMap> OpenAsync(
        IByteSource source, VmdkCowdHeader header, CancellationToken cancellationToken)
    {
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        if (VmdkSafetyChecks.FindVersion(header.Version, "COWD header") is { } version)
        {
            throw new ImageFormatException(CheckNames.Version, version);
        }

        if (VmdkSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        var directory = VmdkGrainDirectory.Of(header);
        return directory.End <= fileLength
            ? new VmdkSparseMap(source, directory, fileLength, false)
            : throw new TruncatedImageException(
                $"The VMDK grain directory has {directory.Entries} entries at byte {directory.Offset}, beyond the "
                + $"file's {fileLength} bytes.");
    }

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var end = Math.Min(guestOffset + length, VirtualSize);
        var entries = _directory.EntriesPerTable;
        var tableSpan = entries * _grainLength;
        var from = guestOffset;
        var merger = default(ExtentMerger);
        while (from < end)
        {
            var table = from / tableSpan;
            var empty = await _tables.LoadAsync(table, cancellationToken).ConfigureAwait(false);
            var tableEnd = Math.Min(end, (table + Math.Max(empty, 1)) * tableSpan);
            while (from < tableEnd)
            {
                var extent = empty > 0
                    ? Extent.Hole(from, tableEnd - from)
                    : NextExtent(table, from).Clip(from, tableEnd);
                from = extent.GuestEnd;
                if (merger.Add(extent, out var whole))
                {
                    yield return whole;
                }
            }
        }

        if (merger.Finish(out var last))
        {
            yield return last;
        }
    }

    // The grain at a place of the disk, with those of the same table that continue it.
    private Extent NextExtent(long table, long guestOffset)
    {
        var entries = _tables.EntriesOf(table);
        var first = (int)(guestOffset / _grainLength % entries.Length);
        var start = guestOffset / _grainLength * _grainLength;
        var sector = entries[first];
        if (sector == 0 || (sector == 1 && _directory.HasZeroedGrains))
        {
            var others = entries[first..].IndexOfAnyExcept(sector);
            var span = Math.Min((others < 0 ? entries.Length - first : others) * _grainLength, VirtualSize - start);
            return sector == 0 ? Extent.Hole(start, span) : Extent.Zero(start, span);
        }

        var hostOffset = (long)sector * SectorLength;
        if (_directory.IsCompressed)
        {
            var length = Math.Min(_grainLength, VirtualSize - start);
            var following = entries[(first + 1)..].IndexOfAnyExcept(0u);
            var next = following < 0 ? 0 : (long)entries[first + 1 + following] * SectorLength;
            Check(table, first, hostOffset, hostOffset + _markerLength + 1);
            hostOffset += _markerLength;

            // A stream ends where the next begins, where they are in order; qemu takes none longer than two grains.
            var hostLength = Math.Min(2 * _grainLength, _fileLength - hostOffset);
            return Extent.Compressed(
                start, length, _source, hostOffset,
                (int)(next > hostOffset ? Math.Min(hostLength, next - hostOffset) : hostLength),
                UnitCodec.Zlib, (int)length);
        }

        var count = 1;
        var step = (ulong)_directory.GrainSectors;
        while (first + count < entries.Length && entries[first + count] == sector + (ulong)count * step)
        {
            count++;
        }

        var stored = Math.Min(count * _grainLength, VirtualSize - start);
        Check(table, first, hostOffset, hostOffset + stored);
        return Extent.Stored(start, stored, _source, hostOffset);
    }

    private void Check(long table, int entry, long hostOffset, long hostEnd)
    {
        if (hostOffset < _directory.MetadataEnd || (hostOffset < _directory.End && hostEnd > _directory.Offset))
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VMDK grain table {table} has in its entry {entry} the sector {hostOffset / SectorLength}, inside "
                + "of header, descriptor or grain directory.");
        }

        if (hostEnd > _fileLength)
        {
            throw new TruncatedImageException(
                $"The VMDK grain table {table} has in its entry {entry} the sector {hostOffset / SectorLength}; the "
                + $"grain, or one of those that follow it, ends at byte {hostEnd} of a file of {_fileLength}.");
        }
    }
}
