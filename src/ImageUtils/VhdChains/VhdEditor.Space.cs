using ImageUtils.Formats.Vhd;

namespace ImageUtils.VhdChains;

/// <content>Where there is room for structures: before the first block, where vhd-util wants them.</content>
internal sealed partial class VhdEditor
{
    private const int CopyLength = 1 << 20;

    // All but the blocks. Locators' space is in bytes in what is written today, in sectors by the specification.
    private List<(long Start, long End)> FindStructures()
    {
        var header = Dynamic;
        var found = new List<(long Start, long End)>
        {
            (0, VhdFooter.Length),
            ((long)Footer.DataOffset, (long)Footer.DataOffset + VhdDynamicHeader.Length),
            ((long)header.TableOffset, (long)header.TableOffset + ToSectors(header.TableLength)),
        };
        if (_batmap is not null)
        {
            found.Add((_batmap.HeaderOffset, _batmap.HeaderOffset + VhdBatmap.HeaderLength));
            found.Add((_batmap.Offset, _batmap.End));
        }

        foreach (var locator in header.ParentLocators.Where(locator => locator.PlatformCode != 0))
        {
            var space = (long)locator.PlatformDataSpace;
            var length = Math.Max(locator.PlatformDataLength, space < SectorSize ? space * SectorSize : space);
            var start = (long)locator.PlatformDataOffset;
            if (length > 0 && start < _footerOffset)
            {
                found.Add((start, Math.Min(start + ToSectors(length), _footerOffset)));
            }
        }

        found.Sort();
        return found;
    }

    private long FindDataEnd()
    {
        var end = FindStructures().Max(structure => structure.End);
        foreach (var entry in _table)
        {
            if (entry != VhdSafetyChecks.UnusedEntry)
            {
                end = Math.Max(end, (long)entry * SectorSize + BlockLength);
            }
        }

        return ToSectors(end);
    }

    private long FindFirstBlock()
    {
        var first = _table.Length == 0 ? VhdSafetyChecks.UnusedEntry : _table.Min();
        return first == VhdSafetyChecks.UnusedEntry ? long.MaxValue : (long)first * SectorSize;
    }

    // A range before the first block that nothing is in, with whole sectors; it may reach into the blocks.
    private long FindGap(long length, long firstBlock)
    {
        var at = 0L;
        foreach (var (start, end) in FindStructures())
        {
            if (start >= at + length && at + length <= firstBlock)
            {
                return at;
            }

            at = Math.Max(at, ToSectors(end));
        }

        return at;
    }

    // Blocks that are in the way are copied to the end, and their old places are free once the table says so.
    private async ValueTask<long> MakeRoomAsync(long length, CancellationToken cancellationToken)
    {
        var room = FindGap(length, FindFirstBlock());
        var blocks = Enumerable.Range(0, _table.Length)
            .Where(block => FindBlock(block) is { } hostOffset
                && hostOffset < room + length && hostOffset + BlockLength > room)
            .Select(block => (long)block).ToList();
        _dataEnd = Math.Max(_dataEnd, room + length);
        await MoveFooterAsync(_dataEnd + blocks.Count * BlockLength, cancellationToken).ConfigureAwait(false);
        if (blocks.Count == 0)
        {
            return room;
        }

        var moved = new List<(long Block, uint Entry)>();
        foreach (var block in blocks)
        {
            await CopyAsync(FindBlock(block)!.Value, _dataEnd, cancellationToken).ConfigureAwait(false);
            moved.Add((block, (uint)(_dataEnd / SectorSize)));
            _dataEnd += BlockLength;
        }

        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        moved.ForEach(move => _table[move.Block] = move.Entry);
        await WriteEntriesAsync(blocks, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        return room;
    }

    private async ValueTask CopyAsync(long from, long to, CancellationToken cancellationToken)
    {
        var buffer = new byte[Math.Min(CopyLength, BlockLength)];
        for (var at = 0L; at < BlockLength; at += buffer.Length)
        {
            var piece = buffer.AsMemory(0, (int)Math.Min(buffer.Length, BlockLength - at));
            await ReadAsync(from + at, piece, "block", cancellationToken).ConfigureAwait(false);
            await Sink.WriteAsync(to + at, piece, cancellationToken).ConfigureAwait(false);
        }
    }
}
