using ImageUtils.Inspection;

namespace ImageUtils.Formats.Vmdk;

/// <summary>What only VMDK has.</summary>
public sealed record VmdkDetails : FormatDetails
{
    /// <summary>The createType as written in the descriptor; null where there is none.</summary>
    public string? CreateType { get; init; }

    /// <summary>The content's identifier, which changes with the first write after the disk is opened.</summary>
    public uint? ContentId { get; init; }

    /// <summary>The identifier that the parent's content must have; 0xffffffff: no parent.</summary>
    public uint? ParentContentId { get; init; }

    /// <summary>The extents in the guest's order.</summary>
    public IReadOnlyList<VmdkExtent> Extents { get; init; } = [];

    /// <summary>
    /// Whether the descriptor is inside the file that holds the data; null where qemu-img answered, which does not say.
    /// </summary>
    public bool? IsEmbedded { get; init; }

    /// <summary>The virtual hardware's version (<c>ddb.virtualHWVersion</c>).</summary>
    public string? HardwareVersion { get; init; }

    /// <summary>The disk controller (<c>ddb.adapterType</c>): ide, lsilogic, buslogic…</summary>
    public string? AdapterType { get; init; }

    /// <summary>The guest tools' version (<c>ddb.toolsVersion</c>).</summary>
    public string? ToolsVersion { get; init; }
}

/// <summary>One extent of a VMDK.</summary>
/// <param name="Access">RW, RDONLY or NOACCESS, as written; null where qemu-img answered, which does not say.</param>
/// <param name="Format">
/// SPARSE, FLAT, ZERO, VMFS…, as written; null where qemu-img answered and the extent is the image itself.
/// </param>
/// <param name="FileName">
/// The file that holds it, as written; null for ZERO. Where qemu-img answered, as reached from the image's directory.
/// </param>
/// <param name="VirtualSize">Its size in bytes; null where the number of sectors is beyond any disk.</param>
/// <param name="Offset">Where it starts in its file, in bytes; null where that is not written or not said.</param>
/// <param name="ClusterSize">
/// Its grain in bytes, where the extent is the image itself. qemu-img opens the other files, and tells theirs as well.
/// </param>
/// <param name="IsCompressed">Whether its grains are compressed, where the extent is the image itself.</param>
public sealed record VmdkExtent(
    string? Access,
    string? Format,
    string? FileName,
    long? VirtualSize,
    long? Offset,
    long? ClusterSize,
    bool IsCompressed);
