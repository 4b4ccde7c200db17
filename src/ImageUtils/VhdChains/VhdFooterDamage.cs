using System.Buffers.Binary;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>
/// What is wrong with a VHD's footers or its header's checksum, where the file itself says how it should be.
/// </summary>
internal sealed class VhdFooterDamage
{
    private readonly string _path;
    private readonly List<(long Offset, byte[] Bytes)> _writes = [];

    private VhdFooterDamage(string path, string description, string repair)
    {
        _path = path;
        Description = description;
        Repair = repair;
    }

    /// <summary>What is wrong.</summary>
    internal string Description { get; }

    /// <summary>What is done about it.</summary>
    internal string Repair { get; }

    // Where a fixed disk ends that is followed by what is not its own.
    private long? CutsTo { get; init; }

    /// <summary>Looks at a VHD's ends.</summary>
    /// <returns>Null where nothing is wrong that could be repaired.</returns>
    /// <exception cref="VhdChainException">It is no VHD, or both footers are damaged.</exception>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    internal static async ValueTask<VhdFooterDamage?> FindAsync(string path, CancellationToken cancellationToken)
    {
        using var source = FileByteSource.Open(path);
        var head = new byte[VhdFooter.Length];
        var tail = new byte[VhdFooter.Length];
        var isLong = await source.ReadAsync(0, head, cancellationToken).ConfigureAwait(false) == head.Length
            && await source.ReadTailAsync(tail, cancellationToken).ConfigureAwait(false) == tail.Length;
        var end = VhdFormat.FindFooter(tail);
        var isHeadGood = isLong && IsGood(head);
        var isEndGood = isLong && end.Length > 0 && IsGood(end.Span);
        if (!isHeadGood && !isEndGood)
        {
            throw new VhdChainException(
                VhdChainProblem.NotUsable, path,
                "It is no VHD, or its footer and the footer's copy are both damaged: nothing says what it was.");
        }

        if (!isHeadGood)
        {
            return await FindMissingCopyAsync(source, end, cancellationToken).ConfigureAwait(false);
        }

        var footer = VhdFooter.Parse(head);
        if (footer.DiskType == VhdDiskType.Fixed)
        {
            // The guest of a fixed disk may have written anything at its beginning.
            return isEndGood ? null : throw new VhdChainException(
                VhdChainProblem.NotUsable, path, "It begins with the footer of a fixed disk, but does not end in one.");
        }

        if (await FindWrongHeaderAsync(path, source, footer, cancellationToken).ConfigureAwait(false) is { } wrong)
        {
            return wrong;
        }

        var difference = !isEndGood
            ? end.Length == 0 ? "Its footer at the file's end is missing." : "Its footer at the file's end is damaged."
            : VhdSafetyChecks.FindDifference(footer, VhdFooter.Parse(end.Span));
        return difference is null
            ? null
            : new VhdFooterDamage(path, difference, "Restore the footer at the end from its copy at byte 0");
    }

    /// <summary>
    /// Repairs it. Each write is one sector; a footer at the end is written by what opens the disk for changes.
    /// </summary>
    /// <exception cref="ImageFormatException">The disk is damaged in other places as well.</exception>
    /// <exception cref="ImageWriteException">It is in use, or cannot be written.</exception>
    internal async ValueTask MendAsync(CancellationToken cancellationToken)
    {
        using var file = ImageLock.Acquire(_path);
        foreach (var (offset, bytes) in _writes)
        {
            await file.Sink.WriteAsync(offset, bytes, cancellationToken).ConfigureAwait(false);
            await file.Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
        }

        if (CutsTo is { } dataEnd)
        {
            await file.Sink.SetLengthAsync(dataEnd + VhdFooter.Length, cancellationToken).ConfigureAwait(false);
            await file.Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
            return;
        }

        using var editor = await VhdEditor.OpenAsync(file, file.Sink, cancellationToken).ConfigureAwait(false);
        await editor.FinishAsync(cancellationToken).ConfigureAwait(false);
    }

    private static bool IsGood(ReadOnlySpan<byte> footer) => footer.StartsWith(VhdFooter.Cookie)
        && VhdSafetyChecks.FindWrongChecksum("", footer, VhdFooter.ChecksumOffset) is null;

    private static async ValueTask<VhdFooterDamage?> FindMissingCopyAsync(
        FileByteSource source, ReadOnlyMemory<byte> end, CancellationToken cancellationToken)
    {
        var footer = VhdFooter.Parse(end.Span);
        if (footer.DiskType != VhdDiskType.Fixed)
        {
            var bytes = new byte[VhdFooter.Length];
            end.CopyTo(bytes);
            return new VhdFooterDamage(
                source.Path, "The footer's copy at byte 0 is missing or damaged.",
                "Restore the footer's copy at byte 0 from the footer at the end")
            {
                _writes = { (0, bytes) },
            };
        }

        // As long as a fixed disk grows its old size stands behind the new end.
        var footerOffset = source.Length - end.Length;
        return footer.CurrentSize % VhdFooter.SectorSize == 0 && footer.CurrentSize < (ulong)footerOffset
            && await IsAddedAsync(source, (long)footer.CurrentSize, footerOffset, end, cancellationToken)
                .ConfigureAwait(false)
            ? new VhdFooterDamage(
                source.Path,
                $"The fixed disk of {footer.CurrentSize} bytes has {footerOffset} before its footer: it was "
                + "interrupted while it grew.",
                "Take away what is behind the fixed disk's end")
            {
                CutsTo = (long)footer.CurrentSize,
                _writes = { ((long)footer.CurrentSize, end.ToArray()) },
            }
            : null;
    }

    // Zeros, but for the footer that was at the end before.
    private static async ValueTask<bool> IsAddedAsync(
        FileByteSource source, long start, long end, ReadOnlyMemory<byte> footer, CancellationToken cancellationToken)
    {
        var buffer = new byte[1 << 20];
        for (var at = start; at < end; at += buffer.Length)
        {
            var piece = buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - at));
            if (await source.ReadAsync(at, piece, cancellationToken).ConfigureAwait(false) < piece.Length)
            {
                return false;
            }

            var skip = at == start && piece.Span.StartsWith(footer.Span) ? footer.Length : 0;
            if (piece.Span[skip..].ContainsAnyExcept((byte)0))
            {
                return false;
            }
        }

        return true;
    }

    private static async ValueTask<VhdFooterDamage?> FindWrongHeaderAsync(
        string path, FileByteSource source, VhdFooter footer, CancellationToken cancellationToken)
    {
        var bytes = new byte[VhdDynamicHeader.Length];
        if (VhdSafetyChecks.FindMisplacedHeader(footer) is not null
            || await source.ReadAsync((long)footer.DataOffset, bytes, cancellationToken).ConfigureAwait(false)
                < bytes.Length
            || !bytes.AsSpan().StartsWith(VhdDynamicHeader.Cookie)
            || VhdSafetyChecks.FindWrongChecksum(
                "VHD dynamic header", bytes, VhdDynamicHeader.ChecksumOffset) is not { } wrong)
        {
            return null;
        }

        // The sum alone is wrong where everything that it stands for is possible; blocks are looked at once it is
        // right.
        var header = VhdDynamicHeader.Parse(bytes);
        if (VhdSafetyChecks.FindUnknownVersion(header) is not null
            || VhdSafetyChecks.FindImpossible(footer, header) is not null
            || VhdSafetyChecks.FindTableBeyondEnd(header, source.Length) is not null)
        {
            return null;
        }

        BinaryPrimitives.WriteUInt32BigEndian(
            bytes.AsSpan(VhdDynamicHeader.ChecksumOffset),
            VhdChecksum.Compute(bytes, VhdDynamicHeader.ChecksumOffset));
        return new VhdFooterDamage(
            path, wrong, "Compute the dynamic header's checksum anew, as all its fields are possible")
        {
            _writes = { ((long)footer.DataOffset, bytes[..VhdFooter.SectorSize]) },
        };
    }
}
