using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Vhd;

/// <summary>Virtual Hard Disks: fixed, dynamic and differencing.</summary>
internal sealed class VhdFormat : IReadableFormat, IWritableFormat
{
    // What is read of the block allocation table: the entries of 16 GiB with blocks of the usual 2 MiB.
    private const int MaximumTableRead = 32 * 1024;

    public ImageFormat Format => ImageFormat.Vhd;

    public IReadOnlyList<SafetyCheck> Checks => VhdSafetyChecks.Declared;

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var head = await reader.ReadAsync(0, VhdFooter.Cookie.Length, cancellationToken).ConfigureAwait(false);
        if (head.Span.SequenceEqual(VhdFooter.Cookie))
        {
            return true;
        }

        // A fixed disk begins with the guest's data, and is known by its end alone.
        var tail = await reader.ReadTailAsync(VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        return FindFooter(tail).Length > 0;
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var head = await context.Reader.ReadAsync(0, VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        if (head.Length < VhdFooter.Length && head.Span.StartsWith(VhdFooter.Cookie))
        {
            throw new TruncatedImageException(
                $"The VHD footer's copy at byte 0 has {VhdFooter.Length} bytes, but the file has only {head.Length}: "
                + "the file is cut short.");
        }

        if (head.Span.StartsWith(VhdFooter.Cookie))
        {
            await InspectDynamicAsync(context, head, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await InspectFixedAsync(context, cancellationToken).ConfigureAwait(false);
        }
    }

    public ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken) =>
        VhdReader.OpenAsync(source, context, cancellationToken);

    public ImageWriter CreateWriter(WriterOptions options) => VhdWriterOptions.CreateWriter(options);

    /// <summary>The footer in a file's last 512 bytes, of 512 bytes or 511; empty where there is none.</summary>
    internal static ReadOnlyMemory<byte> FindFooter(ReadOnlyMemory<byte> tail)
    {
        if (tail.Length == VhdFooter.Length && tail.Span.StartsWith(VhdFooter.Cookie))
        {
            return tail;
        }

        return tail.Length >= VhdFooter.AncientLength
            && tail.Span[^VhdFooter.AncientLength..].StartsWith(VhdFooter.Cookie)
                ? tail[^VhdFooter.AncientLength..]
                : default;
    }

    private static async ValueTask InspectFixedAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        var tail = await context.Reader.ReadTailAsync(VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        var bytes = FindFooter(tail);
        var footer = VhdFooter.Parse(bytes.Span);
        Describe(context.Image, footer);
        if (footer.DiskType == VhdDiskType.Differencing)
        {
            context.Fail(
                CheckNames.Parent,
                "The VHD footer says that this is a differencing disk (type 4), but the header with its parent's name "
                + "is missing.");
        }
        else
        {
            context.Pass(CheckNames.Parent);
        }

        context.Judge(CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(footer, isAtEnd: true));
        var damage = VhdSafetyChecks.FindWrongChecksum("VHD footer", bytes.Span, VhdFooter.ChecksumOffset);
        if (footer.DiskType is VhdDiskType.Dynamic or VhdDiskType.Differencing)
        {
            throw new ImageFormatException(
                CheckNames.Checksum,
                damage ?? $"The VHD footer at the file's end says that the disk is {Name(footer.DiskType)}, but its "
                    + "copy at byte 0 is missing: the file's beginning is lost or overwritten.");
        }

        context.Judge(CheckNames.Checksum, damage);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        context.Judge(CheckNames.Tables, VhdSafetyChecks.FindImpossible(footer));
        context.Judge(CheckNames.ChangePending, VhdSafetyChecks.FindSurplus(footer, fileLength, bytes.Length));
        context.Judge(CheckNames.Truncated, VhdSafetyChecks.FindCutShort(footer, fileLength, bytes.Length));
    }

    private static async ValueTask InspectDynamicAsync(
        InspectionContext context, ReadOnlyMemory<byte> head, CancellationToken cancellationToken)
    {
        var copy = VhdFooter.Parse(head.Span);
        Describe(context.Image, copy);
        FailEarly(context, CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(copy, isAtEnd: false));
        FailEarly(
            context,
            CheckNames.Checksum,
            VhdSafetyChecks.FindWrongChecksum("VHD footer copy at byte 0", head.Span, VhdFooter.ChecksumOffset));
        var header = await ReadHeaderAsync(context, copy, cancellationToken).ConfigureAwait(false);
        DescribeHeader(context.Image, copy, header);
        if (!context.HasVerdict(CheckNames.Version))
        {
            context.Judge(CheckNames.Version, VhdSafetyChecks.FindUnknownVersion(header));
        }

        var impossible = VhdSafetyChecks.FindImpossible(copy, header);
        FailEarly(context, CheckNames.Tables, impossible);
        var structures = await ReadStructuresAsync(context, copy, header, impossible is null, cancellationToken)
            .ConfigureAwait(false);
        JudgeParent(context, copy, header, structures.Names);

        var tail = await context.Reader.ReadTailAsync(VhdFooter.Length, cancellationToken).ConfigureAwait(false);
        var fileLength = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
        var end = FindFooter(tail);
        var isParentPending = await IsParentPendingAsync(context, copy, header, end, cancellationToken)
            .ConfigureAwait(false);
        JudgeEnd(context, copy, end, isParentPending, structures, fileLength);
        if (!context.HasVerdict(CheckNames.Tables))
        {
            context.Judge(
                CheckNames.Tables,
                structures.Misplaced ?? VhdSafetyChecks.FindTableBeyondEnd(header, fileLength));
        }
    }

    private static async ValueTask<VhdDynamicHeader> ReadHeaderAsync(
        InspectionContext context, VhdFooter copy, CancellationToken cancellationToken)
    {
        var check = CheckNames.Tables;
        var problem = VhdSafetyChecks.FindMisplacedHeader(copy);
        if (problem is null)
        {
            var bytes = await context.Reader
                .ReadAsync((long)copy.DataOffset, VhdDynamicHeader.Length, cancellationToken).ConfigureAwait(false);
            if (bytes.Length < VhdDynamicHeader.Length)
            {
                check = CheckNames.Truncated;
                problem = $"The VHD dynamic header of {VhdDynamicHeader.Length} bytes at byte {copy.DataOffset} is not "
                    + "there whole: the file is cut short.";
            }
            else if (bytes.Span.StartsWith(VhdDynamicHeader.Cookie))
            {
                FailEarly(
                    context,
                    CheckNames.Checksum,
                    VhdSafetyChecks.FindWrongChecksum(
                        "VHD dynamic header", bytes.Span, VhdDynamicHeader.ChecksumOffset));
                return VhdDynamicHeader.Parse(bytes.Span);
            }
            else
            {
                problem = $"The VHD footer's data offset at byte 16 is {copy.DataOffset}, but no dynamic header "
                    + "(cookie 'cxsparse') is there.";
            }
        }

        if (copy.DiskType == VhdDiskType.Differencing)
        {
            context.Fail(
                CheckNames.Parent, "The VHD is a differencing disk (type 4), but its parent's name cannot be read.");
        }

        throw new ImageFormatException(check, problem);
    }

    private static async ValueTask<Structures> ReadStructuresAsync(
        InspectionContext context,
        VhdFooter copy,
        VhdDynamicHeader header,
        bool withTable,
        CancellationToken cancellationToken)
    {
        var structures = new Structures();
        var reads = new List<(ulong Offset, int Length, Action<ReadOnlyMemory<byte>> Use)>();
        foreach (var locator in header.ParentLocators.Where(locator => locator.PlatformCode != 0))
        {
            var at = structures.Names.Count;
            structures.Names.Add((locator, null));
            if (locator.IsText
                && locator.PlatformDataLength <= VhdSafetyChecks.MaximumLocatorLength
                && locator.PlatformDataOffset <= long.MaxValue)
            {
                var length = (int)locator.PlatformDataLength;
                reads.Add((locator.PlatformDataOffset, length, bytes =>
                    structures.Names[at] = (locator, bytes.Length == length ? locator.DecodeName(bytes.Span) : null)));
            }
        }

        if (withTable && header.MaxTableEntries > 0)
        {
            reads.Add((header.TableOffset, (int)Math.Min(header.TableLength, MaximumTableRead), table =>
                structures.Misplaced = VhdSafetyChecks.FindMisplacedBlock(
                    copy, header, table.Span, out structures.FurthestBlockEnd)));
        }

        try
        {
            foreach (var (offset, length, use) in reads.OrderBy(read => read.Offset))
            {
                use(await context.Reader.ReadAsync((long)offset, length, cancellationToken).ConfigureAwait(false));
            }
        }
        catch (ImageFormatException exception)
        {
            // Overlapping structures cannot be read in one pass. The parent's judge sees which names are missing.
            structures.Misplaced ??= exception.Message;
        }

        return structures;
    }

    private static void JudgeParent(
        InspectionContext context,
        VhdFooter copy,
        VhdDynamicHeader header,
        List<(VhdParentLocator Locator, string? Name)> names)
    {
        // What the type alone does not keep every reader from following counts as a parent too.
        var isDifferencing = copy.DiskType == VhdDiskType.Differencing;
        if (!isDifferencing && names.Count == 0 && header.ParentUnicodeName.Length == 0)
        {
            context.Pass(CheckNames.Parent);
            return;
        }

        string? Find(uint code) => names.FirstOrDefault(name => name.Locator.PlatformCode == code).Name;
        var headerName = header.ParentUnicodeName.Length == 0 ? null : header.ParentUnicodeName;
        context.Image.BackingFile = Find(VhdParentLocator.WindowsRelative) ?? Find(VhdParentLocator.WindowsAbsolute)
            ?? Find(VhdParentLocator.MacUrl) ?? headerName
            ?? names.FirstOrDefault(name => name.Name is not null).Name;
        context.Image.Details = (VhdDetails)context.Image.Details! with
        {
            ParentId = header.ParentUniqueId,
            ParentTimeStamp = VhdFooter.Epoch.AddSeconds(header.ParentTimeStamp),
            ParentName = headerName,
            ParentLocators =
            [
                .. names.Select(name => new VhdParentName(VhdFooter.Text(name.Locator.PlatformCode), name.Name)),
            ],
        };

        var odd = names.FirstOrDefault(name => name.Locator.IsText && name.Name is null).Locator;
        if (odd.PlatformCode != 0)
        {
            context.Fail(
                CheckNames.Parent,
                $"The VHD names its parent for platform '{Printable.Text(VhdFooter.Text(odd.PlatformCode))}' in "
                + $"{odd.PlatformDataLength} bytes at byte {odd.PlatformDataOffset}, which cannot be read there.");
            return;
        }

        var references = VhdParentReference.Of(context.Image);
        if (references.Count == 0)
        {
            context.Fail(
                CheckNames.Parent, "The VHD depends on a parent, but names it in no way that can be read.");
            return;
        }

        VhdParentReference.Judge(context, references);
    }

    // While the parent changes, the footer at the end points at a header of its own that differs in nothing else.
    private static async ValueTask<bool> IsParentPendingAsync(
        InspectionContext context,
        VhdFooter copy,
        VhdDynamicHeader header,
        ReadOnlyMemory<byte> end,
        CancellationToken cancellationToken)
    {
        var footer = end.Length == 0 ? copy : VhdFooter.Parse(end.Span);
        if (copy.DiskType != VhdDiskType.Differencing || footer.DataOffset == copy.DataOffset
            || VhdSafetyChecks.FindMisplacedHeader(footer) is not null)
        {
            return false;
        }

        var bytes = await context.Reader
            .ReadAsync((long)footer.DataOffset, VhdDynamicHeader.Length, cancellationToken).ConfigureAwait(false);
        return VhdSafetyChecks.IsParentPending(header, bytes.Span);
    }

    private static void JudgeEnd(
        InspectionContext context,
        VhdFooter copy,
        ReadOnlyMemory<byte> end,
        bool isParentPending,
        Structures structures,
        long fileLength)
    {
        var isMissing = end.Length == 0;
        var footer = isMissing ? copy : VhdFooter.Parse(end.Span);
        if (!context.HasVerdict(CheckNames.Checksum))
        {
            context.Judge(
                CheckNames.Checksum,
                isMissing
                    ? null
                    : VhdSafetyChecks.FindWrongChecksum(
                        "VHD footer at the file's end", end.Span, VhdFooter.ChecksumOffset)
                        ?? VhdSafetyChecks.FindDisagreement(copy, footer, isParentPending));
        }

        context.Judge(
            CheckNames.ChangePending, VhdSafetyChecks.FindPendingResize(copy, footer)
                ?? (isParentPending ? VhdSafetyChecks.DescribePendingParent(copy, footer) : null));
        context.Judge(
            CheckNames.Truncated,
            isMissing
                ? $"The VHD has no footer in the last {VhdFooter.Length} of its {fileLength} bytes: the file is cut "
                    + "short, or something was appended to it."
                : structures.FurthestBlockEnd > fileLength - end.Length
                    ? $"The VHD block allocation table has a block that ends at byte {structures.FurthestBlockEnd}, "
                        + $"but the file's data ends at byte {fileLength - end.Length}: it is cut short."
                    : null);
    }

    private static void FailEarly(InspectionContext context, string check, string? problem)
    {
        if (problem is not null && !context.HasVerdict(check))
        {
            context.Fail(check, problem);
        }
    }

    private static void Describe(ImageInspection image, VhdFooter footer)
    {
        image.FormatVersion = $"{footer.FileFormatVersion >> 16}.{footer.FileFormatVersion & 0xFFFF}";
        image.Subformat = Name(footer.DiskType);
        image.VirtualSize = footer.GuestSize <= long.MaxValue ? (long)footer.GuestSize : null;
        image.Features = FeatureNames(footer.Features);
        image.Details = new VhdDetails
        {
            DiskType = Name(footer.DiskType),
            CurrentSize = footer.CurrentSize <= long.MaxValue ? (long)footer.CurrentSize : null,
            OriginalSize = footer.OriginalSize <= long.MaxValue ? (long)footer.OriginalSize : null,
            Geometry = new VhdGeometry(footer.Cylinders, footer.Heads, footer.SectorsPerTrack),
            CreatorApplication = VhdFooter.Text(footer.CreatorApplication).TrimEnd('\0', ' '),
            CreatorVersion = $"{footer.CreatorVersion >> 16}.{footer.CreatorVersion & 0xFFFF}",
            CreatorHostOs = VhdFooter.Text(footer.CreatorHostOs).TrimEnd('\0', ' '),
            UniqueId = footer.UniqueId,
            TimeStamp = VhdFooter.Epoch.AddSeconds(footer.TimeStamp),
            IsSavedState = footer.SavedState != 0,
        };
    }

    private static void DescribeHeader(ImageInspection image, VhdFooter footer, VhdDynamicHeader header)
    {
        image.ClusterSize = header.BlockSize;
        image.Details = (VhdDetails)image.Details! with
        {
            BlockSize = header.BlockSize,
            BatEntries = header.MaxTableEntries,
            ParentId = footer.DiskType == VhdDiskType.Differencing ? header.ParentUniqueId : null,
        };
    }

    private static string Name(VhdDiskType type) => type switch
    {
        VhdDiskType.Fixed => "fixed",
        VhdDiskType.Dynamic => "dynamic",
        VhdDiskType.Differencing => "differencing",
        _ => $"unknown ({(uint)type})",
    };

    // Bit 1 is always set, and means nothing.
    private static string[] FeatureNames(uint features) =>
        [.. Enumerable.Range(0, 32).Where(bit => bit != 1 && (features >> bit & 1) != 0)
            .Select(bit => bit == 0 ? "temporary" : $"feature bit {bit}")];

    /// <summary>What was found of the structures that the dynamic header points at.</summary>
    private sealed class Structures
    {
        public long FurthestBlockEnd;

        public List<(VhdParentLocator Locator, string? Name)> Names { get; } = [];

        public string? Misplaced { get; set; }
    }
}
