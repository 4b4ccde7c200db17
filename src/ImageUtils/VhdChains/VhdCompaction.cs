using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <summary>A dynamic or differencing VHD without its superfluous blocks.</summary>
/// <remarks>
/// Footer and header stay as they are, byte for byte, with what no field is known for, but for the places of table and
/// locators. The order is vhd-util's: footer's copy, header, table, batmap, locators, blocks, footer.
/// </remarks>
internal sealed class VhdCompaction : Compaction
{
    private const int SectorSize = VhdFooter.SectorSize;
    private const long HeaderOffset = VhdFooter.Length;
    private const long TableOffset = HeaderOffset + VhdDynamicHeader.Length;
    private const long DataAlignment = 4096;
    private const long GreatestLocator = 64 << 10;
    private const int DataOffsetField = 16;
    private const int LocatorsField = 576;
    private const int LocatorOffsetField = 16;

    private readonly FileByteSource _source;
    private readonly VhdFooter _footer;
    private readonly VhdDynamicHeader _header;
    private readonly List<(long From, long To, long Length)> _blocks = [];
    private readonly List<(int Index, long From, long To, long Length)> _locators = [];
    private readonly byte[] _table;
    private VhdBatmap? _batmap;

    private VhdCompaction(FileByteSource source, VhdFooter footer, VhdDynamicHeader header)
    {
        _source = source;
        _footer = footer;
        _header = header;
        _table = new byte[ToSectors(header.TableLength)];
        _table.AsSpan().Fill(0xFF);
    }

    /// <exception cref="UnsupportedImageException">The table is too long to be held.</exception>
    /// <exception cref="ImageFormatException">A block lies where none can.</exception>
    internal static async ValueTask<VhdCompaction> PlanAsync(
        FileByteSource source, OwnLayer layer, Action<long> onPosition, CancellationToken cancellationToken)
    {
        var structures = await VhdReader.ReadStructuresAsync(source, cancellationToken).ConfigureAwait(false);
        var header = structures.Header!;
        if (header.MaxTableEntries > MostTableEntries)
        {
            throw new UnsupportedImageException(
                $"The VHD's table has {header.MaxTableEntries} entries; {MostTableEntries} are the most of a disk that "
                + "is compacted. Convert it, with greater blocks.");
        }

        // Hyper-V's disk can end behind QEMU's, which is looked at here: what only Hyper-V shows is kept.
        var guestSize = (long)structures.Footer.GuestSize;
        var hiddenFrom = (long)structures.Footer.CurrentSize > guestSize ? guestSize : long.MaxValue;
        var plan = new VhdCompaction(source, structures.Footer, header);
        var kept = new List<(long Block, long Offset)>();
        await foreach (var (first, entries) in BlockTablePages.ReadAsync(source, header, cancellationToken)
            .ConfigureAwait(false))
        {
            for (var index = 0; index < entries.Count; index++)
            {
                if (entries[index] == VhdSafetyChecks.UnusedEntry)
                {
                    continue;
                }

                var (block, offset) = (first + index, entries[index] * (long)SectorSize);
                plan.ThrowIfMisplaced(block, offset, structures.DataEnd);
                if ((block + 1) * header.BlockSize <= hiddenFrom
                    && await layer.IsSuperfluousAsync(block * header.BlockSize, header.BlockSize, cancellationToken)
                        .ConfigureAwait(false))
                {
                    plan.DroppedBlocks++;
                }
                else
                {
                    kept.Add((block, offset));
                }

                onPosition((block + 1) * header.BlockSize);
            }
        }

        await plan.PlaceAsync(kept, cancellationToken).ConfigureAwait(false);
        return plan;
    }

    internal override async ValueTask WriteAsync(
        IByteSink sink, Action<long> onCopied, CancellationToken cancellationToken)
    {
        await CopyAsync(_source, sink, _blocks, onCopied, cancellationToken).ConfigureAwait(false);
        await CopyAsync(
            _source, sink, _locators.Select(locator => (locator.From, locator.To, locator.Length)), _ => { },
            cancellationToken).ConfigureAwait(false);
        await sink.WriteAsync(TableOffset, _table, cancellationToken).ConfigureAwait(false);
        if (_batmap is not null)
        {
            await sink.WriteAsync(_batmap.Offset, _batmap.Map, cancellationToken).ConfigureAwait(false);
            await sink.WriteAsync(_batmap.HeaderOffset, _batmap.HeaderBytes, cancellationToken).ConfigureAwait(false);
        }

        await sink.WriteAsync(
            HeaderOffset, await MakeHeaderAsync(cancellationToken).ConfigureAwait(false), cancellationToken)
            .ConfigureAwait(false);
        var footer = new byte[VhdFooter.Length];
        await VhdReader.ReadWholeAsync(_source, 0, footer, "footer's copy", cancellationToken).ConfigureAwait(false);
        BinaryPrimitives.WriteInt64BigEndian(footer.AsSpan(DataOffsetField), HeaderOffset);
        Seal(footer, VhdFooter.ChecksumOffset);
        await sink.SetLengthAsync(Length, cancellationToken).ConfigureAwait(false);
        await sink.WriteAsync(Length - footer.Length, footer, cancellationToken).ConfigureAwait(false);
        await sink.WriteAsync(0, footer, cancellationToken).ConfigureAwait(false);
    }

    private static long ToSectors(long length) => (length + SectorSize - 1) / SectorSize * SectorSize;

    private static void Seal(Span<byte> bytes, int checksumOffset) => BinaryPrimitives.WriteUInt32BigEndian(
        bytes[checksumOffset..], VhdChecksum.Compute(bytes, checksumOffset));

    private void ThrowIfMisplaced(long block, long offset, long dataEnd)
    {
        if (VhdSafetyChecks.FindMisplacedBlock(_footer, _header, block, offset) is { } misplaced)
        {
            throw new ImageFormatException(CheckNames.Tables, misplaced);
        }

        if (offset + _header.BitmapSize + _header.BlockSize > dataEnd)
        {
            throw new TruncatedImageException(
                $"The VHD block allocation table's entry {block} points at byte {offset}, but the block ends beyond "
                + $"the file's data, which ends at byte {dataEnd}: the file is cut short. Get it again.");
        }
    }

    private async ValueTask PlaceAsync(List<(long Block, long Offset)> kept, CancellationToken cancellationToken)
    {
        var end = TableOffset + _table.Length;
        if (await VhdBatmap.ReadAsync(_source, _footer, _header, cancellationToken).ConfigureAwait(false) is { } batmap)
        {
            var map = new byte[batmap.Map.Length];
            foreach (var (block, _) in kept)
            {
                var (at, bit) = ((int)(block / 8), 0x80 >> (int)(block % 8));
                map[at] |= at < map.Length ? (byte)(batmap.Map[at] & bit) : (byte)0;
            }

            _batmap = (batmap with { Map = map }).MoveTo(end, _header.MaxTableEntries, (long)_footer.CurrentSize);
            end = _batmap.End;
        }

        for (var index = 0; index < _header.ParentLocators.Count; index++)
        {
            // The space is in bytes in what is written today, in sectors by the specification.
            var locator = _header.ParentLocators[index];
            var space = (long)locator.PlatformDataSpace;
            var length = ToSectors(
                Math.Max(locator.PlatformDataLength, space < SectorSize ? space * SectorSize : space));
            if (locator.PlatformCode == 0 || length == 0)
            {
                continue;
            }

            if (length > GreatestLocator)
            {
                throw new ImageFormatException(
                    CheckNames.Parent,
                    $"The VHD's parent locator {index} takes up {length} bytes; {GreatestLocator} are the most that "
                    + "are kept. Write it anew with Set-VhdParent.");
            }

            _locators.Add((index, (long)locator.PlatformDataOffset, end, length));
            end += length;
        }

        var bitmapSize = _header.BitmapSize;
        var isAligned = kept.TrueForAll(block => (block.Offset + bitmapSize) % DataAlignment == 0);
        foreach (var (block, offset) in kept)
        {
            var data = end + bitmapSize;
            end = isAligned ? (data + DataAlignment - 1) / DataAlignment * DataAlignment - bitmapSize : end;
            BinaryPrimitives.WriteUInt32BigEndian(
                _table.AsSpan((int)block * sizeof(uint)), (uint)(end / SectorSize));
            _blocks.Add((offset, end, bitmapSize + _header.BlockSize));
            end += bitmapSize + _header.BlockSize;
        }

        BlockCount = kept.Count;
        Length = end + VhdFooter.Length;
    }

    private async ValueTask<byte[]> MakeHeaderAsync(CancellationToken cancellationToken)
    {
        var header = new byte[VhdDynamicHeader.Length];
        await VhdReader.ReadWholeAsync(
            _source, (long)_footer.DataOffset, header, "dynamic header", cancellationToken).ConfigureAwait(false);
        BinaryPrimitives.WriteInt64BigEndian(header.AsSpan(16), TableOffset);
        foreach (var (index, _, to, _) in _locators)
        {
            BinaryPrimitives.WriteInt64BigEndian(
                header.AsSpan(LocatorsField + index * VhdParentLocator.Length + LocatorOffsetField), to);
        }

        Seal(header, VhdDynamicHeader.ChecksumOffset);
        return header;
    }
}
