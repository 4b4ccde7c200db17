using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.IO;

namespace ImageUtils.VhdChains;

/// <summary>
/// A VHD or VHDX, under the property names of Hyper-V's Get-VHD where they mean the same. Sizes are in bytes.
/// </summary>
public sealed record VhdImageInfo
{
    /// <summary>The file's absolute path.</summary>
    public required string Path { get; init; }

    /// <summary><see cref="ImageFormat.Vhd"/> or <see cref="ImageFormat.Vhdx"/>.</summary>
    public required ImageFormat VhdFormat { get; init; }

    /// <summary>How the disk is stored.</summary>
    public required VhdType VhdType { get; init; }

    /// <summary>The file's length.</summary>
    public required long FileSize { get; init; }

    /// <summary>The disk's size, which in a VHD is the footer's current size, whatever its geometry makes up.</summary>
    public required long Size { get; init; }

    /// <summary>The size of a sector as the guest addresses it.</summary>
    public required int LogicalSectorSize { get; init; }

    /// <summary>The size of a sector of the disk below.</summary>
    public required int PhysicalSectorSize { get; init; }

    /// <summary>The size of a block; 0: a fixed VHD has none.</summary>
    public required long BlockSize { get; init; }

    /// <summary>Where the parent was found, or else the first name that the disk has for it; null: no parent.</summary>
    public string? ParentPath { get; init; }

    /// <summary>The VHD's unique id, the VHDX's virtual disk id: upper-case, as Hyper-V shows it.</summary>
    public required string DiskIdentifier { get; init; }

    /// <summary>
    /// How many of a hundred allocated blocks do not lie right behind the block before them on the disk; null: the disk
    /// is fixed.
    /// </summary>
    public int? FragmentationPercentage { get; init; }

    /// <summary>1 where the data of every block begins at whole 4096 bytes of the file, 0 where not.</summary>
    public required int Alignment { get; init; }

    /// <summary>The id by which children know the disk: the VHD's unique id, the VHDX's data write guid.</summary>
    public required Guid UniqueId { get; init; }

    /// <summary>The id that the disk says its parent has; null where it has no parent, or a raw one.</summary>
    public Guid? ParentId { get; init; }

    /// <summary>What the file takes up on its file system; null where that is not known.</summary>
    public long? AllocatedBytes { get; init; }

    /// <summary>The blocks that have a place in the file; null: a fixed VHD has none.</summary>
    public long? AllocatedBlocks { get; init; }

    /// <summary>
    /// Whether a VHDX was not closed properly; what is said here holds once its log has been replayed.
    /// </summary>
    public required bool IsLogPending { get; init; }

    /// <summary>Describes a disk; of a block allocation table only a page is held.</summary>
    /// <param name="path">The file.</param>
    /// <param name="options">What is allowed.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="ImageFileException">It cannot be read.</exception>
    /// <exception cref="VhdChainException">It is damaged, or neither a VHD nor a VHDX.</exception>
    public static async Task<VhdImageInfo> ReadAsync(
        string path, OpenOptions? options = null, CancellationToken cancellationToken = default)
    {
        options ??= OpenOptions.Default;
        var full = ParentSearch.Locate(path);
        var search = new ParentSearch(options.Inspection, System.IO.Path.GetDirectoryName(full));
        var disk = await search.ReadAsync(full, false, null, cancellationToken).ConfigureAwait(false);
        var link = disk.ToLink(0);
        if (!disk.IsVhdOrVhdx)
        {
            throw disk.NotUsable($"It is {disk.Inspection.Format.ToName()}, neither a VHD nor a VHDX.");
        }

        var parent = disk.HasParent
            ? await search.FindAsync(disk, cancellationToken).ConfigureAwait(false)
            : null;
        var vhd = disk.Inspection.Details as VhdDetails;
        var vhdx = disk.Inspection.Details as VhdxDetails;
        var blocks = await CountAsync(full, disk, cancellationToken).ConfigureAwait(false);
        return new VhdImageInfo
        {
            Path = full,
            VhdFormat = link.Format,
            VhdType = link.Type switch
            {
                "fixed" => VhdType.Fixed,
                "differencing" => VhdType.Differencing,
                _ => VhdType.Dynamic,
            },
            FileSize = link.FileSize,
            Size = disk.Size ?? link.VirtualSize,
            LogicalSectorSize = vhdx?.LogicalSectorSize ?? VhdFooter.SectorSize,
            PhysicalSectorSize = vhdx?.PhysicalSectorSize ?? VhdFooter.SectorSize,
            BlockSize = vhd?.BlockSize ?? vhdx?.BlockSize ?? 0,
            ParentPath = parent?.FirstName,
            DiskIdentifier = (vhd?.UniqueId ?? vhdx?.VirtualDiskId ?? Guid.Empty).ToString("D").ToUpperInvariant(),
            FragmentationPercentage = link.Type == "fixed" ? null : blocks.FragmentationPercentage,
            Alignment = blocks.IsAligned ? 1 : 0,
            UniqueId = link.UniqueId ?? Guid.Empty,
            ParentId = link.ParentId,
            AllocatedBytes = link.AllocatedBytes,
            AllocatedBlocks = link is { Format: ImageFormat.Vhd, Type: "fixed" } ? null : blocks.Count,
            IsLogPending = disk.Inspection.IsLogPending,
        };
    }

    private static async ValueTask<BlockCount> CountAsync(
        string path, ChainDisk disk, CancellationToken cancellationToken)
    {
        using var file = FileByteSource.Open(path);
        try
        {
            var count = new BlockCount();
            if (disk.Inspection.Format == ImageFormat.Vhdx)
            {
                var structures = await VhdxReader.ReadStructuresAsync(file, cancellationToken).ConfigureAwait(false);
                await count.AddAsync(structures, cancellationToken).ConfigureAwait(false);
            }
            else
            {
                var structures = await VhdReader.ReadStructuresAsync(file, cancellationToken).ConfigureAwait(false);
                if (structures.Header is { } header)
                {
                    await count.AddAsync(file, header, cancellationToken).ConfigureAwait(false);
                }
            }

            return count;
        }
        catch (Exception exception) when (exception is ImageFormatException or UnsupportedImageException)
        {
            throw disk.NotUsable(exception.Message);
        }
    }

    /// <summary>How the blocks of a table lie in the file.</summary>
    private sealed class BlockCount
    {
        private const long PhysicalSector = 4096;

        private long _jumps;
        private long _next = -1;

        internal long Count { get; private set; }

        internal bool IsAligned { get; private set; } = true;

        internal int FragmentationPercentage => Count < 2 ? 0 : (int)Math.Round(100.0 * _jumps / (Count - 1));

        internal async ValueTask AddAsync(
            IByteSource source, VhdDynamicHeader header, CancellationToken cancellationToken)
        {
            await foreach (var (_, entries) in BlockTablePages.ReadAsync(source, header, cancellationToken)
                .ConfigureAwait(false))
            {
                foreach (var entry in entries)
                {
                    if (entry != VhdSafetyChecks.UnusedEntry)
                    {
                        Add((long)entry * VhdFooter.SectorSize, header.BitmapSize, header.BlockSize);
                    }
                }
            }
        }

        internal async ValueTask AddAsync(VhdxStructures disk, CancellationToken cancellationToken)
        {
            var layout = VhdxSafetyChecks.LayoutOf(disk.Metadata);
            var blockSize = disk.Metadata.FileParameters!.Value.BlockSize;
            await foreach (var (first, entries) in BlockTablePages.ReadAsync(disk, cancellationToken)
                .ConfigureAwait(false))
            {
                for (var index = 0; index < entries.Count; index++)
                {
                    if (entries[index].IsPresent && !layout.IsBitmap((ulong)(first + index)))
                    {
                        Add((long)entries[index].FileOffset, 0, blockSize);
                    }
                }
            }
        }

        private void Add(long offset, long bitmapSize, long blockSize)
        {
            _jumps += Count > 0 && offset != _next ? 1 : 0;
            _next = offset + bitmapSize + blockSize;
            IsAligned &= (offset + bitmapSize) % PhysicalSector == 0;
            Count++;
        }
    }
}
