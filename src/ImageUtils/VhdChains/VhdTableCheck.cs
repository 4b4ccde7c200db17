using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>Looks at a VHD's footers, header, locators, block allocation table, batmap and bitmaps.</summary>
internal sealed class VhdTableCheck
{
    private readonly FileByteSource _file;
    private readonly VhdFooter _footer;
    private readonly VhdDynamicHeader _header;
    private readonly long _dataEnd;
    private readonly CheckFindings _findings;
    private readonly List<(long Offset, long Length, string Name)> _areas = [];
    private readonly byte[] _bitmap;
    private VhdBatmapCheck? _batmap;
    private long _emptyBlocks;
    private long _markedUnused;

    private VhdTableCheck(FileByteSource file, VhdStructures structures, CheckFindings findings)
    {
        _file = file;
        _footer = structures.Footer;
        _header = structures.Header!;
        _dataEnd = structures.DataEnd;
        _findings = findings;
        _bitmap = new byte[_header.BitmapSize];
    }

    /// <exception cref="ImageFormatException">
    /// A structure is damaged such that nothing behind it can be found.
    /// </exception>
    internal static async ValueTask RunAsync(
        FileByteSource file, CheckFindings findings, CancellationToken cancellationToken)
    {
        await CheckFootersAsync(file, findings, cancellationToken).ConfigureAwait(false);
        var structures = await VhdReader.ReadStructuresAsync(file, cancellationToken).ConfigureAwait(false);
        if (structures.Header is null)
        {
            return;
        }

        var bytes = new byte[VhdDynamicHeader.Length];
        await VhdReader.ReadWholeAsync(
            file, (long)structures.Footer.DataOffset, bytes, "dynamic header", cancellationToken).ConfigureAwait(false);
        findings.AddProblem(
            VhdSafetyChecks.FindWrongChecksum("VHD dynamic header", bytes, VhdDynamicHeader.ChecksumOffset));
        var check = new VhdTableCheck(file, structures, findings);
        await check.CheckAreasAsync(cancellationToken).ConfigureAwait(false);
        await check.CheckBlocksAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask CheckFootersAsync(
        FileByteSource file, CheckFindings findings, CancellationToken cancellationToken)
    {
        var length = (int)Math.Min(VhdFooter.Length, file.Length);
        var head = new byte[length];
        var tail = new byte[length];
        await VhdReader.ReadWholeAsync(file, 0, head, "footer's copy", cancellationToken).ConfigureAwait(false);
        await VhdReader.ReadWholeAsync(file, file.Length - length, tail, "footer", cancellationToken)
            .ConfigureAwait(false);
        var end = VhdFormat.FindFooter(tail);
        if (end.Length > 0)
        {
            findings.AddProblem(VhdSafetyChecks.FindWrongChecksum(
                "VHD footer at the file's end", end.Span, VhdFooter.ChecksumOffset));
        }

        if (length < VhdFooter.Length || !head.AsSpan().StartsWith(VhdFooter.Cookie))
        {
            return;
        }

        findings.AddProblem(VhdSafetyChecks.FindWrongChecksum(
            "VHD footer copy at byte 0", head, VhdFooter.ChecksumOffset));
        findings.AddProblem(end.Length > 0
            ? VhdSafetyChecks.FindDifference(VhdFooter.Parse(head), VhdFooter.Parse(end.Span))
            : $"The VHD has no footer in the last {VhdFooter.Length} of its {file.Length} bytes: the file is cut "
                + "short, or something was appended to it.");
    }

    private async ValueTask CheckAreasAsync(CancellationToken cancellationToken)
    {
        _areas.Add((0, VhdFooter.Length, "footer's copy at byte 0"));
        _areas.Add(((long)_footer.DataOffset, VhdDynamicHeader.Length, "dynamic header"));
        _areas.Add(((long)_header.TableOffset, _header.TableLength, "table itself"));
        foreach (var locator in _header.ParentLocators
            .Where(one => one is { PlatformCode: not 0, PlatformDataLength: > 0 }))
        {
            AddLocator(locator);
        }

        _batmap = await VhdBatmapCheck.OpenAsync(_file, _footer, _header, _dataEnd, _findings, cancellationToken)
            .ConfigureAwait(false);
        if (_batmap is not null)
        {
            _areas.AddRange(_batmap.Areas);
        }

        var sorted = _areas.OrderBy(area => area.Offset).ToArray();
        for (var index = 1; index < sorted.Length; index++)
        {
            var (before, area) = (sorted[index - 1], sorted[index]);
            if (area.Offset < before.Offset + before.Length)
            {
                _findings.AddProblem(
                    $"In the VHD the {area.Name} at byte {area.Offset} overlaps the {before.Name} at byte "
                    + $"{before.Offset}.");
            }
        }
    }

    private void AddLocator(VhdParentLocator locator)
    {
        var name = $"parent locator '{Inspection.Printable.Text(VhdFooter.Text(locator.PlatformCode))}'";
        if (locator.PlatformDataOffset > (ulong)_dataEnd
            || locator.PlatformDataLength > (ulong)_dataEnd - locator.PlatformDataOffset)
        {
            _findings.AddProblem(
                $"The VHD {name} has {locator.PlatformDataLength} bytes at byte {locator.PlatformDataOffset}, beyond "
                + $"the file's data, which ends at byte {_dataEnd}.");
            return;
        }

        _areas.Add(((long)locator.PlatformDataOffset, locator.PlatformDataLength, name));
    }

    private async ValueTask CheckBlocksAsync(CancellationToken cancellationToken)
    {
        await foreach (var (first, entries) in BlockTablePages.ReadAsync(_file, _header, cancellationToken)
            .ConfigureAwait(false))
        {
            if (_batmap is not null)
            {
                await _batmap.ReadPageAsync(first, cancellationToken).ConfigureAwait(false);
            }

            for (var index = 0; index < entries.Count; index++)
            {
                var block = first + index;
                var isMarked = _batmap?.IsMarked(block) == true;
                if (entries[index] == VhdSafetyChecks.UnusedEntry)
                {
                    _markedUnused += isMarked ? 1 : 0;
                }
                else if (IsPlaced(block, entries[index] * (long)VhdFooter.SectorSize)
                    && (isMarked || _footer.DiskType == VhdDiskType.Differencing))
                {
                    // In a disk without a parent no reader needs the bitmaps, but for those that trust the batmap.
                    await CheckBitmapAsync(
                        block, entries[index] * (long)VhdFooter.SectorSize, isMarked, cancellationToken)
                        .ConfigureAwait(false);
                }
            }
        }

        if (_batmap is not null)
        {
            _findings.AddProblem(await _batmap.FindWrongChecksumAsync(cancellationToken).ConfigureAwait(false));
        }

        if (_emptyBlocks > 0)
        {
            _findings.AddWarning(
                $"{_emptyBlocks} blocks have a place in the file, but none of their sectors is the disk's own. "
                + "Optimize-VhdImage gives the space back.");
        }

        if (_markedUnused > 0)
        {
            _findings.AddWarning($"The VHD batmap has {_markedUnused} blocks as full that have no place in the file.");
        }

        await new BlockOverlaps(_file, _header, _dataEnd).FindAsync(_findings, cancellationToken).ConfigureAwait(false);
    }

    // Whether a block with its bitmap lies where one can.
    private bool IsPlaced(long block, long offset)
    {
        var length = _header.BitmapSize + _header.BlockSize;
        _findings.Blocks++;
        foreach (var area in _areas)
        {
            if (offset < area.Offset + area.Length && area.Offset < offset + length)
            {
                _findings.AddProblem(
                    $"The VHD block allocation table's entry {block} points at byte {offset}, where the block overlaps "
                    + $"the {area.Name}.");
                return false;
            }
        }

        if (offset + length <= _dataEnd)
        {
            return true;
        }

        _findings.AddProblem(
            $"The VHD block allocation table's entry {block} points at byte {offset}, but the block of {length} bytes "
            + $"ends beyond the file's data, which ends at byte {_dataEnd}: the file is cut short.");
        return false;
    }

    private async ValueTask CheckBitmapAsync(
        long block, long offset, bool isMarked, CancellationToken cancellationToken)
    {
        await VhdReader.ReadWholeAsync(_file, offset, _bitmap, "sector bitmap", cancellationToken)
            .ConfigureAwait(false);
        var left = (long)_footer.CurrentSize - block * _header.BlockSize;
        var sectors = Math.Min(_header.BlockSize, left + VhdFooter.SectorSize - 1) / VhdFooter.SectorSize;
        if (sectors <= 0)
        {
            return;
        }

        SectorBitmap.ReverseBits(_bitmap);
        var run = SectorBitmap.CountRun(_bitmap, 0, sectors, out var isSet);
        if (!isSet && run == sectors)
        {
            _emptyBlocks++;
        }

        if (isMarked && (!isSet || run < sectors))
        {
            _findings.AddProblem(
                $"The VHD batmap has block {block} as full, but its bitmap at byte {offset} does not have the sector "
                + $"{(isSet ? run : 0)}: readers do not agree on the block.");
        }
    }
}
