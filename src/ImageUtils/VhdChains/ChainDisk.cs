using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.VhdChains;

/// <summary>A disk that may be one of a chain: what the inspector says of it, and what it says of its parent.</summary>
internal sealed class ChainDisk
{
    private ChainDisk(FileByteSource file, ImageInspection inspection)
    {
        Path = file.Path;
        FileSize = file.Length;
        AllocatedBytes = file.AllocatedBytes;
        Inspection = inspection;
        Id = VhdIdentity.Of(inspection);
        ParentIds = HasParent ? ParentIdsOf(inspection) : [];
    }

    internal string Path { get; }

    internal long FileSize { get; }

    internal long? AllocatedBytes { get; }

    internal ImageInspection Inspection { get; }

    /// <summary>By which children know the disk; null: raw.</summary>
    internal Guid? Id { get; }

    /// <summary>The ids of which its parent has one; none where it has no parent, or a raw one.</summary>
    internal IReadOnlyList<Guid> ParentIds { get; }

    internal bool IsRaw => Inspection.Format.ToQemuName() == "raw";

    internal bool IsVhdOrVhdx => Inspection.Format is ImageFormat.Vhd or ImageFormat.Vhdx;

    internal bool HasParent => IsVhdOrVhdx && Inspection.Subformat == "differencing";

    /// <summary>Whether the parent is a raw image: vhd-util puts VHDs over such, which have no id.</summary>
    internal bool HasRawParent => HasParent && Inspection.Format == ImageFormat.Vhd && ParentIds.Count == 0;

    /// <summary>The size that the disk was made of, which Hyper-V goes by, in bytes.</summary>
    internal long? Size => (Inspection.Details as VhdDetails)?.CurrentSize ?? Inspection.VirtualSize;

    /// <summary>
    /// The checks that it failed, but for what they say of its parent and of a log, which is replayed.
    /// </summary>
    internal IReadOnlyList<SafetyCheckResult> Failures =>
    [
        .. Inspection.Failures.Where(failure => failure.Name != CheckNames.Parent
            && !ImageOpener.IsResolvedByReading(failure, Inspection.Format)),
    ];

    /// <summary>Reads what the disk says of itself. A VHDX's log is replayed in memory first.</summary>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    /// <exception cref="ImageFormatException">Its log is damaged.</exception>
    internal static async ValueTask<ChainDisk> ReadAsync(
        string path,
        InspectionOptions options,
        bool isRaw,
        CancellationToken cancellationToken,
        bool replaysLog = true)
    {
        using var file = FileByteSource.Open(path);
        options = options with { Path = path };
        var inspection = await ImageInspector.InspectFileAsync(file, options, isRaw, cancellationToken)
            .ConfigureAwait(false);
        if (replaysLog && inspection is { Format: ImageFormat.Vhdx, IsLogPending: true })
        {
            // Parent locator and size are changed through the log.
            var replayed = await ReplayAsync(file, cancellationToken).ConfigureAwait(false);
            inspection = await ImageInspector.InspectAsync(replayed, options, cancellationToken).ConfigureAwait(false);
        }

        return new ChainDisk(file, inspection);
    }

    /// <summary>Whether another is the parent that the disk says it has.</summary>
    internal bool IsChildOf(ChainDisk parent) => HasRawParent
        ? parent.IsRaw
        : parent.Inspection.Format == Inspection.Format && parent.Id is { } id && ParentIds.Contains(id);

    /// <summary>The disk as a link, with nothing said of whether its parent is there.</summary>
    /// <exception cref="VhdChainException">It cannot be one.</exception>
    internal VhdChainLink ToLink(int index)
    {
        if (Failures.Count > 0)
        {
            throw NotUsable(
                "It failed its checks, and its chain is not followed. "
                + string.Join(" ", Failures.Select(failure => $"{failure.Name}: {failure.Message}")));
        }

        if (!IsVhdOrVhdx && !IsRaw)
        {
            throw NotUsable($"It is {Inspection.Format.ToName()}, which is in no chain of VHDs. Name a VHD or VHDX.");
        }

        return new VhdChainLink
        {
            Path = Path,
            Index = index,
            Format = IsRaw ? ImageFormat.Raw : Inspection.Format,
            Type = IsRaw ? "raw" : Inspection.Subformat ?? "",
            VirtualSize = Inspection.VirtualSize
                ?? throw NotUsable("Its size is not known: its headers are damaged. Get it again."),
            FileSize = FileSize,
            AllocatedBytes = AllocatedBytes,
            UniqueId = Id,
            ParentId = ParentIds.Count == 0 ? null : ParentIds[0],
            Problems = FindOddities(),
        };
    }

    internal VhdChainException NotUsable(string reason) => new(VhdChainProblem.NotUsable, Path, reason);

    private string[] FindOddities()
    {
        var oddities = new List<string>();
        if (Inspection.IsLogPending)
        {
            oddities.Add(
                "It was not closed properly: its log must be replayed before it can be changed. Open it once with "
                + "Hyper-V, or repair it with 'qemu-img check -r all'.");
        }

        oddities.AddRange(Inspection.Failures
            .Where(failure => failure.Name == CheckNames.ChangePending).Select(failure => failure.Message));
        if (IsVhdOrVhdx && !HasParent && Inspection.BackingFile is { } name)
        {
            oddities.Add(
                $"It is {Inspection.Subformat}, but names the parent '{Printable.Text(name)}', which is not followed.");
        }

        return [.. oddities];
    }

    private static IReadOnlyList<Guid> ParentIdsOf(ImageInspection inspection) => inspection.Details switch
    {
        VhdDetails { ParentId: { } id } when id != Guid.Empty => [id],
        VhdxDetails vhdx => VhdxParentLocator.LinkagesOf(vhdx.ParentLocator),
        _ => [],
    };

    private static async ValueTask<IByteSource> ReplayAsync(IByteSource source, CancellationToken cancellationToken)
    {
        var first = new byte[VhdxHeader.Length];
        var second = new byte[VhdxHeader.Length];
        await VhdxReader.ReadWholeAsync(source, VhdxHeader.FirstOffset, first, "header", cancellationToken)
            .ConfigureAwait(false);
        await VhdxReader.ReadWholeAsync(source, VhdxHeader.SecondOffset, second, "header", cancellationToken)
            .ConfigureAwait(false);
        return await VhdxLog.ReplayAsync(source, VhdxHeader.FindCurrent(first, second), cancellationToken)
            .ConfigureAwait(false);
    }
}
