using System.Security.Cryptography;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Vhdx;

/// <summary>What a VHDX that is to be written is like.</summary>
internal sealed record VhdxWriterOptions
{
    internal const string Dynamic = "dynamic";
    internal const string Fixed = "fixed";
    internal const string Differencing = "differencing";
    internal const uint SectorSize = 512;

    // What Hyper-V gives a differencing disk, whose blocks are copied piece by piece.
    private const long DifferencingBlockSize = 2 << 20;

    internal required bool IsFixed { get; init; }

    internal required ulong VirtualSize { get; init; }

    internal required uint BlockSize { get; init; }

    internal required PreallocationMode Preallocation { get; init; }

    /// <summary>The disk's identifier (SCSI page 83).</summary>
    internal required Guid VirtualDiskId { get; init; }

    internal required Guid FileWriteGuid { get; init; }

    internal required Guid DataWriteGuid { get; init; }

    internal VhdxParentLocator? Parent { get; init; }

    internal VhdxBatLayout Layout => new(VirtualSize, BlockSize, SectorSize, Parent is not null);

    internal static ImageWriter CreateWriter(WriterOptions options)
    {
        var given = Parse(options);
        return given.IsFixed ? new VhdxFixedWriter(given) : new VhdxDynamicWriter(given);
    }

    private static VhdxWriterOptions Parse(WriterOptions options)
    {
        var subformat = options is { Subformat: null, BackingFile: not null }
            ? Differencing
            : OptionCheck.Subformat(options.Subformat, ImageFormat.Vhdx, Dynamic, Fixed, Differencing);
        OptionCheck.RefuseAllBut(
            options,
            ImageFormat.Vhdx,
            [
                // The time is taken so that every format can be given one; a VHDX has no place for it.
                nameof(options.VirtualSize), nameof(options.Subformat), nameof(options.ClusterSize),
                nameof(options.UniqueId), nameof(options.TimeStamp),
                .. subformat switch
                {
                    Fixed => [nameof(options.Preallocation)],
                    Dynamic => [],
                    _ => (string[])
                    [
                        nameof(options.BackingFile), nameof(options.BackingFormat), nameof(options.ParentId),
                        nameof(options.ParentTimeStamp),
                    ],
                },
            ]);
        if (options.VirtualSize > (long)VhdxSafetyChecks.MaximumDiskSize)
        {
            throw new ImageOptionException(
                nameof(options.VirtualSize),
                $"A disk of {options.VirtualSize} bytes is too large for a VHDX, which has 64 TiB "
                + $"({VhdxSafetyChecks.MaximumDiskSize} bytes) at most. Use raw or qcow2.");
        }

        var parent = subformat == Differencing ? MakeLocator(options) : null;
        var id = options.UniqueId ?? Guid.NewGuid();
        return new VhdxWriterOptions
        {
            IsFixed = subformat == Fixed,
            VirtualSize = (ulong)((options.VirtualSize + SectorSize - 1) / SectorSize * SectorSize),
            BlockSize = (uint)OptionCheck.PowerOfTwo(
                nameof(options.ClusterSize),
                options.ClusterSize
                    ?? (parent is not null ? DifferencingBlockSize : DefaultBlockSize(options.VirtualSize)),
                VhdxSafetyChecks.MinimumBlockSize,
                VhdxSafetyChecks.MaximumBlockSize),
            Preallocation = options.Preallocation,
            VirtualDiskId = id,
            FileWriteGuid = Derive(id, "file write guid"u8),
            DataWriteGuid = Derive(id, "data write guid"u8),
            Parent = parent,
        };
    }

    // Those of qemu-img.
    private static long DefaultBlockSize(long virtualSize) => virtualSize switch
    {
        > 32L << 40 => 64 << 20,
        > 100L << 30 => 32 << 20,
        > 1L << 30 => 16 << 20,
        _ => 8 << 20,
    };

    private static Guid Derive(Guid id, ReadOnlySpan<byte> purpose) =>
        new(SHA256.HashData([.. id.ToByteArray(), .. purpose]).AsSpan(0, 16));

    private static VhdxParentLocator MakeLocator(WriterOptions options)
    {
        const int mostCharacters = 4096;
        if (string.IsNullOrEmpty(options.BackingFile)
            || options.BackingFile.Length > mostCharacters
            || options.BackingFile.Contains('\0', StringComparison.Ordinal))
        {
            throw new ImageOptionException(
                nameof(options.BackingFile),
                $"A differencing VHDX needs a parent's path of 1 to {mostCharacters} characters. Name it with "
                + "BackingFile.");
        }

        if (options.BackingFormat is not (ImageFormat.Unknown or ImageFormat.Vhdx))
        {
            throw new ImageOptionException(
                nameof(options.BackingFormat),
                $"A VHDX's parent is a VHDX; it cannot be {options.BackingFormat.ToName()}.");
        }

        if (options.ParentId is not { } id || id == Guid.Empty)
        {
            throw new ImageOptionException(
                nameof(options.ParentId),
                "A differencing VHDX states its parent's data write guid. Give it with ParentId.");
        }

        var path = options.BackingFile.Replace('/', '\\');
        var isAbsolute = path[0] == '\\' || (path.Length > 1 && path[1] == ':' && char.IsAsciiLetter(path[0]));
        return isAbsolute
            ? new VhdxParentLocator(
                VhdxIds.VhdxParentLocatorType,
                [new("parent_linkage", id.ToString("B")), new("absolute_win32_path", path)])
            : VhdxParentLocator.Relative(path, id);
    }
}
