using System.Buffers.Binary;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qcow;

/// <summary>QEMU copy-on-write images, version 1: described, and refused.</summary>
internal sealed class QcowFormat : IImageFormat
{
    // The L1 table of 8 GiB with qemu's usual clusters of 4 KiB.
    private const int MaximumTableRead = 32 * 1024;

    public ImageFormat Format => ImageFormat.Qcow;

    public ReadOnlySpan<byte> FirstBytes => "Q"u8;

    public IReadOnlyList<SafetyCheck> Checks => QcowSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader.ReadAsync(0, 8, cancellationToken).ConfigureAwait(false);
        return bytes.Length == 8
            && BinaryPrimitives.ReadUInt32BigEndian(bytes.Span) == QcowHeader.Magic
            && BinaryPrimitives.ReadUInt32BigEndian(bytes.Span[4..]) == QcowHeader.Version;
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        context.Fail(CheckNames.UnknownFeatures, QcowSafetyChecks.Refusal);
        context.Image.FormatVersion = QcowHeader.Version.ToString();
        var bytes = await context.ReadWholeAsync(0, QcowHeader.Length, "qcow header", cancellationToken)
            .ConfigureAwait(false);
        var header = QcowHeader.Parse(bytes.Span);
        Describe(context.Image, header);
        if (QcowSafetyChecks.FindImpossible(header) is { } impossible)
        {
            // Whether there is such a file is known all the same, and must not go unasked.
            JudgeBackingFile(context, header);
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        var length = (int)Math.Min(QcowSafetyChecks.CountL1Entries(header) * 8, MaximumTableRead);
        ReadOnlyMemory<byte> l1 = default;
        if (header.L1TableOffset < header.BackingFileOffset)
        {
            l1 = await context.Reader.ReadAsync((long)header.L1TableOffset, length, cancellationToken)
                .ConfigureAwait(false);
        }

        if (header.BackingFileOffset != 0)
        {
            var name = await context.Reader
                .ReadAsync((long)header.BackingFileOffset, (int)header.BackingFileSize, cancellationToken)
                .ConfigureAwait(false);
            context.Image.BackingFile = Encoding.UTF8.GetString(name.Span);
        }

        JudgeBackingFile(context, header);
        if (header.L1TableOffset >= header.BackingFileOffset)
        {
            l1 = await context.Reader.ReadAsync((long)header.L1TableOffset, length, cancellationToken)
                .ConfigureAwait(false);
        }

        var furthest = FindFurthestL2(l1.Span);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        JudgeEnds(context, header, furthest, fileLength);
    }

    private static void Describe(ImageInspection image, QcowHeader header)
    {
        // qemu counts whole sectors.
        image.VirtualSize = header.Size <= long.MaxValue ? (long)header.Size & ~511L : null;
        image.ClusterSize = QcowSafetyChecks.IsClusterPossible(header) ? 1L << header.ClusterBits : null;
        image.IsEncrypted = header.CryptMethod != 0;
        image.CompressionType = "zlib";
        image.Details = new QcowDetails(header.CryptMethod switch
        {
            0 => null,
            1 => "aes",
            var method => $"unknown ({method})",
        });
    }

    private static void JudgeBackingFile(InspectionContext context, QcowHeader header) => context.JudgeReferences(
        CheckNames.BackingFile, "the backing file",
        header.BackingFileOffset == 0 ? [] : [context.Image.BackingFile ?? ""], context.Policy.BackingFileGate);

    private static ulong FindFurthestL2(ReadOnlySpan<byte> l1)
    {
        ulong furthest = 0;
        for (var at = 0; at + 8 <= l1.Length; at += 8)
        {
            furthest = Math.Max(furthest, BinaryPrimitives.ReadUInt64BigEndian(l1[at..]));
        }

        return furthest;
    }

    private static void JudgeEnds(InspectionContext context, QcowHeader header, ulong furthest, long fileLength)
    {
        var entries = QcowSafetyChecks.CountL1Entries(header);
        context.Judge(
            CheckNames.Tables,
            header.L1TableOffset + entries * 8 <= (ulong)fileLength
                ? null
                : $"The qcow L1 table has {entries} entries at byte {header.L1TableOffset}, "
                    + $"beyond the file's {fileLength} bytes.");
        var nameEnd = header.BackingFileOffset == 0 ? 0 : header.BackingFileOffset + header.BackingFileSize;
        context.Judge(
            CheckNames.Truncated,
            furthest < (ulong)fileLength && nameEnd <= (ulong)fileLength
                ? null
                : $"The qcow L2 tables and backing file name reach to byte {Math.Max(furthest, nameEnd)}, "
                    + $"but the file has only {fileLength} bytes: it is cut short.");
    }
}
