using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow2;

/// <summary>Where a qcow2 image, or one of its snapshots, has each byte of its disk.</summary>
/// <remarks>
/// QEMU, docs/interop/qcow2.rst, "Cluster mapping". An L1 entry: bits 9-55 the L2 table's host offset, 0 where there
/// is none; bit 63 says that its reference count is 1; the others are reserved.
/// </remarks>
internal sealed class Qcow2Map : ImageMap
{
    private const ulong L1OffsetMask = 0x00FF_FFFF_FFFF_FE00;
    private const ulong L1ReservedMask = 0x7F00_0000_0000_01FF;

    // Extents that are decoded ahead of their use.
    private const int BatchLength = 1024;

    private readonly Qcow2TableCache _tables;
    private readonly Qcow2L2Decoder _decoder;
    private readonly Qcow2L1Table _l1;
    private readonly long _fileLength;
    private readonly int _clusterBits;
    private readonly int _l2Bits;

    internal Qcow2Map(
        IByteSource source, long fileLength, Qcow2Header header, Qcow2L1Table l1, Qcow2L2Decoder decoder)
    {
        _tables = new Qcow2TableCache(source);
        _decoder = decoder;
        _l1 = l1;
        _fileLength = fileLength;
        _clusterBits = (int)header.ClusterBits;
        _l2Bits = _clusterBits - (decoder.EntryLength == 16 ? 4 : 3);
    }

    public override long VirtualSize => _l1.VirtualSize;

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var end = length > VirtualSize - guestOffset ? VirtualSize : guestOffset + length;
        var batch = new List<Extent>(16);
        var merger = default(ExtentMerger);
        while (guestOffset < end)
        {
            cancellationToken.ThrowIfCancellationRequested();
            batch.Clear();
            guestOffset = await DecodeAsync(guestOffset, end, batch, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < batch.Count; i++)
            {
                if (merger.Add(batch[i], out var whole))
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

    private async ValueTask<long> DecodeAsync(
        long guestOffset, long end, List<Extent> batch, CancellationToken cancellationToken)
    {
        var l1Index = guestOffset >> (_clusterBits + _l2Bits);
        if (l1Index >= _l1.Size)
        {
            // A snapshot whose disk has been made larger since, of an age when its size was not recorded.
            batch.Add(Extent.Hole(guestOffset, end - guestOffset));
            return end;
        }

        var l1 = await _tables.GetAsync(_l1.HostOffset + l1Index * 8, cancellationToken).ConfigureAwait(false);
        if (FindL2(l1.Span, l1Index, out var emptyEntries) is not { } l2Offset)
        {
            var holeEnd = Math.Min(end, l1Index + emptyEntries << (_clusterBits + _l2Bits));
            batch.Add(Extent.Hole(guestOffset, holeEnd - guestOffset));
            return holeEnd;
        }

        var index = (int)(guestOffset >> _clusterBits & (1 << _l2Bits) - 1);
        var skip = index * _decoder.EntryLength;
        var l2 = await _tables.GetAsync(l2Offset + skip, cancellationToken).ConfigureAwait(false);
        var tableLength = 1 << _clusterBits;
        l2 = l2[..Math.Min(l2.Length, tableLength - skip)];
        return _decoder.Decode(l2.Span, l2Offset, index, guestOffset, end, batch, BatchLength);
    }

    private long? FindL2(ReadOnlySpan<byte> l1, long l1Index, out long emptyEntries)
    {
        var entries = MemoryMarshal.Cast<byte, ulong>(l1);
        entries = entries[..(int)Math.Min(entries.Length, _l1.Size - l1Index)];
        var used = entries.IndexOfAnyExcept(0UL);
        emptyEntries = used < 0 ? entries.Length : used;
        if (used != 0)
        {
            return null;
        }

        var entry = BinaryPrimitives.ReadUInt64BigEndian(l1);
        var l2Offset = (long)(entry & L1OffsetMask);
        if ((entry & L1ReservedMask) != 0)
        {
            throw Malformed(l1Index, entry, "has reserved bits set");
        }

        if (l2Offset == 0)
        {
            emptyEntries = 1;
            return null;
        }

        if ((l2Offset & (1L << _clusterBits) - 1) != 0)
        {
            throw Malformed(l1Index, entry, $"points at no multiple of the cluster's {1L << _clusterBits} bytes");
        }

        return l2Offset <= _fileLength - (1L << _clusterBits)
            ? l2Offset
            : throw new TruncatedImageException(
                $"The qcow2 L2 table at byte {l2Offset}, which entry {l1Index} of the L1 table at byte "
                + $"{_l1.HostOffset} points at, does not lie within the file's {_fileLength} bytes. "
                + "The file is cut short: get it anew.");
    }

    private ImageFormatException Malformed(long l1Index, ulong entry, string what) => new(
        CheckNames.Tables,
        $"Entry {l1Index} of the qcow2 L1 table at byte {_l1.HostOffset} is 0x{entry:x16}, which {what}. "
        + "'qemu-img check' says what else is damaged.");
}

/// <summary>An L1 table, and the disk that it maps.</summary>
/// <param name="HostOffset">Where it lies in the file; it has been seen to lie there whole.</param>
/// <param name="Size">How many entries it has.</param>
/// <param name="VirtualSize">The disk's size in bytes.</param>
internal sealed record Qcow2L1Table(long HostOffset, long Size, long VirtualSize);
