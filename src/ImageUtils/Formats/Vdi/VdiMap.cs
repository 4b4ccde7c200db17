using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vdi;

/// <summary>
/// Where the blocks of a dynamic or static VDI are. Blocks of every size that VirtualBox can have are read, with
/// whatever lies before their data. A block that is beyond the file's end is an error, though qemu reads zeros there.
/// </summary>
internal sealed class VdiMap : ImageMap
{
    // The entries of 64 GiB in blocks of 1 MiB.
    private const int WindowEntries = 64 * 1024;

    private const uint Discarded = 0xFFFF_FFFE;

    private readonly IByteSource _source;
    private readonly VdiHeader _header;
    private readonly long _fileLength;
    private readonly long _stride;
    private uint[] _window = [];
    private long _windowStart;

    private VdiMap(IByteSource source, VdiHeader header, long fileLength)
    {
        _source = source;
        _header = header;
        _fileLength = fileLength;
        _stride = (long)header.BlockSize + header.BlockExtra;

        // VBoxManage makes disks that end within a sector; qemu shows that sector whole.
        VirtualSize = (long)(header.DiskSize + VdiHeader.SectorSizeOfDisk - 1) / VdiHeader.SectorSizeOfDisk
            * VdiHeader.SectorSizeOfDisk;
    }

    public override long VirtualSize { get; }

    internal static async ValueTask<VdiMap> OpenAsync(IByteSource source, CancellationToken cancellationToken)
    {
        var bytes = new byte[VdiHeader.Length];
        if (await source.ReadAsync(0, bytes, cancellationToken).ConfigureAwait(false) < bytes.Length)
        {
            throw new TruncatedImageException($"The file ends within the VDI header's {bytes.Length} bytes.");
        }

        var header = VdiHeader.Parse(bytes);
        if (VdiSafetyChecks.FindUnknownVersion(header) is { } version)
        {
            throw new ImageFormatException(CheckNames.Version, version);
        }

        if (VdiSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        if (VdiSafetyChecks.FindParent(header) is { } parent)
        {
            throw new UnsupportedImageException(parent + " Have VirtualBox merge it (VBoxManage clonemedium) first.");
        }

        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var mapEnd = header.BlockMapOffset + header.BlocksInImage * (long)sizeof(uint);
        var dataEnd = Math.Max(mapEnd, VdiSafetyChecks.FindDataEnd(header));
        return dataEnd <= fileLength
            ? new VdiMap(source, header, fileLength)
            : throw new TruncatedImageException(
                $"The VDI's block map and allocated blocks end at byte {dataEnd}, but the file has only {fileLength} "
                + "bytes: it is cut short.");
    }

    public override async IAsyncEnumerable<Extent> GetExtentsAsync(
        long guestOffset, long length, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var end = Math.Min(guestOffset + length, VirtualSize);
        var from = guestOffset;
        var merger = default(ExtentMerger);
        while (from < end)
        {
            var block = from / _header.BlockSize;
            if (block < _windowStart || block >= _windowStart + _window.Length)
            {
                await LoadAsync(block, cancellationToken).ConfigureAwait(false);
            }

            var extent = NextExtent(block).Clip(from, end);
            from = extent.GuestEnd;
            if (merger.Add(extent, out var whole))
            {
                foreach (var part in Split(whole))
                {
                    yield return part;
                }
            }
        }

        foreach (var part in merger.Finish(out var last) ? Split(last) : [])
        {
            yield return part;
        }
    }

    // The block, with those of the window that continue it.
    private Extent NextExtent(long block)
    {
        var entries = _window.AsSpan((int)(block - _windowStart));
        var start = block * _header.BlockSize;
        var entry = entries[0];
        if (entry >= VdiSafetyChecks.FirstUnallocatedEntry)
        {
            var others = entries.IndexOfAnyExcept(entry);
            var span = Math.Min(
                (others < 0 ? entries.Length : others) * (long)_header.BlockSize, VirtualSize - start);
            return entry == Discarded ? Extent.Zero(start, span) : Extent.Hole(start, span);
        }

        var count = 1;
        while (_header.BlockExtra == 0 && count < entries.Length && entries[count] == entry + (uint)count
            && entries[count] < _header.BlocksInImage)
        {
            count++;
        }

        if (entry >= _header.BlocksInImage)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VDI block map's entry {block} at byte {_header.BlockMapOffset + block * sizeof(uint)} is block "
                + $"{entry} of {_header.BlocksInImage}.");
        }

        var hostOffset = _header.DataOffset + entry * _stride + _header.BlockExtra;
        return Extent.Stored(
            start, Math.Min(count * (long)_header.BlockSize, VirtualSize - start), _source, hostOffset);
    }

    // What is stored, without the holes of the file; the sector in which the disk ends may be there in part.
    private IEnumerable<Extent> Split(Extent extent)
    {
        if (extent.Kind != ExtentKind.Stored)
        {
            yield return extent;
            yield break;
        }

        var hostEnd = extent.HostOffset + extent.Length;
        var missing = Math.Max(0, hostEnd - _fileLength);
        if (missing > Math.Max(0, extent.GuestEnd - (long)_header.DiskSize))
        {
            throw new TruncatedImageException(
                $"The VDI's block {extent.GuestOffset / _header.BlockSize}, or one of those that follow it, ends at "
                + $"byte {hostEnd}, but the file has only {_fileLength}: it is cut short.");
        }

        var at = 0L;
        var stored = extent.Length - missing;
        while (at < stored)
        {
            var (dataStart, dataEnd) = _source is ISparseSource sparse
                ? sparse.FindData(extent.HostOffset + at, extent.HostOffset + stored)
                : (extent.HostOffset + at, extent.HostOffset + stored);
            var skipped = dataStart - extent.HostOffset - at;
            if (skipped > 0)
            {
                yield return Extent.Zero(extent.GuestOffset + at, skipped);
            }

            if (dataEnd > dataStart)
            {
                yield return extent.Slice(at + skipped, dataEnd - dataStart);
            }

            at = dataEnd - extent.HostOffset;
        }

        if (missing > 0)
        {
            yield return Extent.Zero(extent.GuestEnd - missing, missing);
        }
    }

    private async ValueTask LoadAsync(long block, CancellationToken cancellationToken)
    {
        var start = block / WindowEntries * WindowEntries;
        var window = new uint[Math.Min(WindowEntries, _header.BlocksInImage - start)];
        var bytes = new byte[window.Length * sizeof(uint)];
        var offset = _header.BlockMapOffset + start * sizeof(uint);
        if (await _source.ReadAsync(offset, bytes, cancellationToken).ConfigureAwait(false) < bytes.Length)
        {
            throw new TruncatedImageException($"The VDI's file ends within the block map at byte {offset}.");
        }

        MemoryMarshal.Cast<byte, uint>(bytes).CopyTo(window);
        if (!BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(window, window);
        }

        (_window, _windowStart) = (window, start);
    }
}
