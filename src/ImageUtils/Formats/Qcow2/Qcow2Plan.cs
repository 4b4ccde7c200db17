using System.Text;
using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Qcow2;

/// <summary>What a qcow2 image that is to be written is like: options, checked, and what follows.</summary>
/// <remarks>Defaults and limits are those of qemu-img 7.2.</remarks>
internal sealed record Qcow2Plan
{
    private const long DefaultClusterSize = 64 * 1024;
    private const int DefaultRefcountBits = 16;
    private const int SectorLength = 512;

    /// <summary>The disk's size in bytes, whole sectors as qemu demands.</summary>
    public required long VirtualSize { get; init; }

    public required int Version { get; init; }

    public required int ClusterBits { get; init; }

    public required int RefcountBits { get; init; }

    public required bool IsZstd { get; init; }

    public UnitCompression? Compression { get; init; }

    public required PreallocationMode Preallocation { get; init; }

    public string? BackingFile { get; init; }

    /// <summary>qemu's name of the backing file's format.</summary>
    public string? BackingFormat { get; init; }

    public int ClusterSize => 1 << ClusterBits;

    /// <summary>How many clusters an L2 table maps.</summary>
    public int L2Size => ClusterSize / 8;

    /// <summary>The guest bytes that an L2 table maps, as a power of two.</summary>
    public int L2Bits => 2 * ClusterBits - 3;

    public long L1Size => CeilingDivide(VirtualSize, 1L << L2Bits);

    public long L1Clusters => CeilingDivide(L1Size * 8, ClusterSize);

    /// <summary>How many clusters a refcount block counts.</summary>
    public long RefcountBlockSize => ClusterSize * 8L / RefcountBits;

    internal static Qcow2Plan Of(WriterOptions options)
    {
        OptionCheck.RefuseAllBut(
            options,
            ImageFormat.Qcow2,
            nameof(WriterOptions.VirtualSize),
            nameof(WriterOptions.Version),
            nameof(WriterOptions.ClusterSize),
            nameof(WriterOptions.Compress),
            nameof(WriterOptions.CompressionType),
            nameof(WriterOptions.CompressionLevel),
            nameof(WriterOptions.Preallocation),
            nameof(WriterOptions.RefcountBits),
            nameof(WriterOptions.BackingFile),
            nameof(WriterOptions.BackingFormat));
        var clusterSize = OptionCheck.PowerOfTwo(
            nameof(options.ClusterSize), options.ClusterSize ?? DefaultClusterSize,
            1L << Qcow2SafetyChecks.MinimumClusterBits, 1L << Qcow2SafetyChecks.MaximumClusterBits);
        var codec = options.CompressionType ?? UnitCodec.Deflate;
        var version = options.Version ?? 3;
        CheckCombinations(options, version, codec);
        var plan = new Qcow2Plan
        {
            VirtualSize = RoundUp(options.VirtualSize),
            Version = version,
            ClusterBits = (int)long.Log2(clusterSize),
            RefcountBits = (int)OptionCheck.PowerOfTwo(
                nameof(options.RefcountBits), options.RefcountBits ?? DefaultRefcountBits, 1, 64),
            IsZstd = codec == UnitCodec.Zstd,
            Compression = options.Compress
                ? new UnitCompression(codec, OptionCheck.Level(options.CompressionLevel, codec), (int)clusterSize, true)
                : null,
            Preallocation = options.Preallocation,
            BackingFile = options.BackingFile,
            BackingFormat = options.BackingFile is null ? null : options.BackingFormat.ToQemuName(),
        };
        if (plan.L1Size * 8 > Qcow2SafetyChecks.MaximumL1Bytes)
        {
            throw new ImageOptionException(
                nameof(options.ClusterSize),
                $"A disk of {plan.VirtualSize} bytes is too large for clusters of {clusterSize} bytes, with which "
                + $"{Qcow2SafetyChecks.MaximumL1Bytes / 8 << plan.L2Bits} bytes are the most. Use larger clusters.");
        }

        return plan;
    }

    /// <summary>The file's length in clusters where every cluster has its place beforehand.</summary>
    internal long CountPreallocatedClusters()
    {
        long end = 0, blocks = 0;
        Qcow2Clusters.Advance(ref end, ref blocks, 1 + L1Clusters, RefcountBlockSize);
        for (var table = 0L; table < L1Size; table++)
        {
            Qcow2Clusters.Advance(ref end, ref blocks, 1, RefcountBlockSize);
            Qcow2Clusters.Advance(ref end, ref blocks, ClustersOf(table), RefcountBlockSize);
        }

        var refcountTable = Qcow2Clusters.CountRefcountTableClusters(end, blocks, RefcountBlockSize, ClusterSize);
        Qcow2Clusters.Advance(ref end, ref blocks, refcountTable, RefcountBlockSize);
        return end;
    }

    /// <summary>How many of the clusters that an L2 table maps are on the disk.</summary>
    internal long ClustersOf(long table) =>
        Math.Min(L2Size, CeilingDivide(VirtualSize - (table << L2Bits), ClusterSize));

    private static long CeilingDivide(long value, long by) => value / by + (value % by == 0 ? 0 : 1);

    private static long RoundUp(long size) => size <= long.MaxValue - SectorLength
        ? size + SectorLength - 1 & -SectorLength
        : throw new ImageOptionException(
            nameof(WriterOptions.VirtualSize), $"A qcow2 disk cannot have a size of {size} bytes.");

    private static void CheckCombinations(WriterOptions options, int version, UnitCodec codec)
    {
        if (version is not (2 or 3))
        {
            throw Bad(
                nameof(options.Version), $"The qcow2 version is {version}; 2 (compat 0.10) and 3 (1.1) are written.");
        }

        if (version == 2 && options.RefcountBits is not (null or DefaultRefcountBits))
        {
            throw Bad(
                nameof(options.RefcountBits),
                $"RefcountBits is {options.RefcountBits}; qcow2 version 2 has 16 only. Use version 3.");
        }

        if (codec is not (UnitCodec.Deflate or UnitCodec.Zstd))
        {
            throw Bad(
                nameof(options.CompressionType),
                $"CompressionType is {codec}; qcow2 has Deflate (which qemu calls zlib) and Zstd.");
        }

        if (version == 2 && codec == UnitCodec.Zstd)
        {
            throw Bad(
                nameof(options.CompressionType), "qcow2 version 2 has no zstd compression. Use version 3, or Deflate.");
        }

        if (options.CompressionLevel is not null && !options.Compress)
        {
            throw Bad(nameof(options.CompressionLevel), "A compression level does nothing without Compress.");
        }

        if (options.Compress && options.Preallocation != PreallocationMode.Off)
        {
            throw Bad(
                nameof(options.Preallocation),
                "A compressed image cannot be preallocated: its clusters' places depend on the data. Choose one.");
        }

        CheckBackingFile(options);
    }

    private static void CheckBackingFile(WriterOptions options)
    {
        if (options.BackingFile is null)
        {
            if (options.BackingFormat != ImageFormat.Unknown)
            {
                throw Bad(nameof(options.BackingFormat), "BackingFormat does nothing without BackingFile.");
            }

            return;
        }

        if (options.BackingFormat.ToQemuName() is null)
        {
            throw Bad(
                nameof(options.BackingFormat),
                $"BackingFormat is {options.BackingFormat.ToName()}; state the format that the backing file has and "
                + "qemu knows: an image that leaves it to be guessed is not safe to open.");
        }

        var length = Encoding.UTF8.GetByteCount(options.BackingFile);
        if (length is 0 or > Qcow2SafetyChecks.MaximumBackingFileNameLength)
        {
            throw Bad(
                nameof(options.BackingFile),
                $"The backing file's name has {length} bytes; qcow2 has room for 1 to "
                + $"{Qcow2SafetyChecks.MaximumBackingFileNameLength}.");
        }

        if (options.Preallocation != PreallocationMode.Off)
        {
            throw Bad(
                nameof(options.Preallocation),
                "An image with a backing file cannot be preallocated: nothing of the backing file would show through.");
        }
    }

    private static ImageOptionException Bad(string option, string message) => new(option, message);
}
