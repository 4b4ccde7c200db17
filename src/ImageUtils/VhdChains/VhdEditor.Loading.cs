using System.Buffers.Binary;
using System.Runtime.InteropServices;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <content>Reading the structures of a disk that is to be changed; all of them are checked.</content>
internal sealed partial class VhdEditor
{
    private static void Refuse(string check, string? problem)
    {
        if (problem is not null)
        {
            throw new ImageFormatException(check, problem);
        }
    }

    private async ValueTask LoadAsync(CancellationToken cancellationToken)
    {
        var length = _source.Length;
        var tail = new byte[Math.Min(VhdFooter.Length, length)];
        await ReadAsync(length - tail.Length, tail, "footer", cancellationToken).ConfigureAwait(false);
        var end = VhdFormat.FindFooter(tail);
        var head = new byte[tail.Length];
        await ReadAsync(0, head, "footer's copy", cancellationToken).ConfigureAwait(false);
        if (head.Length < VhdFooter.Length || !head.AsSpan().StartsWith(VhdFooter.Cookie))
        {
            LoadFixed(end, length);
            return;
        }

        head.CopyTo(_footerBytes, 0);
        Footer = VhdFooter.Parse(head);
        Refuse(CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(Footer, isAtEnd: false));
        Refuse(
            CheckNames.Checksum,
            VhdSafetyChecks.FindWrongChecksum("VHD footer copy at byte 0", head, VhdFooter.ChecksumOffset));
        Refuse(CheckNames.Tables, VhdSafetyChecks.FindMisplacedHeader(Footer));
        await LoadHeaderAsync(cancellationToken).ConfigureAwait(false);
        Refuse(CheckNames.Tables, VhdSafetyChecks.FindTableBeyondEnd(Dynamic, length));
        _footerOffset = end.Length == 0 ? ToSectors(length) : length - end.Length;
        await LoadTableAsync(cancellationToken).ConfigureAwait(false);
        _batmap = await VhdBatmap.ReadAsync(_source, Footer, Dynamic, cancellationToken).ConfigureAwait(false);
        _dataEnd = FindDataEnd();
        await MendEndAsync(end, cancellationToken).ConfigureAwait(false);
    }

    private void LoadFixed(ReadOnlyMemory<byte> end, long length)
    {
        if (end.Length == 0)
        {
            throw new TruncatedImageException(
                $"The VHD has no footer in the last {VhdFooter.Length} of its {length} bytes: the file is cut short, or "
                + "something was appended to it.");
        }

        end.CopyTo(_footerBytes);
        Footer = VhdFooter.Parse(end.Span);
        _footerOffset = _dataEnd = length - end.Length;
        Refuse(CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(Footer, isAtEnd: true));
        if (Footer.DiskType != VhdDiskType.Fixed)
        {
            throw new ImageFormatException(
                CheckNames.Checksum,
                $"The VHD footer's disk type at byte {_footerOffset + 60} is {(uint)Footer.DiskType}, but its copy at "
                + "byte 0 is missing. Restore that with Repair-VhdChain.");
        }

        Refuse(
            CheckNames.Checksum,
            VhdSafetyChecks.FindWrongChecksum("VHD footer", end.Span, VhdFooter.ChecksumOffset));
        Refuse(CheckNames.Tables, VhdSafetyChecks.FindImpossible(Footer));
        Refuse(CheckNames.Truncated, VhdSafetyChecks.FindCutShort(Footer, length, end.Length));
    }

    private async ValueTask LoadHeaderAsync(CancellationToken cancellationToken)
    {
        await ReadAsync((long)Footer.DataOffset, _headerBytes, "dynamic header", cancellationToken)
            .ConfigureAwait(false);
        if (!_headerBytes.AsSpan().StartsWith(VhdDynamicHeader.Cookie))
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHD footer's data offset at byte 16 is {Footer.DataOffset}, but no dynamic header (cookie "
                + "'cxsparse') is there.");
        }

        Header = VhdDynamicHeader.Parse(_headerBytes);
        Refuse(CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(Header));
        Refuse(
            CheckNames.Checksum,
            VhdSafetyChecks.FindWrongChecksum("VHD dynamic header", _headerBytes, VhdDynamicHeader.ChecksumOffset));
        Refuse(CheckNames.Tables, VhdSafetyChecks.FindImpossible(Footer, Header));
        if (Header.TableOffset % SectorSize != 0 || Header.MaxTableEntries > MostTableEntries)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHD block allocation table has {Header.MaxTableEntries} entries at byte {Header.TableOffset}; a "
                + $"disk is changed in place where there are at most {MostTableEntries}, which begin with a sector. "
                + "Convert it.");
        }
    }

    private async ValueTask LoadTableAsync(CancellationToken cancellationToken)
    {
        _table = new uint[Dynamic.MaxTableEntries];
        var piece = new byte[64 << 10];
        for (var at = 0L; at < Dynamic.TableLength; at += piece.Length)
        {
            var bytes = piece.AsMemory(0, (int)Math.Min(piece.Length, Dynamic.TableLength - at));
            await ReadAsync((long)Dynamic.TableOffset + at, bytes, "block allocation table", cancellationToken)
                .ConfigureAwait(false);
            MemoryMarshal.Cast<byte, uint>(bytes.Span).CopyTo(_table.AsSpan((int)(at / sizeof(uint))));
        }

        if (BitConverter.IsLittleEndian)
        {
            BinaryPrimitives.ReverseEndianness(_table, _table);
        }

        for (var block = 0; block < _table.Length; block++)
        {
            if (FindBlock(block) is not { } hostOffset)
            {
                continue;
            }

            Refuse(CheckNames.Tables, VhdSafetyChecks.FindMisplacedBlock(Footer, Dynamic, block, hostOffset));
            if (hostOffset + BlockLength > _footerOffset)
            {
                throw new TruncatedImageException(
                    $"The VHD block allocation table's entry {block} points at byte {hostOffset}, but the block of "
                    + $"{BlockLength} bytes ends beyond the file's data, which ends at byte {_footerOffset}.");
            }
        }

        var used = Array.FindAll(_table, entry => entry != VhdSafetyChecks.UnusedEntry);
        Array.Sort(used);
        for (var index = 1; index < used.Length; index++)
        {
            if ((used[index] - used[index - 1]) * (long)SectorSize < BlockLength)
            {
                throw new ImageFormatException(
                    CheckNames.Tables,
                    $"The VHD block allocation table has two blocks that overlap, at bytes "
                    + $"{used[index - 1] * (long)SectorSize} and {used[index] * (long)SectorSize}: a change of one would "
                    + "damage the other.");
            }
        }
    }

    // What was interrupted between its two footers, or had lost the one at the end, has one there that agrees again.
    private async ValueTask MendEndAsync(ReadOnlyMemory<byte> end, CancellationToken cancellationToken)
    {
        if (end.Span.SequenceEqual(_footerBytes))
        {
            return;
        }

        if (end.Length > 0 && VhdFooter.Parse(end.Span).UniqueId is var id && id != Footer.UniqueId
            && VhdSafetyChecks.FindWrongChecksum("", end.Span, VhdFooter.ChecksumOffset) is null)
        {
            throw new ImageFormatException(
                CheckNames.Checksum,
                $"The VHD footer's unique id is {Footer.UniqueId} at byte 0, but {id} at byte {_footerOffset}: they are "
                + "not of one disk.");
        }

        _footerOffset = ToSectors(_footerOffset);
        await Sink.WriteAsync(_footerOffset, _footerBytes, cancellationToken).ConfigureAwait(false);
        await Sink.FlushAsync(cancellationToken).ConfigureAwait(false);
    }

    private ValueTask ReadAsync(
        long hostOffset, Memory<byte> buffer, string what, CancellationToken cancellationToken) =>
        VhdReader.ReadWholeAsync(_source, hostOffset, buffer, what, cancellationToken);
}
