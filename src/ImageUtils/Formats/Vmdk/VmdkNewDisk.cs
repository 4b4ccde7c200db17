using System.Buffers.Binary;
using System.Text;
using ImageUtils.Codecs;
using ImageUtils.Conversion;
using ImageUtils.Errors;

namespace ImageUtils.Formats.Vmdk;

/// <summary>What both kinds of disks that are written have in common: sizes, identity and descriptor.</summary>
/// <remarks>Defaults and the descriptor's entries are those of qemu-img (block/vmdk.c, vmdk_co_do_create).</remarks>
internal sealed record VmdkNewDisk
{
    internal const int SectorLength = VmdkSparseHeader.SectorLength;
    internal const int EntriesPerTable = 512;
    internal const int TableLength = EntriesPerTable * sizeof(uint);
    internal const int TableSectors = TableLength / SectorLength;

    /// <summary>The descriptor's sectors, behind the header.</summary>
    internal const int DescriptorSectors = 20;

    private const string Sparse = "monolithicSparse";
    private const string Stream = "streamOptimized";
    private const long DefaultGrainLength = 64 * 1024;

    // The specification's text has grains of more than 8 sectors.
    private const long MinimumGrainLength = 8 * 1024;
    private const long MaximumGrainLength = 1 << 20;

    // 16 MiB of a directory: 128 TiB in grains of 64 KiB, twice what VMware has.
    private const long MaximumTables = 4 << 20;

    // Readers do not look at the name of the only extent, and the file will be renamed.
    private const string ExtentName = "disk.vmdk";

    private VmdkNewDisk(WriterOptions options, string subformat)
    {
        Subformat = subformat;
        GrainLength = options.ClusterSize is { } grain
            ? OptionCheck.PowerOfTwo(nameof(options.ClusterSize), grain, MinimumGrainLength, MaximumGrainLength)
            : DefaultGrainLength;
        var span = GrainLength * EntriesPerTable;
        if (options.VirtualSize > MaximumTables * span)
        {
            throw new ImageOptionException(
                nameof(options.VirtualSize),
                $"A VMDK with grains of {GrainLength} bytes is written for disks of up to {MaximumTables * span} "
                + $"bytes; this one has {options.VirtualSize}.");
        }

        if (options.AdapterType is { } adapter && (adapter.Length is 0 or > 32 || !adapter.All(char.IsAsciiLetterOrDigit)))
        {
            throw new ImageOptionException(
                nameof(options.AdapterType),
                "The disk controller of a VMDK is a word such as ide, buslogic, lsilogic or pvscsi.");
        }

        AdapterType = options.AdapterType ?? "ide";

        // Without any sectors, readers would take the header for that of a descriptor file.
        CapacitySectors = Math.Max(1, (options.VirtualSize + SectorLength - 1) / SectorLength);
        TableCount = (CapacitySectors * SectorLength + span - 1) / span;
        var identity = (options.UniqueId ?? Guid.NewGuid()).ToByteArray();
        ContentId = Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(identity), VmdkDescriptor.NoParent - 1);
    }

    public string Subformat { get; }

    public long CapacitySectors { get; }

    public long VirtualSize => CapacitySectors * SectorLength;

    public long GrainLength { get; }

    public long GrainSectors => GrainLength / SectorLength;

    public long TableCount { get; }

    public uint ContentId { get; }

    public string AdapterType { get; }

    /// <summary>Makes the writer that the options ask for.</summary>
    internal static ImageWriter CreateWriter(WriterOptions options)
    {
        OptionCheck.RefuseAllBut(
            options, ImageFormat.Vmdk, nameof(options.VirtualSize), nameof(options.Subformat),
            nameof(options.ClusterSize), nameof(options.Compress), nameof(options.CompressionLevel),
            nameof(options.UniqueId), nameof(options.TimeStamp), nameof(options.AdapterType));
        var subformat = options.Subformat is null && options.Compress
            ? Stream
            : OptionCheck.Subformat(options.Subformat, ImageFormat.Vmdk, Sparse, Stream);
        var disk = new VmdkNewDisk(options, subformat);
        if (subformat == Stream)
        {
            return new VmdkStreamWriter(disk, OptionCheck.Level(options.CompressionLevel, UnitCodec.Zlib));
        }

        return options.Compress || options.CompressionLevel is not null
            ? throw new ImageOptionException(
                options.Compress ? nameof(options.Compress) : nameof(options.CompressionLevel),
                $"A {Sparse} VMDK is not compressed. Leave the option out, or choose the subformat {Stream}.")
            : new VmdkSparseWriter(disk);
    }

    /// <summary>The descriptor with the zeros behind it.</summary>
    internal byte[] WriteDescriptor()
    {
        const int Heads = 16;
        const int SectorsPerTrack = 63;
        var text = new VmdkDescriptor
        {
            Version = 1,
            ContentId = ContentId,
            CreateType = Subformat,
            Extents = [new VmdkExtentLine("RW", CapacitySectors, "SPARSE", ExtentName)],
            DiskDatabase =
            [
                new("ddb.virtualHWVersion", "4"),
                new("ddb.geometry.cylinders", $"{Math.Max(1, CapacitySectors / (Heads * SectorsPerTrack))}"),
                new("ddb.geometry.heads", $"{Heads}"),
                new("ddb.geometry.sectors", $"{SectorsPerTrack}"),
                new("ddb.adapterType", AdapterType),
                new("ddb.toolsVersion", "2147483647"),
            ],
        }.Write();
        var bytes = new byte[DescriptorSectors * SectorLength];
        Encoding.ASCII.GetBytes(text, bytes);
        return bytes;
    }

    /// <summary>The fields of the header that do not depend on the kind.</summary>
    internal VmdkSparseHeader CreateHeader() => new()
    {
        CapacitySectors = (ulong)CapacitySectors,
        GrainSectors = (ulong)GrainSectors,
        DescriptorSector = 1,
        DescriptorSectors = DescriptorSectors,
        EntriesPerGrainTable = EntriesPerTable,
    };

    /// <summary>Refuses what a table entry of 32 bits cannot reach.</summary>
    /// <param name="endSector">Where the file would then end.</param>
    internal static void RequireReachable(long endSector)
    {
        if (endSector > uint.MaxValue)
        {
            throw new ImageOptionException(
                nameof(WriterOptions.VirtualSize),
                "The disk has more data than the 2 TiB that a VMDK file can hold, because its tables count sectors in "
                + "32 bits. Choose another format, or streamOptimized where the data compress well.");
        }
    }

    /// <summary>Writes what tells whether a saved state is of the same disk.</summary>
    internal void SaveIdentity(BinaryWriter writer)
    {
        writer.Write(Subformat);
        writer.Write(CapacitySectors);
        writer.Write(GrainLength);
    }

    /// <summary>Refuses the state of another disk.</summary>
    internal void RequireIdentity(BinaryReader reader)
    {
        if (reader.ReadString() != Subformat || reader.ReadInt64() != CapacitySectors
            || reader.ReadInt64() != GrainLength)
        {
            throw new InvalidDataException("The saved state is that of another image.");
        }
    }
}
