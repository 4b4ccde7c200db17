using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>Raw disks with a GUID partition table.</summary>
internal sealed class GptFormat : IImageFormat
{
    // Enough for 512 entries of the usual size; tables of more than 128 are rare.
    private const int MaximumEntriesRead = 64 * 1024;

    public ImageFormat Format => ImageFormat.Gpt;

    public IReadOnlyList<SafetyCheck> Checks => PartitionTableSafetyChecks.DeclaredForGpt;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken) =>
        await PartitionTableProbe.FindSchemeAsync(reader, cancellationToken).ConfigureAwait(false)
            == PartitionTableProbe.Scheme.Gpt;

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var bootSector = await context
            .ReadWholeAsync(0, MasterBootRecord.Length, "MBR", cancellationToken).ConfigureAwait(false);
        context.Judge(
            CheckNames.Mbr, PartitionTableSafetyChecks.FindBadRecord(MasterBootRecord.Parse(bootSector.Span)));
        try
        {
            var sectorSize = await PartitionTableProbe.FindGptSectorSizeAsync(context.Reader, cancellationToken)
                .ConfigureAwait(false);
            await InspectTableAsync(context, sectorSize ?? 512, cancellationToken).ConfigureAwait(false);
        }
        catch (ImageFormatException exception)
        {
            context.FailMalformed(Checks, exception);
        }

        // To qemu the disk is raw, whatever the table says.
        context.Image.VirtualSize = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
    }

    private static async ValueTask InspectTableAsync(
        InspectionContext context, int sectorSize, CancellationToken cancellationToken)
    {
        var sector = await context.ReadWholeAsync(sectorSize, sectorSize, "GPT header", cancellationToken)
            .ConfigureAwait(false);
        var header = GptHeader.Parse(sector.Span);
        if (!header.HasSignature)
        {
            throw new ImageFormatException(
                CheckNames.Tables,
                "The MBR protects a GPT, but there is no \"EFI PART\" at byte 512 or 4096.");
        }

        Describe(context.Image, header, sectorSize, []);
        if (PartitionTableSafetyChecks.FindImpossible(header, sectorSize) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        var arrayLength = (int)(header.EntryCount * header.EntrySize);
        var isWhole = arrayLength <= MaximumEntriesRead;
        var array = await context
            .ReadWholeAsync(
                (long)header.EntriesLba * sectorSize, isWhole ? arrayLength : MaximumEntriesRead,
                "GPT's partition entries", cancellationToken)
            .ConfigureAwait(false);
        var entries = GptPartitionEntry.ParseUsed(array.Span, (int)header.EntrySize);
        Describe(context.Image, header, sectorSize, entries);
        if (PartitionTableSafetyChecks.FindMisplaced(header, entries) is { } misplaced)
        {
            throw new ImageFormatException(CheckNames.Tables, misplaced);
        }

        uint? entriesChecksum = isWhole ? Crc32.Compute(array.Span) : null;
        await JudgeChecksumsAsync(context, header, sectorSize, entriesChecksum, cancellationToken)
            .ConfigureAwait(false);
        context.Pass(CheckNames.Tables);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        context.Judge(CheckNames.Truncated, PartitionTableSafetyChecks.FindCut(header, sectorSize, fileLength));
    }

    private static async ValueTask JudgeChecksumsAsync(
        InspectionContext context,
        GptHeader header,
        int sectorSize,
        uint? entriesChecksum,
        CancellationToken cancellationToken)
    {
        if (PartitionTableSafetyChecks.FindBadChecksum(header, entriesChecksum) is { } problem)
        {
            context.Fail(CheckNames.Checksum, problem);
            return;
        }

        var backup = await context.Reader
            .ReadAsync((long)header.AlternateLba * sectorSize, sectorSize, cancellationToken).ConfigureAwait(false);
        if (backup.Length < sectorSize)
        {
            context.Skip(CheckNames.Checksum, "The backup header lies beyond the end of the file.");
        }
        else if (PartitionTableSafetyChecks.FindBadBackup(header, GptHeader.Parse(backup.Span)) is { } difference)
        {
            context.Fail(CheckNames.Checksum, difference);
        }
        else
        {
            context.Pass(
                CheckNames.Checksum,
                entriesChecksum is null ? "The entries are longer than what is read of them; their CRC was not "
                    + "verified." : "");
        }
    }

    private static void Describe(
        ImageInspection image, GptHeader header, int sectorSize, IReadOnlyList<GptPartitionEntry> entries)
    {
        image.FormatVersion = $"{header.Revision >> 16}.{header.Revision & 0xFFFF}";
        image.Details = new PartitionTableDetails
        {
            SectorSize = sectorSize,
            DiskId = header.DiskGuid.ToString(),
            Partitions =
            [
                .. entries.Where(entry => entry.StartLba <= entry.EndLba && entry.EndLba <= header.LastUsableLba)
                    .Select(entry => new DiskPartition(
                        entry.Number,
                        entry.Type.ToString(),
                        entry.Name,
                        (long)entry.StartLba * sectorSize,
                        (long)(entry.EndLba - entry.StartLba + 1) * sectorSize,
                        IsActive: false)),
            ],
        };
    }
}
