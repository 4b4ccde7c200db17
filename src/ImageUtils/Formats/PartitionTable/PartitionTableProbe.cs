using ImageUtils.IO;

namespace ImageUtils.Formats.PartitionTable;

/// <summary>
/// The one decision that the two formats share, so that a disk is of one of them or of none: GPT where a record of the
/// boot sector protects one or its header is there, MBR otherwise.
/// </summary>
/// <remarks>
/// Without the boot sector's signature a disk has no partitions to firmware, Linux and Windows alike, whatever an old
/// GPT header says. A file system's boot sector is not a partition table, unless it holds partitions all the same.
/// </remarks>
internal static class PartitionTableProbe
{
    internal enum Scheme
    {
        None,
        Mbr,
        Gpt,
    }

    internal static async ValueTask<Scheme> FindSchemeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var sector = await reader.ReadAsync(0, MasterBootRecord.Length, cancellationToken).ConfigureAwait(false);
        if (!MasterBootRecord.HasSignature(sector.Span))
        {
            return Scheme.None;
        }

        var record = MasterBootRecord.Parse(sector.Span);
        if (VolumeBootSector.IsFileSystem(sector.Span) && !record.HasRealPartitions)
        {
            return Scheme.None;
        }

        return record.IsProtective
            || await FindGptSectorSizeAsync(reader, cancellationToken).ConfigureAwait(false) is not null
                ? Scheme.Gpt
                : Scheme.Mbr;
    }

    /// <summary>The sector size at which a GPT header lies in the second sector.</summary>
    internal static async ValueTask<int?> FindGptSectorSizeAsync(
        ForwardReader reader, CancellationToken cancellationToken)
    {
        foreach (var sectorSize in (int[])[512, 4096])
        {
            var bytes = await reader.ReadAsync(sectorSize, 8, cancellationToken).ConfigureAwait(false);
            if (bytes.Span.SequenceEqual(GptHeader.Signature))
            {
                return sectorSize;
            }
        }

        return null;
    }
}
