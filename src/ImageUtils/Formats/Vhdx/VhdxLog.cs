using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhdx;

/// <summary>Finds what a log that was left pending is to do to the file, and does it in memory.</summary>
/// <remarks>
/// MS-VHDX, section 2.3, "Log". The log is a ring of entries. Those that follow each other without a gap and with
/// ascending sequence numbers are a sequence; the one that ends in the highest number and holds its own tail is active,
/// and is replayed from its tail to its end. A log that names no such sequence is damage.
/// </remarks>
internal sealed class VhdxLog
{
    // Logs that Hyper-V and QEMU make have 1 MiB.
    private const uint MaximumLength = 64 << 20;

    // Entries of the sequences before, partly written over, begin everywhere; but each once had the log to itself.
    private const int MostLooks = 16;

    private readonly byte[] _ring;
    private readonly Guid _guid;

    private long _looked;

    private VhdxLog(byte[] ring, Guid guid)
    {
        _ring = ring;
        _guid = guid;
    }

    /// <summary>The file as it is once its log has been replayed; nothing is written.</summary>
    /// <exception cref="ImageFormatException">The log is damaged, or the file was cut short.</exception>
    internal static async ValueTask<IByteSource> ReplayAsync(
        IByteSource source, VhdxHeader header, CancellationToken cancellationToken)
    {
        if (header.LogLength > MaximumLength)
        {
            throw new UnsupportedImageException(
                $"The VHDX log of {header.LogLength} bytes at byte {header.LogOffset} must be replayed, but logs of "
                + $"more than {MaximumLength} bytes are not. Replay it with 'qemu-img check -r all' on a copy.");
        }

        if (header.LogLength == 0 || header.LogLength % VhdxSafetyChecks.Mebibyte != 0
            || header.LogOffset < VhdxSafetyChecks.Mebibyte || header.LogOffset % VhdxSafetyChecks.Mebibyte != 0
            || header.LogOffset > VhdxSafetyChecks.MaximumFileOffset)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHDX header says that a log is to be replayed, and that it has {header.LogLength} bytes at byte "
                + $"{header.LogOffset}; both should be whole MiB, behind the first.");
        }

        var ring = new byte[header.LogLength];
        await VhdxReader.ReadWholeAsync(source, (long)header.LogOffset, ring, "log", cancellationToken)
            .ConfigureAwait(false);
        var fileLength = await source.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var log = new VhdxLog(ring, header.LogGuid);
        return log.Apply(log.FindActiveSequence(cancellationToken), source, header, fileLength);
    }

    private ReplayedSource Apply(
        List<(int Offset, VhdxLogEntry Entry)> sequence, IByteSource source, VhdxHeader header, long fileLength)
    {
        var last = sequence[^1].Entry;
        if (last.FlushedFileOffset > (ulong)fileLength)
        {
            throw new TruncatedImageException(
                $"The VHDX log says that the file had {last.FlushedFileOffset} bytes, but it has {fileLength}: it was "
                + "cut short. Get it again.");
        }

        if (last.LastFileOffset > VhdxSafetyChecks.MaximumFileOffset)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHDX log's last file offset is {last.LastFileOffset}, more than any file is long.");
        }

        // A VHDX has whole MiB.
        const long unit = VhdxSafetyChecks.Mebibyte;
        var lastOffset = ((long)last.LastFileOffset + unit - 1) / unit * unit;
        var replayed = new ReplayedSource(source, Math.Max(fileLength, lastOffset));
        foreach (var (offset, entry) in sequence)
        {
            var bytes = Unroll(offset, (int)entry.EntryLength);
            var data = (int)entry.DescriptorSpace;
            for (var index = 0; index < entry.DescriptorCount; index++)
            {
                var descriptor = VhdxLogDescriptor.Parse(
                    bytes[(VhdxLogEntry.Length + index * VhdxLogDescriptor.Length)..]);
                RefuseMisplaced(descriptor, header);
                if (descriptor.IsData)
                {
                    replayed.Put(
                        (long)descriptor.FileOffset, VhdxLogDataSector.Restore(descriptor, bytes[data..]));
                    data += VhdxLogEntry.SectorSize;
                }
                else
                {
                    replayed.Clear((long)descriptor.FileOffset, (long)descriptor.LengthOrLeading);
                }
            }
        }

        replayed.Seal();
        return replayed;
    }

    // The log is for changes of tables and metadata. One of itself, or of the headers that name it, would undo what is
    // being done.
    private static void RefuseMisplaced(VhdxLogDescriptor descriptor, VhdxHeader header)
    {
        var start = descriptor.FileOffset;
        var length = descriptor.IsData ? VhdxLogEntry.SectorSize : descriptor.LengthOrLeading;
        if (start < (ulong)VhdxRegionTable.FirstOffset
            || start > VhdxSafetyChecks.MaximumFileOffset || length > VhdxSafetyChecks.MaximumFileOffset
            || (start < header.LogOffset + header.LogLength && header.LogOffset < start + length))
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHDX log changes {length} bytes at byte {start}, which are the headers' or its own, or beyond "
                + "any file's end.");
        }
    }

    private List<(int Offset, VhdxLogEntry Entry)> FindActiveSequence(CancellationToken cancellationToken)
    {
        List<(int Offset, VhdxLogEntry Entry)>? active = null;
        for (var start = 0; start < _ring.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var sequence = FollowFrom(start);
            if (sequence.Count == 0)
            {
                start += VhdxLogEntry.SectorSize;
                continue;
            }

            var (_, head) = sequence[^1];
            var tail = sequence.FindIndex(one => one.Offset == head.Tail);
            if (tail >= 0 && (active is null || head.SequenceNumber > active[^1].Entry.SequenceNumber))
            {
                active = sequence[tail..];
            }

            // What begins within a sequence is a part of it, which ends alike.
            start += (int)Math.Min(sequence.Sum(one => (long)one.Entry.EntryLength), _ring.Length);
        }

        return active ?? throw new ImageFormatException(
            CheckNames.LogPending,
            $"The VHDX header says that the log {_guid} is to be replayed, but the log holds no entries that are "
            + "intact: the file was damaged. Get it again, or restore it from a backup.");
    }

    private List<(int Offset, VhdxLogEntry Entry)> FollowFrom(int offset)
    {
        var sequence = new List<(int, VhdxLogEntry)>();
        var left = (long)_ring.Length;
        ulong? expected = null;
        while (left > 0 && FindEntry(offset, left) is { } entry
            && (expected is null || entry.SequenceNumber == expected))
        {
            sequence.Add((offset, entry));
            left -= entry.EntryLength;
            offset = (int)((offset + entry.EntryLength) % _ring.Length);
            expected = entry.SequenceNumber + 1;
        }

        return sequence;
    }

    // An entry that is valid in itself; null where there is none.
    private VhdxLogEntry? FindEntry(int offset, long most)
    {
        var head = _ring.AsSpan(offset);
        if (!head.StartsWith(VhdxLogEntry.Signature))
        {
            return null;
        }

        var entry = VhdxLogEntry.Parse(head);
        if (entry.LogGuid != _guid || entry.SequenceNumber == 0
            || entry.EntryLength == 0 || entry.EntryLength > most || entry.EntryLength % VhdxLogEntry.SectorSize != 0
            || entry.DescriptorSpace > entry.EntryLength)
        {
            return null;
        }

        _looked += entry.EntryLength;
        if (_looked > (long)MostLooks * _ring.Length)
        {
            throw new ImageFormatException(
                CheckNames.LogPending,
                $"The VHDX log {_guid} is full of entries within entries, which no program writes. Get the file anew.");
        }

        var bytes = Unroll(offset, (int)entry.EntryLength);
        return VhdxChecksum.IsValid(bytes) && HasValidDescriptors(entry, bytes) ? entry : null;
    }

    private static bool HasValidDescriptors(VhdxLogEntry entry, ReadOnlySpan<byte> bytes)
    {
        var data = entry.DescriptorSpace;
        for (var index = 0; index < entry.DescriptorCount; index++)
        {
            var at = bytes[(VhdxLogEntry.Length + index * VhdxLogDescriptor.Length)..];
            var descriptor = VhdxLogDescriptor.Parse(at);
            if (!VhdxLogDescriptor.HasSignature(at) || descriptor.SequenceNumber != entry.SequenceNumber
                || descriptor.FileOffset % VhdxLogEntry.SectorSize != 0
                || (!descriptor.IsData && descriptor.LengthOrLeading % VhdxLogEntry.SectorSize != 0))
            {
                return false;
            }

            if (descriptor.IsData)
            {
                if (data + VhdxLogEntry.SectorSize > entry.EntryLength
                    || !bytes[(int)data..].StartsWith(VhdxLogDataSector.Signature)
                    || VhdxLogDataSector.ReadSequenceNumber(bytes[(int)data..]) != entry.SequenceNumber)
                {
                    return false;
                }

                data += VhdxLogEntry.SectorSize;
            }
        }

        return true;
    }

    private ReadOnlySpan<byte> Unroll(int offset, int length)
    {
        if (length <= _ring.Length - offset)
        {
            return _ring.AsSpan(offset, length);
        }

        var bytes = new byte[length];
        var first = Math.Min(length, _ring.Length - offset);
        _ring.AsSpan(offset, first).CopyTo(bytes);
        _ring.AsSpan(0, length - first).CopyTo(bytes.AsSpan(first));
        return bytes;
    }
}
