using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using ImageUtils.Codecs;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow2;

/// <summary>Turns entries of L2 tables into extents.</summary>
/// <remarks>
/// QEMU, docs/interop/qcow2.rst, "L2 table entry". Big-endian; bit 62 tells the two kinds apart, bit 63 says that the
/// cluster's reference count is 1.
/// <code>
///  standard:   bit 0 reads as zeros (version 3), 9-55 host offset, 1-8 and 56-61 reserved
///  compressed: bits 0 to x-1 host offset, x to 61 further sectors of 512 bytes, where x = 62 - (cluster_bits - 8)
///  extended:   a second word: bits 0-31 subcluster is allocated, 32-63 subcluster reads as zeros; never both
/// </code>
/// A cluster that begins in the file and runs over its end by less than its length reads as zeros there, as in qemu,
/// whose check allows as much. One that begins at the end or behind it is an error here, where qemu reads zeros:
/// a download that was cut short must not pass for a disk.
/// </remarks>
internal sealed class Qcow2L2Decoder
{
    private const ulong CompressedFlag = 1UL << 62;
    private const ulong CopiedFlag = 1UL << 63;
    private const ulong ZeroFlag = 1;
    private const ulong OffsetMask = 0x00FF_FFFF_FFFF_FE00;
    private const ulong ReservedMask = 0x3F00_0000_0000_01FE;
    private const int SubclustersPerCluster = 32;

    private readonly IByteSource _source;
    private readonly IByteSource _data;
    private readonly long _fileLength;
    private readonly long _dataLength;
    private readonly bool _isExternal;
    private readonly bool _isExtended;
    private readonly bool _hasZeroFlag;
    private readonly int _clusterBits;
    private readonly long _clusterSize;
    private readonly UnitCodec _codec;

    /// <param name="header">The image's header, which is possible.</param>
    /// <param name="source">The image.</param>
    /// <param name="fileLength">Its length in bytes.</param>
    /// <param name="external">The external data file; null where the clusters are in the image.</param>
    /// <param name="externalLength">Its length in bytes.</param>
    internal Qcow2L2Decoder(
        Qcow2Header header, IByteSource source, long fileLength, IByteSource? external, long externalLength)
    {
        _source = source;
        _fileLength = fileLength;
        _isExternal = external is not null;
        _data = external ?? source;
        _dataLength = _isExternal ? externalLength : fileLength;
        _isExtended = header.IncompatibleFeatures.HasFlag(Qcow2IncompatibleFeatures.ExtendedL2);
        _hasZeroFlag = header.Version >= 3 && !_isExtended;
        _clusterBits = (int)header.ClusterBits;
        _clusterSize = 1L << _clusterBits;
        _codec = header.CompressionType == 1 ? UnitCodec.Zstd : UnitCodec.Deflate;
    }

    /// <summary>The length of an entry in bytes.</summary>
    internal int EntryLength => _isExtended ? 16 : 8;

    /// <summary>Decodes entries until the window, the bytes or the room for extents ends.</summary>
    /// <param name="entries">The table from the first entry on, or a part of it.</param>
    /// <param name="tableOffset">Where the table lies in the file, for messages.</param>
    /// <param name="index">The first entry's index in the table.</param>
    /// <param name="guestOffset">Where the window begins, within the first entry's cluster.</param>
    /// <param name="end">Where the window ends.</param>
    /// <param name="extents">Receives the extents, clipped to the window.</param>
    /// <param name="limit">How many extents are enough; a few more may come.</param>
    /// <returns>Where on the disk to go on.</returns>
    internal long Decode(
        ReadOnlySpan<byte> entries,
        long tableOffset,
        int index,
        long guestOffset,
        long end,
        List<Extent> extents,
        int limit)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(entries);
        var step = EntryLength / 8;
        var cluster = guestOffset & -_clusterSize;
        for (var at = 0; at + step <= words.Length && cluster < end && extents.Count < limit; at += step)
        {
            var place = new Entry(Big(words[at]), _isExtended ? Big(words[at + 1]) : 0, tableOffset, index + at / step);
            var clusters = 1L;
            if (place.Word == 0 && place.Bitmap == 0)
            {
                var used = words[at..].IndexOfAnyExcept(0UL);
                clusters = (used < 0 ? words.Length - at : used) / step;
                Add(extents, Extent.Hole(cluster, clusters * _clusterSize), guestOffset, end);
            }
            else if ((place.Word & CompressedFlag) != 0)
            {
                Add(extents, Compressed(place, cluster), guestOffset, end);
            }
            else if (_isExtended)
            {
                AddSubclusters(extents, place, cluster, guestOffset, end);
            }
            else
            {
                var first = Standard(place, cluster);
                if (first.Kind == ExtentKind.Stored && !_isExternal)
                {
                    clusters += CountFollowers(words[(at + 1)..], first);
                }

                AddStored(extents, first.Extend((clusters - 1) * _clusterSize), guestOffset, end);
            }

            at += (int)(clusters - 1) * step;
            cluster += clusters * _clusterSize;
        }

        return Math.Min(cluster, end);
    }

    private static ulong Big(ulong word) =>
        BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(word) : word;

    private static void Add(List<Extent> extents, in Extent extent, long start, long end) =>
        extents.Add(extent.GuestOffset >= start && extent.GuestEnd <= end ? extent : extent.Clip(start, end));

    /// <summary>How many clusters follow on the disk and in the file alike, whole.</summary>
    private long CountFollowers(ReadOnlySpan<ulong> words, in Extent first)
    {
        var most = Math.Min(words.Length, (_dataLength - first.HostOffset >> _clusterBits) - 1);
        var host = (ulong)first.HostOffset;
        for (var i = 0; i < most; i++)
        {
            host += (ulong)_clusterSize;
            if ((Big(words[i]) & ~CopiedFlag) != host)
            {
                return i;
            }
        }

        return Math.Max(most, 0);
    }

    private Extent Standard(in Entry entry, long cluster)
    {
        var reserved = ReservedMask | (_hasZeroFlag ? 0 : ZeroFlag);
        if ((entry.Word & reserved) != 0)
        {
            throw entry.Malformed("has reserved bits set");
        }

        var host = (long)(entry.Word & OffsetMask);
        if ((host & _clusterSize - 1) != 0)
        {
            throw entry.Malformed($"points at no multiple of the cluster's {_clusterSize} bytes");
        }

        if ((entry.Word & ZeroFlag) != 0)
        {
            return Extent.Zero(cluster, _clusterSize);
        }

        // Byte 0 of an external data file is a place like any other; only the flag tells it from no place at all.
        if (host == 0 && !(_isExternal && (entry.Word & CopiedFlag) != 0))
        {
            return Extent.Hole(cluster, _clusterSize);
        }

        if (_isExternal && host != cluster)
        {
            throw entry.Malformed($"points at byte {host} of the external data file, not at the guest's {cluster}");
        }

        return host < _dataLength ? Extent.Stored(cluster, _clusterSize, _data, host) : throw Beyond(entry, host);
    }

    private Extent Compressed(in Entry entry, long cluster)
    {
        var sizeShift = 62 - (_clusterBits - 8);
        var host = (long)(entry.Word & (1UL << sizeShift) - 1);
        var sectors = (int)(entry.Word >> sizeShift & (1UL << (_clusterBits - 8)) - 1) + 1;
        if (_isExternal)
        {
            throw entry.Malformed("is compressed, which a cluster in an external data file cannot be");
        }

        if (entry.Bitmap != 0)
        {
            throw entry.Malformed("is compressed but has bits for subclusters set");
        }

        if (host < _clusterSize)
        {
            throw entry.Malformed("points into the header");
        }

        // The stated length goes to the end of a sector; the last one of a file need not be whole.
        var length = sectors * 512L - (host & 511);
        if (host >= _fileLength || host + length - _fileLength >= _clusterSize)
        {
            throw Beyond(entry, host);
        }

        return Extent.Compressed(
            cluster, _clusterSize, _source, host, (int)Math.Min(length, _fileLength - host), _codec, (int)_clusterSize);
    }

    private void AddSubclusters(List<Extent> extents, in Entry entry, long cluster, long start, long end)
    {
        var allocated = (uint)entry.Bitmap;
        var zero = (uint)(entry.Bitmap >> 32);
        if ((allocated & zero) != 0)
        {
            throw entry.Malformed($"has subclusters that are both allocated and zero (bitmap 0x{entry.Bitmap:x16})");
        }

        var whole = Standard(entry, cluster);
        if (whole.Kind == ExtentKind.Hole && allocated != 0)
        {
            throw entry.Malformed($"has no cluster, but allocated subclusters (bitmap 0x{entry.Bitmap:x16})");
        }

        var length = _clusterSize / SubclustersPerCluster;
        for (var at = 0; at < SubclustersPerCluster;)
        {
            var (isAllocated, isZero) = ((allocated >> at & 1) != 0, (zero >> at & 1) != 0);
            var same = (isAllocated ? allocated : ~allocated) & (isZero ? zero : ~zero);
            var count = Math.Min(BitOperations.TrailingZeroCount(~(same >> at)), SubclustersPerCluster - at);
            var (guest, run) = (cluster + at * length, count * length);
            if (guest < end && guest + run > start)
            {
                if (isAllocated)
                {
                    AddStored(extents, whole.Slice(at * length, run), start, end);
                }
                else
                {
                    Add(extents, isZero ? Extent.Zero(guest, run) : Extent.Hole(guest, run), start, end);
                }
            }

            at += count;
        }
    }

    /// <summary>Adds an extent; what runs over the end of the file is zeros.</summary>
    private void AddStored(List<Extent> extents, in Extent extent, long start, long end)
    {
        var clipped = extent.Clip(start, end);
        var present = extent.Kind == ExtentKind.Stored ? _dataLength - clipped.HostOffset : clipped.Length;
        if (present >= clipped.Length)
        {
            extents.Add(clipped);
            return;
        }

        if (present > 0)
        {
            extents.Add(clipped.Slice(0, present));
        }

        present = Math.Max(present, 0);
        extents.Add(Extent.Zero(clipped.GuestOffset + present, clipped.Length - present));
    }

    private TruncatedImageException Beyond(in Entry entry, long host) => new(
        $"Entry {entry.Index} of the qcow2 L2 table at byte {entry.TableOffset} points at byte {host}, but the "
        + $"{(_isExternal ? "external data file" : "file")} has only {_dataLength} bytes. "
        + "It is cut short: get it anew.");

    private readonly record struct Entry(ulong Word, ulong Bitmap, long TableOffset, int Index)
    {
        internal ImageFormatException Malformed(string what) => new(
            CheckNames.Tables,
            $"Entry {Index} of the qcow2 L2 table at byte {TableOffset} is 0x{Word:x16}, which {what}. "
            + "'qemu-img check' says what else is damaged.");
    }
}
