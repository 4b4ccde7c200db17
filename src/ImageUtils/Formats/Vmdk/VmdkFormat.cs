using System.Buffers.Binary;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vmdk;

/// <summary>VMware virtual disks: sparse extents with an embedded descriptor, and descriptor files.</summary>
internal sealed class VmdkFormat : IReadableFormat, IWritableFormat
{
    private const int SectorLength = VmdkSparseHeader.SectorLength;

    private static readonly string[] s_selfContainedTypes = ["monolithicSparse", "streamOptimized"];

    public ImageFormat Format => ImageFormat.Vmdk;

    public IReadOnlyList<SafetyCheck> Checks => VmdkSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader.ReadAsync(0, 4, cancellationToken).ConfigureAwait(false);

        // A descriptor may begin with blanks and comments, and in comments qemu minds no byte whatever.
        if (bytes.Length < 4 || (bytes.Span[0] is not ((byte)'#' or (byte)' ') && !VmdkText.IsPrintable(bytes.Span)))
        {
            return false;
        }

        if (BinaryPrimitives.ReadUInt32BigEndian(bytes.Span) is VmdkSparseHeader.Magic or VmdkCowdHeader.Magic)
        {
            return true;
        }

        bytes = await reader.ReadAsync(0, SectorLength, cancellationToken).ConfigureAwait(false);
        if (VmdkText.IsDescriptorToQemu(bytes.Span))
        {
            return true;
        }

        if (!VmdkText.IsPrintable(bytes.Span))
        {
            return false;
        }

        // Whatever is text may still be a descriptor that begins in another way.
        var text = await VmdkText.ReadAsync(reader, 0, VmdkText.MaximumLength, cancellationToken).ConfigureAwait(false);
        return text.ToString().Contains("createType=\"", StringComparison.OrdinalIgnoreCase);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var bytes = await context.Reader.ReadAsync(0, SectorLength, cancellationToken).ConfigureAwait(false);
        switch (BinaryPrimitives.ReadUInt32BigEndian(bytes.Span))
        {
            case VmdkSparseHeader.Magic:
                await InspectSparseAsync(
                    context, Whole(bytes, VmdkSparseHeader.MeaningfulLength), cancellationToken).ConfigureAwait(false);
                break;
            case VmdkCowdHeader.Magic:
                await InspectCowdAsync(
                    context, Whole(bytes, VmdkCowdHeader.MeaningfulLength), cancellationToken).ConfigureAwait(false);
                break;
            default:
                await InspectTextAsync(context, cancellationToken).ConfigureAwait(false);
                break;
        }
    }

    public ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken) =>
        VmdkReader.OpenAsync(source, context, cancellationToken);

    public ImageWriter CreateWriter(WriterOptions options) => VmdkNewDisk.CreateWriter(options);

    // The one extent of a sparse file is that file itself: readers do not look at its name.
    internal static bool IsSelf(VmdkSparseHeader header, VmdkDescriptor descriptor) =>
        header.CapacitySectors != 0
        && s_selfContainedTypes.Contains(descriptor.CreateType, StringComparer.OrdinalIgnoreCase)
        && descriptor.Extents is [{ FileName: { } name } extent]
        && extent.IsOfType("SPARSE")
        && name.AsSpan().IndexOfAny("/\\:") < 0;

    internal static ReadOnlyMemory<byte> Whole(ReadOnlyMemory<byte> bytes, int length) => bytes.Length >= length
        ? bytes
        : throw new TruncatedImageException(
            $"The VMDK header has {length} bytes at least, but the file has only {bytes.Length}: it is cut short.");

    private static async ValueTask InspectTextAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var text = await VmdkText.ReadAsync(context.Reader, 0, VmdkText.MaximumLength, cancellationToken)
            .ConfigureAwait(false);
        var descriptor = VmdkDescriptor.Parse(text.ToString());
        Describe(context.Image, descriptor, null);
        context.Image.FormatVersion = descriptor.Version?.ToString();
        context.Image.VirtualSize = descriptor.TotalSectors * SectorLength;
        context.Judge(CheckNames.Version, VmdkSafetyChecks.FindVersion(descriptor.Version, "descriptor"));
        JudgeDescriptor(context, descriptor, VmdkSafetyChecks.FindDescriptorProblem(text, descriptor, context.Policy));
        JudgeExtents(context, descriptor.Extents);
        JudgeParent(context, descriptor);
        context.Skip(CheckNames.Footer, "A descriptor file has no footer.");
        context.Judge(CheckNames.Tables, FindOversized(descriptor));
        context.Pass(CheckNames.Truncated);
    }

    private static async ValueTask InspectSparseAsync(
        InspectionContext context, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var header = VmdkSparseHeader.Parse(bytes.Span);
        var text = await VmdkText.ReadEmbeddedAsync(context.Reader, header, cancellationToken).ConfigureAwait(false);
        var descriptor = VmdkDescriptor.Parse(text.ToString());
        var image = context.Image;
        Describe(image, header);
        Describe(image, descriptor, header);
        context.Judge(
            CheckNames.Version,
            VmdkSafetyChecks.FindVersion(header.Version, "header")
                ?? VmdkSafetyChecks.FindVersion(descriptor.Version, "descriptor"));
        JudgeDescriptor(
            context, descriptor,
            VmdkSafetyChecks.FindMisplacedDescriptor(header, text)
                ?? VmdkSafetyChecks.FindDescriptorProblem(text, descriptor, context.Policy));
        JudgeExtents(context, header, descriptor);
        JudgeParent(context, descriptor);

        if (header.CapacitySectors == 0 && header.DescriptorSector != 0)
        {
            // A descriptor with a header before it: readers take it for a descriptor file.
            image.VirtualSize = descriptor.TotalSectors * SectorLength;
            context.Skip(CheckNames.Footer, "The image has no data of its own, and so no footer.");
            context.Judge(CheckNames.Tables, FindOversized(descriptor));
            context.Pass(CheckNames.Truncated);
            return;
        }

        if (VmdkSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        if (header.GrainDirectorySector == VmdkSparseHeader.AtEnd)
        {
            await InspectFooterAsync(context, header, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            context.Skip(CheckNames.Footer, "The header itself says where the grain directory is.");
            await JudgeTablesAsync(context, header, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async ValueTask InspectFooterAsync(
        InspectionContext context, VmdkSparseHeader header, CancellationToken cancellationToken)
    {
        var tail = await context.Reader.ReadTailAsync(VmdkSafetyChecks.FooterLength, cancellationToken)
            .ConfigureAwait(false);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var problem = VmdkSafetyChecks.FindFooterProblem(header, tail.Span, fileLength);
        context.Judge(CheckNames.Footer, problem);
        if (problem is not null)
        {
            context.Abandon([CheckNames.Tables], "Without a footer, where the tables are is not known.");
            context.Judge(CheckNames.Truncated, VmdkSafetyChecks.FindMissing(header, 0, fileLength));
            return;
        }

        // The directory lies just before the footer, behind its tables and grains: only its place can be judged.
        var footer = VmdkSparseHeader.Parse(tail.Span[SectorLength..]);
        context.Judge(
            CheckNames.Tables,
            VmdkSafetyChecks.FindImpossible(footer)
                ?? VmdkSafetyChecks.FindBeyondEnd(footer, fileLength - VmdkSafetyChecks.FooterLength));
        context.Judge(CheckNames.Truncated, VmdkSafetyChecks.FindMissing(footer, 0, fileLength));
    }

    private static async ValueTask JudgeTablesAsync(
        InspectionContext context, VmdkSparseHeader header, CancellationToken cancellationToken)
    {
        var directory = VmdkGrainDirectory.Of(header);
        var (misplaced, furthestEnd) = await directory.ScanAsync(context.Reader, cancellationToken)
            .ConfigureAwait(false);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        context.Judge(CheckNames.Tables, misplaced ?? VmdkSafetyChecks.FindBeyondEnd(header, fileLength));
        context.Judge(CheckNames.Truncated, VmdkSafetyChecks.FindMissing(header, furthestEnd, fileLength));
    }

    private static async ValueTask InspectCowdAsync(
        InspectionContext context, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        var header = VmdkCowdHeader.Parse(bytes.Span);
        var text = await VmdkText
            .ReadAsync(context.Reader, SectorLength, VmdkText.QemuEmbeddedLength, cancellationToken)
            .ConfigureAwait(false);
        var image = context.Image;
        image.FormatVersion = header.Version.ToString();
        image.Subformat = "vmfsSparse";
        image.VirtualSize = (long)header.CapacitySectors * SectorLength;
        image.ClusterSize = header.GrainSectors == 0 ? null : (long)header.GrainSectors * SectorLength;
        image.Details = new VmdkDetails();
        context.Judge(CheckNames.Version, VmdkSafetyChecks.FindVersion(header.Version, "COWD header"));
        context.Fail(
            CheckNames.Descriptor,
            "The VMDK is a COWD extent (vmfsSparse): it has no descriptor, which is in another file.");
        context.Pass(CheckNames.Extents);

        // qemu asks even here, in whatever text follows the header.
        JudgeParent(context, VmdkDescriptor.Parse(text.ToString()));
        if (VmdkSafetyChecks.FindImpossible(header) is { } impossible)
        {
            throw new ImageFormatException(CheckNames.Tables, impossible);
        }

        context.Skip(CheckNames.Footer, "A COWD extent has no footer.");
        var directory = VmdkGrainDirectory.Of(header);
        var (misplaced, furthestEnd) = await directory.ScanAsync(context.Reader, cancellationToken)
            .ConfigureAwait(false);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        context.Judge(
            CheckNames.Tables,
            misplaced ?? (directory.End <= fileLength
                ? null
                : $"The VMDK grain directory has {header.GrainDirectoryEntries} entries at byte {directory.Offset}, "
                    + $"beyond the file's {fileLength} bytes."));
        context.Judge(CheckNames.Truncated, VmdkSafetyChecks.FindMissing(furthestEnd, fileLength));
    }

    private static void Describe(ImageInspection image, VmdkSparseHeader header)
    {
        image.FormatVersion = header.Version.ToString();
        image.VirtualSize = header.CapacitySectors <= long.MaxValue / SectorLength
            ? (long)header.CapacitySectors * SectorLength
            : null;
        image.ClusterSize = header.GrainSectors is > 0 and <= VmdkSafetyChecks.MaximumGrainSectors
            ? (long)header.GrainSectors * SectorLength
            : null;
        image.IsDirty = header.IsUncleanShutdown;
        image.CompressionType = header.CompressAlgorithm switch
        {
            0 => null,
            1 => "deflate",
            var algorithm => $"unknown ({algorithm})",
        };
        image.Features = VmdkFlagNames.Of(header.Flags);
    }

    private static void Describe(ImageInspection image, VmdkDescriptor descriptor, VmdkSparseHeader? header)
    {
        image.Subformat = descriptor.CreateType;
        image.BackingFile = descriptor.ParentFileNameHints is [var parent, ..] ? parent : null;
        image.BackingFormat = image.BackingFile is null ? null : "vmdk";
        var isSelf = header is not null && IsSelf(header, descriptor);
        image.Details = new VmdkDetails
        {
            CreateType = descriptor.CreateType,
            ContentId = descriptor.ContentId,
            ParentContentId = descriptor.ParentContentId,
            IsEmbedded = header is not null,
            HardwareVersion = descriptor.FindInDatabase("ddb.virtualHWVersion"),
            AdapterType = descriptor.FindInDatabase("ddb.adapterType"),
            ToolsVersion = descriptor.FindInDatabase("ddb.toolsVersion"),
            Extents =
            [
                .. descriptor.Extents.Select(extent => new VmdkExtent(
                    extent.Access, extent.Type, extent.FileName, ToBytes(extent.Sectors),
                    extent.OffsetSectors is { } offset ? ToBytes(offset) : null,
                    isSelf ? image.ClusterSize : null, isSelf && header!.IsCompressed)),
            ],
        };
        image.ExtentFiles = isSelf ? [] : NamesOf(descriptor.Extents);
    }

    private static long? ToBytes(long sectors) =>
        sectors <= long.MaxValue / SectorLength ? sectors * SectorLength : null;

    private static string[] NamesOf(IEnumerable<VmdkExtentLine> extents) =>
    [
        .. extents.Where(extent => extent.FileName is not null || !extent.IsOfType("ZERO"))
            .Select(extent => extent.FileName ?? ""),
    ];

    private static string? FindOversized(VmdkDescriptor descriptor) => descriptor.TotalSectors is null
        ? "The VMDK descriptor's extents have more sectors together than any disk can have."
        : null;

    // As for oslo.utils' inspector, a path in an extent spoils the descriptor, but where the policy allows that file.
    private static void JudgeDescriptor(InspectionContext context, VmdkDescriptor descriptor, string? problem)
    {
        var path = descriptor.Extents.Select(extent => extent.FileName).FirstOrDefault(
            name => name?.Contains('/', StringComparison.Ordinal) == true
                && !context.Policy.DataFileGate.Decide(name, context.Options.Path).IsAllowed);
        context.Judge(
            CheckNames.Descriptor,
            problem ?? (path is null
                ? null
                : $"The VMDK descriptor has an extent with the path '{Printable.Text(path)}', which is not allowed."));
    }

    private static void JudgeExtents(InspectionContext context, VmdkSparseHeader header, VmdkDescriptor descriptor)
    {
        if (header.DescriptorSector > 1 && header.DescriptorSectors > 0)
        {
            context.Fail(
                CheckNames.Extents,
                $"The VMDK's extents are described at sector {header.DescriptorSector}, where nobody looks for them.");
        }
        else if (IsSelf(header, descriptor))
        {
            context.Pass(CheckNames.Extents);
        }
        else
        {
            JudgeExtents(context, descriptor.Extents);
        }
    }

    private static void JudgeExtents(InspectionContext context, IReadOnlyList<VmdkExtentLine> extents) =>
        context.JudgeReferences(CheckNames.Extents, "the extent file", NamesOf(extents), context.Policy.DataFileGate);

    private static void JudgeParent(InspectionContext context, VmdkDescriptor descriptor)
    {
        var parents = descriptor.ParentFileNameHints;
        context.Image.BackingFile = parents is [var first, ..] ? first : null;
        if (parents.Count == 0 && descriptor.ParentContentId is not (null or VmdkDescriptor.NoParent))
        {
            // The parent's identity is there and its name is not: some readers look for it all the same.
            parents = [""];
        }

        context.JudgeReferences(CheckNames.Parent, "the parent", parents, context.Policy.BackingFileGate);
    }
}
