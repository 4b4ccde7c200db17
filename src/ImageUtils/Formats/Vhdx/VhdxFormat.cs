using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhdx;

/// <summary>Virtual Hard Disks version 2: fixed, dynamic and differencing.</summary>
internal sealed class VhdxFormat : IReadableFormat, IWritableFormat
{
    // What is read of the block allocation table: 4096 entries, of 4 GiB with the smallest blocks.
    private const int MaximumTableRead = 32 * 1024;

    public ImageFormat Format => ImageFormat.Vhdx;

    public ReadOnlySpan<byte> FirstBytes => "v"u8;

    public IReadOnlyList<SafetyCheck> Checks => VhdxSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader
            .ReadAsync(0, VhdxFileIdentifier.Signature.Length, cancellationToken).ConfigureAwait(false);
        return bytes.Span.SequenceEqual(VhdxFileIdentifier.Signature);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var head = await context.Reader
            .ReadAsync(0, VhdxFileIdentifier.Length, cancellationToken).ConfigureAwait(false);
        var details = new VhdxDetails { Creator = VhdxFileIdentifier.Parse(head.Span).Creator };
        context.Image.Details = details;

        var header = await ReadHeaderAsync(context, cancellationToken).ConfigureAwait(false);
        context.Image.FormatVersion = header.Version.ToString();
        context.Image.Details = details with
        {
            SequenceNumber = header.SequenceNumber,
            FileWriteGuid = header.FileWriteGuid,
            DataWriteGuid = header.DataWriteGuid,
            LogGuid = header.LogGuid,
            LogLength = header.LogLength,
        };
        JudgeLog(context, header);
        FailEarly(context, CheckNames.UnknownFeatures, VhdxSafetyChecks.FindUnknownVersion(header));

        var regions = await ReadRegionsAsync(context, cancellationToken).ConfigureAwait(false);
        FailEarly(context, CheckNames.UnknownFeatures, VhdxSafetyChecks.FindUnknownRegion(regions));
        if (VhdxSafetyChecks.FindImpossibleRegions(header, regions) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        await InspectRegionsAsync(context, header, regions, cancellationToken).ConfigureAwait(false);
    }

    public ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken) =>
        VhdxReader.OpenAsync(source, context, cancellationToken);

    public ImageWriter CreateWriter(WriterOptions options) => VhdxWriterOptions.CreateWriter(options);

    private static async ValueTask<VhdxHeader> ReadHeaderAsync(
        InspectionContext context, CancellationToken cancellationToken)
    {
        var first = await context
            .ReadWholeAsync(VhdxHeader.FirstOffset, VhdxHeader.Length, "first VHDX header", cancellationToken)
            .ConfigureAwait(false);
        var second = await context
            .ReadWholeAsync(VhdxHeader.SecondOffset, VhdxHeader.Length, "second VHDX header", cancellationToken)
            .ConfigureAwait(false);
        return VhdxHeader.FindCurrent(first.Span, second.Span);
    }

    private static void JudgeLog(InspectionContext context, VhdxHeader header)
    {
        context.Image.IsLogPending = header.LogGuid != Guid.Empty;
        context.Judge(
            CheckNames.LogPending,
            context.Image.IsLogPending
                ? $"The VHDX has a log ({header.LogGuid}) that must be replayed before its content can be trusted: "
                    + "it was not closed properly. Open it once with Hyper-V, or repair it with 'qemu-img "
                    + "check -r all'."
                : null);
    }

    private static async ValueTask<VhdxRegion[]> ReadRegionsAsync(
        InspectionContext context, CancellationToken cancellationToken)
    {
        var bytes = await context
            .ReadWholeAsync(
                VhdxRegionTable.FirstOffset, VhdxRegionTable.Length, "first VHDX region table", cancellationToken)
            .ConfigureAwait(false);
        if (VhdxRegionTable.IsValid(bytes.Span))
        {
            context.Pass(CheckNames.Checksum);
        }
        else
        {
            bytes = await context
                .ReadWholeAsync(
                    VhdxRegionTable.SecondOffset, VhdxRegionTable.Length, "second VHDX region table", cancellationToken)
                .ConfigureAwait(false);
            var isSecondValid = VhdxRegionTable.IsValid(bytes.Span);
            context.Fail(
                CheckNames.Checksum,
                $"The VHDX region table at byte {VhdxRegionTable.FirstOffset} has no signature or a wrong checksum; "
                + $"its copy at byte {VhdxRegionTable.SecondOffset} "
                + $"{(isSecondValid ? "is intact" : "has not either")}.");
            if (!isSecondValid)
            {
                throw new ImageFormatException(CheckNames.Tables, "The VHDX has no region table that can be believed.");
            }
        }

        var count = VhdxRegionTable.ReadEntryCount(bytes.Span);
        return count <= VhdxRegionTable.MaximumEntries
            ? VhdxRegionTable.Parse(bytes.Span)
            : throw new ImageFormatException(
                CheckNames.Tables,
                $"The VHDX region table's entry count is {count}; at most {VhdxRegionTable.MaximumEntries} is "
                + "possible.");
    }

    private static async ValueTask InspectRegionsAsync(
        InspectionContext context, VhdxHeader header, VhdxRegion[] regions, CancellationToken cancellationToken)
    {
        var bat = Array.Find(regions, region => region.Id == VhdxIds.BatRegion);
        var metadataRegion = Array.Find(regions, region => region.Id == VhdxIds.MetadataRegion);

        ValueTask<ReadOnlyMemory<byte>> ReadBatAsync() => context.Reader.ReadAsync(
            (long)bat.FileOffset, (int)Math.Min(bat.Length, MaximumTableRead), cancellationToken);

        // What its entries mean is in the metadata, but it may lie before them.
        var isBatFirst = bat.FileOffset < metadataRegion.FileOffset;
        var table = isBatFirst ? await ReadBatAsync().ConfigureAwait(false) : default;
        var entries = await VhdxMetadata.ReadTableAsync(context.ReadWholeAsync, metadataRegion, cancellationToken)
            .ConfigureAwait(false);
        if (!context.HasVerdict(CheckNames.UnknownFeatures))
        {
            context.Judge(CheckNames.UnknownFeatures, VhdxSafetyChecks.FindUnknownItem(entries));
        }

        var metadata = await VhdxMetadata
            .ReadItemsAsync(context.ReadWholeAsync, metadataRegion, entries, cancellationToken).ConfigureAwait(false);
        Describe(context.Image, metadata);
        JudgeParent(context, metadata);
        if (VhdxSafetyChecks.FindImpossibleMetadata(metadata, bat) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        table = isBatFirst ? table : await ReadBatAsync().ConfigureAwait(false);
        var misplaced = VhdxSafetyChecks.FindMisplacedBlock(
            metadata, header, regions, table.Span, out var furthestEnd);
        FailEarly(context, CheckNames.Tables, misplaced);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        if (!context.HasVerdict(CheckNames.Tables))
        {
            context.Judge(CheckNames.Tables, VhdxSafetyChecks.FindBeyondEnd(header, regions, fileLength));
        }

        context.Judge(
            CheckNames.Truncated,
            furthestEnd <= (ulong)fileLength
                ? null
                : $"The VHDX block allocation table has a block that ends at byte {furthestEnd}, but the file has only "
                    + $"{fileLength} bytes: it is cut short.");
    }

    private static void Describe(ImageInspection image, VhdxMetadata metadata)
    {
        var parameters = metadata.FileParameters;
        image.VirtualSize = metadata.VirtualDiskSize <= long.MaxValue ? (long?)metadata.VirtualDiskSize : null;
        image.ClusterSize = parameters?.BlockSize;
        image.Subformat = parameters switch
        {
            null => null,
            { HasParent: true } => "differencing",
            { LeaveBlockAllocated: true } => "fixed",
            _ => "dynamic",
        };
        image.Details = (VhdxDetails)image.Details! with
        {
            BlockSize = parameters?.BlockSize,
            LeaveBlockAllocated = parameters?.LeaveBlockAllocated,
            HasParent = parameters?.HasParent,
            LogicalSectorSize = (int?)metadata.LogicalSectorSize,
            PhysicalSectorSize = (int?)metadata.PhysicalSectorSize,
            VirtualDiskId = metadata.VirtualDiskId,
            ParentLocator = metadata.Locator?.Entries ?? [],
        };
    }

    private static void JudgeParent(InspectionContext context, VhdxMetadata metadata)
    {
        // A locator without the flag that announces it is one that some reader may follow all the same.
        if (metadata.FileParameters is { HasParent: false } && !metadata.HasLocator)
        {
            context.Pass(CheckNames.Parent);
            return;
        }

        if (metadata.FileParameters is null)
        {
            context.Fail(
                CheckNames.Parent, "Whether the VHDX has a parent is not known: its file parameters are missing.");
            return;
        }

        var references = VhdParentReference.Of(metadata.Locator?.Entries ?? []);
        context.Image.BackingFile = references.Count == 0 ? null : references[0].Name;
        if (references.Count == 0)
        {
            context.Fail(
                CheckNames.Parent,
                "The VHDX depends on a parent, but its parent locator names it in no way that can be read.");
            return;
        }

        VhdParentReference.Judge(context, references);
    }

    private static void FailEarly(InspectionContext context, string check, string? problem)
    {
        if (problem is not null && !context.HasVerdict(check))
        {
            context.Fail(check, problem);
        }
    }
}
