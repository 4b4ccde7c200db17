using System.Buffers.Binary;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>
/// Looks at the map that tapdisk keeps behind the block allocation table: a bit for each block all of whose sectors are
/// the disk's own, a byte's most significant first.
/// </summary>
/// <remarks>
/// blktap, include/vhd.h, "struct dd_batmap_hdr", and vhd/lib/libvhd.c. Integers are big-endian. The header lies in the
/// first sector behind the table.
/// <code>
///   0  8  cookie "tdbatmap"               20  4  version, to 0x00010002
///   8  8  offset of the map               24  4  checksum of the map
///  16  4  the map's sectors
/// </code>
/// </remarks>
internal sealed class VhdBatmapCheck
{
    private const uint Version11 = 0x0001_0001;
    private const uint Version12 = 0x0001_0002;

    // The checksum is of so much of the map as blocks of 2 MiB need.
    private const int ChecksumShift = 24;

    private readonly FileByteSource _file;
    private readonly long _offset;
    private readonly long _length;
    private readonly long _summedLength;
    private readonly uint _version;
    private readonly uint _checksum;
    private readonly byte[] _page = new byte[BlockTablePages.EntriesPerPage / 8];
    private long _pageStart = -1;

    private VhdBatmapCheck(FileByteSource file, VhdFooter footer, long headerOffset, ReadOnlySpan<byte> header)
    {
        _file = file;
        _offset = (long)BinaryPrimitives.ReadUInt64BigEndian(header[8..]);
        _length = BinaryPrimitives.ReadUInt32BigEndian(header[16..]) * (long)VhdFooter.SectorSize;
        _version = BinaryPrimitives.ReadUInt32BigEndian(header[20..]);
        _checksum = BinaryPrimitives.ReadUInt32BigEndian(header[24..]);
        _summedLength = RoundUp(Math.Max((long)(footer.CurrentSize >> ChecksumShift), 1));
        Areas = [(headerOffset, VhdFooter.SectorSize, "batmap's header"), (_offset, _length, "batmap")];
    }

    /// <summary>Where header and map lie.</summary>
    internal IReadOnlyList<(long Offset, long Length, string Name)> Areas { get; }

    /// <summary>Finds the map.</summary>
    /// <returns>Null where there is none, or what is there cannot be one.</returns>
    internal static async ValueTask<VhdBatmapCheck?> OpenAsync(
        FileByteSource file,
        VhdFooter footer,
        VhdDynamicHeader header,
        long dataEnd,
        CheckFindings findings,
        CancellationToken cancellationToken)
    {
        // Version 0.1 of tapdisk's disks has none, 1.1 may have one, and those after always have.
        if (!VhdFooter.Text(footer.CreatorApplication).StartsWith("tap", StringComparison.Ordinal)
            || footer.CreatorVersion < Version11)
        {
            return null;
        }

        var at = (long)header.TableOffset + RoundUp(header.TableLength);
        var bytes = new byte[VhdFooter.SectorSize];
        var read = await file.ReadAsync(at, bytes, cancellationToken).ConfigureAwait(false);
        if (read < bytes.Length || !bytes.AsSpan().StartsWith("tdbatmap"u8))
        {
            if (footer.CreatorVersion >= Version12)
            {
                findings.AddProblem(
                    $"The VHD was made by tapdisk {footer.CreatorVersion >> 16}.{footer.CreatorVersion & 0xFFFF}, "
                    + $"which expects a batmap (cookie 'tdbatmap') at byte {at}, but none is there.");
            }

            return null;
        }

        if (Find(bytes, header, dataEnd) is { } problem)
        {
            findings.AddProblem(problem);
            return null;
        }

        return new VhdBatmapCheck(file, footer, at, bytes);
    }

    /// <summary>Reads what the map has of a page of the table.</summary>
    internal async ValueTask ReadPageAsync(long firstBlock, CancellationToken cancellationToken)
    {
        _pageStart = firstBlock;
        var start = firstBlock / 8;
        var length = (int)Math.Clamp(_length - start, 0, _page.Length);
        _page.AsSpan().Clear();
        await VhdReader.ReadWholeAsync(
            _file, _offset + start, _page.AsMemory(0, length), "batmap", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether the map has a block of the page as full.</summary>
    internal bool IsMarked(long block)
    {
        var bit = (int)(block - _pageStart);
        return (_page[bit >> 3] & 0x80 >> (bit & 7)) != 0;
    }

    internal async ValueTask<string?> FindWrongChecksumAsync(CancellationToken cancellationToken)
    {
        var sum = 0u;
        var end = Math.Min(_summedLength, _length);
        for (var at = 0L; at < end; at += _page.Length)
        {
            var piece = _page.AsMemory(0, (int)Math.Min(_page.Length, end - at));
            await VhdReader.ReadWholeAsync(_file, _offset + at, piece, "batmap", cancellationToken)
                .ConfigureAwait(false);
            foreach (var value in piece.Span)
            {
                // Version 1.1 took the bytes for signed ones.
                sum += _version == Version11 ? (uint)(sbyte)value : value;
            }
        }

        return ~sum == _checksum
            ? null
            : $"The VHD batmap's checksum is 0x{_checksum:x8}, but its bytes give 0x{~sum:x8}: it is damaged.";
    }

    private static string? Find(ReadOnlySpan<byte> bytes, VhdDynamicHeader header, long dataEnd)
    {
        var offset = BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]);
        var length = BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]) * (long)VhdFooter.SectorSize;
        var version = BinaryPrimitives.ReadUInt32BigEndian(bytes[20..]);
        return version > Version12
            ? $"The VHD batmap's version is 0x{version:x8}; those to 0x00010002 are known."
            : offset > (ulong)dataEnd || length > dataEnd - (long)offset
                ? $"The VHD batmap has {length} bytes at byte {offset}, beyond the file's data, which ends at byte "
                    + $"{dataEnd}."
                : length * 8 < header.MaxTableEntries
                    ? $"The VHD batmap has {length} bytes, too few for {header.MaxTableEntries} blocks."
                    : null;
    }

    private static long RoundUp(long length) =>
        (length + VhdFooter.SectorSize - 1) / VhdFooter.SectorSize * VhdFooter.SectorSize;
}
