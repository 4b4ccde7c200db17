using ImageUtils.Codecs;

namespace ImageUtils.Conversion;

/// <summary>
/// What an image that is to be written must be like. Null is the format's default, which is that of qemu-img where it
/// has one. A format refuses what it does not have.
/// </summary>
public sealed record WriterOptions
{
    /// <summary>The disk's size in bytes. A format that cannot have it rounds it up; see <see cref="ImageWriter.VirtualSize"/>.</summary>
    public required long VirtualSize { get; init; }

    /// <summary>
    /// The kind within the format: vhd and vhdx <c>dynamic</c>, <c>fixed</c>, <c>differencing</c>; vmdk
    /// <c>monolithicSparse</c>, <c>streamOptimized</c>; vdi <c>dynamic</c>, <c>static</c>; in any case.
    /// </summary>
    public string? Subformat { get; init; }

    /// <summary>The format's version: qcow2 2 or 3.</summary>
    public int? Version { get; init; }

    /// <summary>The unit of allocation in bytes: cluster (qcow2), block (vhd, vhdx, vdi) or grain (vmdk).</summary>
    public long? ClusterSize { get; init; }

    /// <summary>Whether units are compressed, where the format can (qcow2; streamOptimized always is).</summary>
    public bool Compress { get; init; }

    /// <summary>qcow2: <see cref="UnitCodec.Deflate"/> or <see cref="UnitCodec.Zstd"/>.</summary>
    public UnitCodec? CompressionType { get; init; }

    /// <summary>The codec's level.</summary>
    public int? CompressionLevel { get; init; }

    /// <summary>What is taken up beforehand.</summary>
    public PreallocationMode Preallocation { get; init; }

    /// <summary>qcow2: the width of a reference count in bits, 1 to 64.</summary>
    public int? RefcountBits { get; init; }

    /// <summary>vhd: round the size up to what a cylinder/head/sector geometry can express, as old Virtual PC needs.</summary>
    public bool RoundToGeometry { get; init; }

    /// <summary>vhd: fixed, and the size rounded up to whole MiB, as Azure demands.</summary>
    public bool AzureAligned { get; init; }

    /// <summary>vmdk: the disk controller (<c>ddb.adapterType</c>) for which the disk is made; <c>ide</c> by default.</summary>
    public string? AdapterType { get; init; }

    /// <summary>qcow2: the backing file's name to write; vhd and vhdx: the parent's.</summary>
    public string? BackingFile { get; init; }

    /// <summary>The backing file's format.</summary>
    public ImageFormat BackingFormat { get; init; }

    /// <summary>vhd and vhdx: the parent's identity, as its own header states it.</summary>
    public Guid? ParentId { get; init; }

    /// <summary>vhd: when the parent was last changed.</summary>
    public DateTimeOffset? ParentTimeStamp { get; init; }

    /// <summary>The new image's identity, where the format has one; random by default.</summary>
    public Guid? UniqueId { get; init; }

    /// <summary>When the image is made, where the format records it; now by default.</summary>
    public DateTimeOffset? TimeStamp { get; init; }
}
