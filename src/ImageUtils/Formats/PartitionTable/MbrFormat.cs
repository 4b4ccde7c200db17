using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>Raw disks with a master boot record.</summary>
internal sealed class MbrFormat : IImageFormat
{
    public ImageFormat Format => ImageFormat.Mbr;

    public IReadOnlyList<SafetyCheck> Checks => PartitionTableSafetyChecks.DeclaredForMbr;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken) =>
        await PartitionTableProbe.FindSchemeAsync(reader, cancellationToken).ConfigureAwait(false)
            == PartitionTableProbe.Scheme.Mbr;

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var sector = await context
            .ReadWholeAsync(0, MasterBootRecord.Length, "MBR", cancellationToken).ConfigureAwait(false);
        var record = MasterBootRecord.Parse(sector.Span);
        var problem = PartitionTableSafetyChecks.FindBadRecord(record);
        context.Judge(CheckNames.Mbr, problem);
        context.Image.Details = new PartitionTableDetails
        {
            SectorSize = 512,
            DiskId = record.DiskSignature.ToString("x8"),
            Partitions =
            [
                .. record.Partitions.Index().Where(item => item.Item.OsType != 0)
                    .Select(item => new DiskPartition(
                        item.Index + 1,
                        item.Item.OsType.ToString("x2"),
                        Name: null,
                        item.Item.StartLba * 512L,
                        item.Item.SizeInLba * 512L,
                        item.Item.BootFlag == MbrPartitionRecord.Bootable)),
            ],
        };
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        context.Image.VirtualSize = fileLength;
        if (problem is null)
        {
            context.Judge(CheckNames.Truncated, PartitionTableSafetyChecks.FindBeyondEnd(record, fileLength));
        }
        else
        {
            context.Abandon([CheckNames.Truncated], "The partition records are not sound.");
        }
    }
}
