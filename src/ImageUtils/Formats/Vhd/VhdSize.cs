using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Vhd;

/// <summary>The size of a disk that is to be written, and the geometry that goes with it.</summary>
/// <remarks>
/// Hyper-V, Azure, vhd-util and libvhdi take the current size for the disk's size. QEMU's block/vpc.c takes the geometry
/// instead, unless it trusts the creator, or the geometry is the greatest that there is, which stands for "too large to
/// say". <c>vhd-util check</c> refuses a geometry that is larger than the size. An exact size therefore goes with the
/// geometry below it and a creator that QEMU trusts.
/// </remarks>
/// <param name="Bytes">The size in bytes.</param>
/// <param name="Cylinders">The geometry's cylinders.</param>
/// <param name="Heads">Its heads.</param>
/// <param name="SectorsPerTrack">Its sectors per track.</param>
internal readonly record struct VhdSize(long Bytes, ushort Cylinders, byte Heads, byte SectorsPerTrack)
{
    private const long Mebibyte = 1 << 20;
    private const int GreatestCylinders = 65535;

    /// <exception cref="ImageOptionException">The disk is too large for the format.</exception>
    internal static VhdSize For(WriterOptions options)
    {
        var unit = options.AzureAligned ? Mebibyte : VhdFooter.SectorSize;
        if (options.VirtualSize > (long)VhdSafetyChecks.MaximumDiskSize)
        {
            throw new ImageOptionException(
                nameof(options.VirtualSize),
                $"A disk of {options.VirtualSize} bytes is too large for a VHD, which has 2040 GiB "
                + $"({VhdSafetyChecks.MaximumDiskSize} bytes) at most. Use vhdx, which has 64 TiB.");
        }

        var size = (options.VirtualSize + unit - 1) / unit * unit;
        return options.RoundToGeometry ? Round(size) : Exact(size);
    }

    /// <summary>A size, and the geometry that the specification's appendix gives it, which has no more sectors.</summary>
    /// <param name="size">In bytes; whole sectors.</param>
    internal static VhdSize Exact(long size)
    {
        var (cylinders, heads, perTrack) = GeometryBelow(
            Math.Min(size / VhdFooter.SectorSize, GreatestCylinders * 16L * 255));
        return new VhdSize(size, (ushort)cylinders, (byte)heads, (byte)perTrack);
    }

    // The algorithm of the specification's appendix gives the geometry below a size; the one for some sectors more is
    // the first that holds them all.
    private static VhdSize Round(long size)
    {
        var sectors = size / VhdFooter.SectorSize;
        if (sectors == 0)
        {
            return default;
        }

        for (var more = 0; ; more++)
        {
            var (cylinders, heads, perTrack) = GeometryBelow(sectors + more);
            if (cylinders * heads * perTrack >= sectors || cylinders >= GreatestCylinders)
            {
                // Beyond the greatest geometry sizes are exact.
                return cylinders >= GreatestCylinders && perTrack == 255
                    ? new VhdSize(size, GreatestCylinders, 16, 255)
                    : new VhdSize(
                        cylinders * heads * perTrack * VhdFooter.SectorSize,
                        (ushort)cylinders, (byte)heads, (byte)perTrack);
            }
        }
    }

    /// <summary>The size of a disk that is made larger or smaller, which shows every reader the same size.</summary>
    /// <remarks>
    /// A creator whose sizes all readers trust keeps the specification's geometry, which is at most the size: vhd-util
    /// takes a greater one for damage. Others get the one that makes the size exact.
    /// </remarks>
    /// <param name="footer">The disk's footer so far.</param>
    /// <param name="size">The new size in bytes; it is rounded up to sectors.</param>
    /// <exception cref="ImageOptionException">The disk is too large for the format.</exception>
    internal static VhdSize For(VhdFooter footer, long size)
    {
        var exact = For(new WriterOptions { VirtualSize = size });
        return footer.IsCreatorExact ? exact : new VhdSize(exact.Bytes, GreatestCylinders, 16, 255);
    }

    private static (long Cylinders, long Heads, long SectorsPerTrack) GeometryBelow(long sectors)
    {
        if (sectors >= GreatestCylinders * 16L * 63)
        {
            return (sectors / 255 / 16, 16, 255);
        }

        var heads = Math.Max((sectors / 17 + 1023) / 1024, 4);
        long perTrack = 17;
        if (sectors / 17 >= heads * 1024 || heads > 16)
        {
            (heads, perTrack) = (16, 31);
        }

        if (sectors / perTrack >= heads * 1024)
        {
            (heads, perTrack) = (16, 63);
        }

        return (sectors / perTrack / heads, heads, perTrack);
    }
}
