using ImageUtils.Errors;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>Looks at a VHDX's headers, region tables, log and block allocation table.</summary>
internal static class VhdxTableCheck
{
    private const int BitsPerWord = 64;
    private const ulong Unit = VhdxSafetyChecks.Mebibyte;

    /// <exception cref="ImageFormatException">
    /// A structure is damaged such that nothing behind it can be found.
    /// </exception>
    internal static async ValueTask RunAsync(
        FileByteSource file, CheckFindings findings, CancellationToken cancellationToken)
    {
        await CheckCopiesAsync(file, findings, cancellationToken).ConfigureAwait(false);
        var disk = await VhdxReader.ReadStructuresAsync(file, cancellationToken).ConfigureAwait(false);
        if (disk.Header.LogGuid != Guid.Empty)
        {
            findings.AddProblem(
                $"The VHDX has a log ({disk.Header.LogGuid}) that must be replayed before it can be changed: it was "
                + "not closed properly. Open it once with Hyper-V, or repair it with 'qemu-img check -r all'. What "
                + "else is said here holds once that is done.");
        }

        await new TableWalk(disk, findings).RunAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask CheckCopiesAsync(
        FileByteSource file, CheckFindings findings, CancellationToken cancellationToken)
    {
        var bytes = new byte[VhdxRegionTable.Length];
        foreach (var offset in new[] { VhdxHeader.FirstOffset, VhdxHeader.SecondOffset })
        {
            var header = bytes.AsMemory(0, VhdxHeader.Length);
            await VhdxReader.ReadWholeAsync(file, offset, header, "header", cancellationToken).ConfigureAwait(false);
            if (!VhdxHeader.IsValid(header.Span))
            {
                // What a crash leaves behind, as the specification foresees.
                findings.AddWarning(
                    $"The VHDX header at byte {offset} has no signature or a wrong checksum; the other one is used.");
            }
        }

        var first = new byte[VhdxRegionTable.Length];
        await VhdxReader.ReadWholeAsync(file, VhdxRegionTable.FirstOffset, first, "region table", cancellationToken)
            .ConfigureAwait(false);
        await VhdxReader.ReadWholeAsync(file, VhdxRegionTable.SecondOffset, bytes, "region table", cancellationToken)
            .ConfigureAwait(false);
        var (isFirstValid, isSecondValid) = (VhdxRegionTable.IsValid(first), VhdxRegionTable.IsValid(bytes));
        if (isFirstValid != isSecondValid)
        {
            var damaged = isFirstValid ? VhdxRegionTable.SecondOffset : VhdxRegionTable.FirstOffset;
            findings.AddProblem(
                $"The VHDX region table at byte {damaged} has no signature or a wrong checksum; its copy is intact.");
        }
        else if (isFirstValid && !first.AsSpan().SequenceEqual(bytes))
        {
            findings.AddProblem(
                "The VHDX region tables are both intact, but differ: readers do not agree on the file.");
        }
    }

    private sealed class TableWalk(VhdxStructures disk, CheckFindings findings)
    {
        private readonly VhdxBatLayout _layout = VhdxSafetyChecks.LayoutOf(disk.Metadata);
        private readonly ulong _blockSize = disk.Metadata.FileParameters!.Value.BlockSize;
        private readonly bool _hasParent = disk.Metadata.FileParameters.Value.HasParent;
        private readonly ulong _size = disk.Metadata.VirtualDiskSize!.Value;

        // A bit for each MiB of the file, where all blocks begin: 16 MiB for the longest file there can be.
        private readonly ulong[] _used = new ulong[
            Math.Min((ulong)disk.FileLength, VhdxSafetyChecks.MaximumFileOffset + VhdxSafetyChecks.MaximumBlockSize)
                / Unit / BitsPerWord + 1];

        private bool _isChunkPartial;

        internal async ValueTask RunAsync(CancellationToken cancellationToken)
        {
            await foreach (var (first, entries) in BlockTablePages.ReadAsync(disk, cancellationToken)
                .ConfigureAwait(false))
            {
                for (var index = 0; index < entries.Count; index++)
                {
                    Check((ulong)(first + index), entries[index]);
                }
            }
        }

        private void Check(ulong index, VhdxBatEntry entry)
        {
            var isBitmap = _layout.IsBitmap(index);
            if (isBitmap && !_hasParent)
            {
                // They mean nothing there; QEMU before 8.0 is known to leave nonsense.
                return;
            }

            if (FindState(index, entry, isBitmap) is { } problem)
            {
                findings.AddProblem(problem);
                return;
            }

            if (!entry.IsPresent)
            {
                return;
            }

            // QEMU ends fixed files with the disk, not with its last block.
            var start = _layout.PayloadIndex(index) * _blockSize;
            var length = isBitmap ? Unit : start < _size ? Math.Min(_blockSize, _size - start) : 0;
            if (!isBitmap)
            {
                findings.Blocks++;
            }

            if (VhdxSafetyChecks.FindMisplaced(disk.Header, disk.Regions, (long)index, entry.FileOffset, length)
                is { } misplaced)
            {
                findings.AddProblem(misplaced);
            }
            else if (entry.FileOffset + length > (ulong)disk.FileLength)
            {
                findings.AddProblem(
                    $"The VHDX block allocation table's entry {index} points at byte {entry.FileOffset}, but the "
                    + $"block's {length} bytes end beyond the file's {disk.FileLength}: the file is cut short.");
            }
            else if (!Take(entry.FileOffset, length))
            {
                findings.AddProblem(
                    $"The VHDX block allocation table's entry {index} points at byte {entry.FileOffset}, where the "
                    + "block overlaps another one.");
            }
        }

        private string? FindState(ulong index, VhdxBatEntry entry, bool isBitmap)
        {
            var isPartial = entry.State == VhdxBlockState.PartiallyPresent;
            var needsBitmap = isBitmap && _isChunkPartial;
            _isChunkPartial = !isBitmap && (_isChunkPartial || isPartial);
            var isPossible = isBitmap
                ? entry.State is VhdxBlockState.NotPresent or VhdxBlockState.FullyPresent
                : (int)entry.State is not (4 or 5) && (!isPartial || _hasParent);
            if (!isPossible)
            {
                return $"The VHDX block allocation table's entry {index} has the state {(int)entry.State}, which is "
                    + "not possible there.";
            }

            return needsBitmap && !entry.IsPresent
                ? $"The VHDX block allocation table's entry {index}, for the sector bitmap block, has the state "
                    + $"{(int)entry.State}, but blocks before it are partially present; 6 is expected."
                : null;
        }

        private bool Take(ulong offset, ulong length)
        {
            var isFree = true;
            for (var at = offset / Unit; at * Unit < offset + length; at++)
            {
                var bit = 1UL << (int)(at % BitsPerWord);
                ref var word = ref _used[at / BitsPerWord];
                isFree &= (word & bit) == 0;
                word |= bit;
            }

            return isFree;
        }
    }
}
