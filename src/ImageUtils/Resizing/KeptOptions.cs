using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Qcow2;
using ImageUtils.Formats.Vdi;
using ImageUtils.Formats.Vhd;
using ImageUtils.Formats.Vhdx;
using ImageUtils.Formats.Vmdk;
using ImageUtils.Inspection;
using ImageUtils.Mapping;

namespace ImageUtils.Resizing;

/// <summary>Says what a new file must be like to be the same kind of image as an old one.</summary>
internal static class KeptOptions
{
    /// <summary>Refuses an image that would lose something by being written anew.</summary>
    /// <exception cref="ImageResizeException">It would.</exception>
    internal static void ThrowIfLossy(OpenedImage image)
    {
        var found = image.Inspection;
        if (image.File.IsBlockDevice)
        {
            throw No(
                image, ImageResizeProblem.BlockDevice,
                "It is on a block device, and would have to be written anew. Convert it to a file, or to another device.");
        }

        if (image.BasedOn.Count > 0 || found.BackingFile is { Length: > 0 })
        {
            throw No(
                image, ImageResizeProblem.HasParent,
                "It is based on other files, and would have to be written anew without them. Convert it to an image of "
                + $"its own first, or use -Engine Qemu where qemu-img can resize {found.Format.ToName()}.");
        }

        if (found.Snapshots.Count > 0 || found.Details is Qcow2Details { Bitmaps.Count: > 0 } or VhdDetails { IsSavedState: true })
        {
            throw No(
                image, ImageResizeProblem.HasHistory,
                "It has snapshots, bitmaps or a saved state, which it would lose by being written anew. Delete them "
                + $"first, or use -Engine Qemu where qemu-img can resize {found.Format.ToName()}.");
        }

        if (found.Details is Qcow2Details { ExtendedL2: true })
        {
            throw No(
                image, ImageResizeProblem.NotResizable,
                "It has extended L2 entries, which are not written natively. Use -Engine Qemu.");
        }

        if (found.Details is VhdxDetails { LogicalSectorSize: not (null or 512) } vhdx)
        {
            throw No(
                image, ImageResizeProblem.NotResizable,
                $"Its guest addresses sectors of {vhdx.LogicalSectorSize} bytes; those of 512 alone are written.");
        }
    }

    /// <summary>The options that make the same kind of image.</summary>
    internal static async ValueTask<WriterOptions> OfAsync(OpenedImage image, CancellationToken cancellationToken)
    {
        var found = image.Inspection;
        var options = new WriterOptions { VirtualSize = 0, ClusterSize = found.ClusterSize };
        return found.Details switch
        {
            Qcow2Details qcow2 => options with
            {
                Version = qcow2.Compat == "0.10" ? 2 : 3,
                RefcountBits = qcow2.RefcountBits,
                CompressionType = qcow2.CompressionType == "zstd" ? UnitCodec.Zstd : UnitCodec.Deflate,
                Compress = await IsCompressedAsync(image.Map, cancellationToken).ConfigureAwait(false),
            },
            VhdDetails vhd => options with
            {
                Subformat = vhd.DiskType,
                ClusterSize = vhd.BlockSize,
                UniqueId = vhd.UniqueId,
                Preallocation = KeepSpace(found, vhd.DiskType == "fixed"),
            },
            VhdxDetails vhdx => options with
            {
                Subformat = vhdx.LeaveBlockAllocated == true ? "fixed" : "dynamic",
                ClusterSize = vhdx.BlockSize,
                UniqueId = vhdx.VirtualDiskId,
                Preallocation = KeepSpace(found, vhdx.LeaveBlockAllocated == true),
            },
            VdiDetails vdi => options with { Subformat = vdi.ImageType, UniqueId = vdi.ImageId },
            VmdkDetails vmdk => options with { Subformat = vmdk.CreateType, AdapterType = vmdk.AdapterType },
            _ => options,
        };
    }

    internal static ImageResizeException No(OpenedImage image, ImageResizeProblem problem, string reason) =>
        new(problem, image.Path, reason);

    // A disk that took up all its space does so again; one that has holes keeps being sparse.
    private static PreallocationMode KeepSpace(ImageInspection found, bool isFixed) =>
        isFixed && found.AllocatedSize >= found.FileSize ? PreallocationMode.Falloc : PreallocationMode.Off;

    private static async ValueTask<bool> IsCompressedAsync(ImageMap map, CancellationToken cancellationToken)
    {
        await foreach (var extent in map.GetExtentsAsync(cancellationToken).ConfigureAwait(false))
        {
            if (extent.Kind == ExtentKind.Compressed)
            {
                return true;
            }
        }

        return false;
    }
}
