using System.Text;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Qed;

/// <summary>QEMU enhanced disks: described, and refused.</summary>
internal sealed class QedFormat : IImageFormat
{
    private static readonly string[] s_featureNames = ["backing file", "need check", "backing format no probe"];

    public ImageFormat Format => ImageFormat.Qed;

    public ReadOnlySpan<byte> FirstBytes => "Q"u8;

    public IReadOnlyList<SafetyCheck> Checks => QedSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        // Where the file ends before the magic's NUL, qemu sees one there.
        var bytes = await reader.ReadAsync(0, 4, cancellationToken).ConfigureAwait(false);
        return bytes.Span.SequenceEqual("QED\0"u8) || bytes.Span.SequenceEqual("QED"u8);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        context.Fail(CheckNames.Banned, QedSafetyChecks.Refusal);
        var bytes = await context.ReadWholeAsync(0, QedHeader.Length, "QED header", cancellationToken)
            .ConfigureAwait(false);
        var header = QedHeader.Parse(bytes.Span);
        Describe(context.Image, header);
        var impossible = QedSafetyChecks.FindImpossible(header);
        var hasBacking = header.Features.HasFlag(QedFeatures.BackingFile);
        if (hasBacking && impossible is null)
        {
            var name = await context.Reader
                .ReadAsync(header.BackingFileNameOffset, (int)header.BackingFileNameSize, cancellationToken)
                .ConfigureAwait(false);
            context.Image.BackingFile = Encoding.UTF8.GetString(name.Span);
            context.Image.BackingFormat = header.Features.HasFlag(QedFeatures.BackingFormatNoProbe) ? "raw" : null;
        }

        context.JudgeReferences(
            CheckNames.BackingFile, "the backing file",
            hasBacking ? [context.Image.BackingFile ?? ""] : [], context.Policy.BackingFileGate);
        if (impossible is not null)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var tableEnd = (long)header.L1TableOffset + (long)header.TableClusters * header.ClusterSize;
        context.Judge(
            CheckNames.Tables,
            tableEnd <= fileLength
                ? null
                : $"The QED L1 table at byte {header.L1TableOffset} ends at byte {tableEnd}, "
                    + $"beyond the file's {fileLength} bytes.");
        context.Pass(CheckNames.Truncated);
    }

    private static void Describe(ImageInspection image, QedHeader header)
    {
        image.VirtualSize = header.ImageSize <= long.MaxValue ? (long)header.ImageSize : null;
        image.ClusterSize = header.ClusterSize;
        image.IsDirty = header.Features.HasFlag(QedFeatures.NeedCheck);
        image.Features = NamesOf((ulong)header.Features);
        image.Details = new QedDetails(
            (long)header.TableClusters * header.ClusterSize, (long)header.HeaderClusters * header.ClusterSize);
    }

    private static List<string> NamesOf(ulong features)
    {
        var names = new List<string>();
        for (var bit = 0; bit < 64; bit++)
        {
            if ((features >> bit & 1) != 0)
            {
                names.Add(bit < s_featureNames.Length ? s_featureNames[bit] : $"feature bit {bit}");
            }
        }

        return names;
    }
}
