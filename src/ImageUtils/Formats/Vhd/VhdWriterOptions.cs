using System.Buffers.Binary;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Formats.Vhd;

/// <summary>What a VHD that is to be written is like.</summary>
internal sealed record VhdWriterOptions
{
    internal const string Dynamic = "dynamic";
    internal const string Fixed = "fixed";
    internal const string Differencing = "differencing";

    /// <summary>Hyper-V's smaller block size; its other one is the default.</summary>
    internal const long LeastBlockSize = 512 << 10;

    internal const long DefaultBlockSize = 2 << 20;

    // Hyper-V's code: QEMU takes an unknown creator's geometry for the disk's size. The system is what all tools write
    // that do not run on a Mac.
    private static readonly uint s_creatorApplication = BinaryPrimitives.ReadUInt32BigEndian("win "u8);
    private static readonly uint s_creatorHostOs = BinaryPrimitives.ReadUInt32BigEndian("Wi2k"u8);

    internal required VhdDiskType DiskType { get; init; }

    internal required VhdSize Size { get; init; }

    internal required long BlockSize { get; init; }

    internal required PreallocationMode Preallocation { get; init; }

    internal required Guid UniqueId { get; init; }

    internal required uint TimeStamp { get; init; }

    internal VhdParent? Parent { get; init; }

    internal static ImageWriter CreateWriter(WriterOptions options)
    {
        var given = Parse(options);
        return given.DiskType == VhdDiskType.Fixed ? new VhdFixedWriter(given) : new VhdDynamicWriter(given);
    }

    /// <summary>The footer of the image.</summary>
    internal VhdFooter MakeFooter() => new()
    {
        DataOffset = DiskType == VhdDiskType.Fixed ? VhdFooter.NoDataOffset : VhdFooter.Length,
        TimeStamp = TimeStamp,
        CreatorApplication = s_creatorApplication,
        CreatorVersion = VhdFooter.Version1,
        CreatorHostOs = s_creatorHostOs,
        OriginalSize = (ulong)Size.Bytes,
        CurrentSize = (ulong)Size.Bytes,
        Cylinders = Size.Cylinders,
        Heads = Size.Heads,
        SectorsPerTrack = Size.SectorsPerTrack,
        DiskType = DiskType,
        UniqueId = UniqueId,
    };

    /// <summary>Refuses a device, whose end is not where the image's footer would be.</summary>
    internal static void RequireFile(IByteSink sink)
    {
        if (sink.Capacity is not null)
        {
            throw new ImageOptionException(
                "NotSupported",
                "A VHD ends in a footer, which readers look for at the very end: it cannot be written to a block "
                + "device. Write it to a file, or write raw or qcow2 to the device.");
        }
    }

    private static VhdWriterOptions Parse(WriterOptions options)
    {
        var subformat = options is { Subformat: null, AzureAligned: true } ? Fixed
            : options is { Subformat: null, BackingFile: not null } ? Differencing
            : OptionCheck.Subformat(options.Subformat, ImageFormat.Vhd, Dynamic, Fixed, Differencing);
        OptionCheck.RefuseAllBut(
            options,
            ImageFormat.Vhd,
            [
                nameof(options.VirtualSize), nameof(options.Subformat), nameof(options.RoundToGeometry),
                nameof(options.UniqueId), nameof(options.TimeStamp), nameof(options.AzureAligned),
                .. subformat switch
                {
                    Fixed => [nameof(options.Preallocation)],
                    Dynamic => [nameof(options.ClusterSize)],
                    _ => (string[])
                    [
                        nameof(options.ClusterSize), nameof(options.BackingFile), nameof(options.BackingFormat),
                        nameof(options.ParentId), nameof(options.ParentTimeStamp),
                    ],
                },
            ]);
        if (options.AzureAligned && (subformat != Fixed || options.RoundToGeometry))
        {
            throw new ImageOptionException(
                nameof(options.AzureAligned),
                $"Azure takes fixed VHDs of whole MiB only, but {nameof(options.AzureAligned)} was asked for "
                + $"together with {(subformat != Fixed ? subformat : nameof(options.RoundToGeometry))}.");
        }

        var size = VhdSize.For(options);
        if (subformat == Fixed && size.Bytes == 0)
        {
            throw new ImageOptionException(
                nameof(options.VirtualSize), "A fixed VHD of 0 bytes would be taken for the head of a dynamic one.");
        }

        return new VhdWriterOptions
        {
            DiskType = subformat switch
            {
                Fixed => VhdDiskType.Fixed,
                Dynamic => VhdDiskType.Dynamic,
                _ => VhdDiskType.Differencing,
            },
            Size = size,
            BlockSize = OptionCheck.PowerOfTwo(
                nameof(options.ClusterSize),
                options.ClusterSize ?? DefaultBlockSize,
                LeastBlockSize,
                VhdSafetyChecks.MaximumBlockSize),
            Preallocation = options.Preallocation,
            UniqueId = options.UniqueId ?? Guid.NewGuid(),
            TimeStamp = SecondsOf(options.TimeStamp ?? DateTimeOffset.UtcNow),
            Parent = subformat == Differencing ? VhdParent.Of(options) : null,
        };
    }

    /// <summary>A time as the footer has it; the nearest that it can have.</summary>
    internal static uint SecondsOf(DateTimeOffset time) =>
        (uint)Math.Clamp((time - VhdFooter.Epoch).Ticks / TimeSpan.TicksPerSecond, 0, uint.MaxValue);
}
