using System.Buffers.Binary;
using System.Text;

namespace ImageUtils.Formats.Vdi;

/// <summary>What the header's image type says.</summary>
internal enum VdiImageType : uint
{
    Dynamic = 1,
    Static = 2,
    Undo = 3,
    Differencing = 4,
}

/// <summary>Pre-header and header of version 1.1.</summary>
/// <remarks>
/// VirtualBox, src/VBox/Storage/VDICore.h (VDIPREHEADER, VDIHEADER1PLUS); the specification is its comments.
/// Integers are little-endian, UUIDs in Microsoft's byte order.
/// <code>
///   0 64  text                           360  4  sector size
///  64  4  signature 0xBEDA107F           364  4  unused
///  68  4  version, major in the upper 16 368  8  disk size
///  72  4  header size, from byte 72      376  4  block size
///  76  4  image type                     380  4  block extra
///  80  4  image flags                    384  4  blocks in image
///  84 256 description                    388  4  blocks allocated
/// 340  4  offset of the block map        392 16  uuid of the image
/// 344  4  offset of the data             408 16  uuid of its last change
/// 348 12  cylinders, heads, sectors      424 16  uuid of the parent
///                                        440 16  uuid of the parent's last change
/// </code>
/// </remarks>
internal sealed record VdiHeader
{
    /// <summary>Where the fields with a meaning end.</summary>
    internal const int Length = 456;

    internal const int SignatureOffset = 64;
    internal const uint Signature = 0xBEDA107F;
    internal const uint Version11 = 0x0001_0001;
    internal const int SectorSizeOfDisk = 512;

    /// <summary>Where the header size is counted from.</summary>
    internal const int HeaderStart = 72;

    private const int TextLength = 64;
    private const int DescriptionOffset = 84;
    private const int DescriptionLength = 256;

    public string Text { get; init; } = "";

    public uint Version { get; init; } = Version11;

    public uint HeaderSize { get; init; } = Length - HeaderStart;

    public VdiImageType ImageType { get; init; }

    public uint ImageFlags { get; init; }

    public string Description { get; init; } = "";

    public uint BlockMapOffset { get; init; }

    public uint DataOffset { get; init; }

    public uint Cylinders { get; init; }

    public uint Heads { get; init; }

    public uint Sectors { get; init; }

    public uint SectorSize { get; init; } = SectorSizeOfDisk;

    public ulong DiskSize { get; init; }

    public uint BlockSize { get; init; }

    /// <summary>Bytes before each block's data.</summary>
    public uint BlockExtra { get; init; }

    public uint BlocksInImage { get; init; }

    public uint BlocksAllocated { get; init; }

    public Guid ImageId { get; init; }

    public Guid ModificationId { get; init; }

    /// <summary>The parent's <see cref="ImageId"/>; zero: there is none. QEMU calls it the link.</summary>
    public Guid ParentId { get; init; }

    /// <summary>The parent's <see cref="ModificationId"/>; zero: there is none. QEMU calls it the parent.</summary>
    public Guid ParentModificationId { get; init; }

    /// <summary>Whether the image depends on another, by any of the fields that say so.</summary>
    internal bool HasParent => ImageType is VdiImageType.Undo or VdiImageType.Differencing
        || ParentId != Guid.Empty || ParentModificationId != Guid.Empty;

    /// <summary>Reads a header of <see cref="Length"/> bytes.</summary>
    internal static VdiHeader Parse(ReadOnlySpan<byte> bytes) => new()
    {
        Text = ReadText(bytes[..TextLength]),
        Version = BinaryPrimitives.ReadUInt32LittleEndian(bytes[68..]),
        HeaderSize = BinaryPrimitives.ReadUInt32LittleEndian(bytes[72..]),
        ImageType = (VdiImageType)BinaryPrimitives.ReadUInt32LittleEndian(bytes[76..]),
        ImageFlags = BinaryPrimitives.ReadUInt32LittleEndian(bytes[80..]),
        Description = ReadText(bytes.Slice(DescriptionOffset, DescriptionLength)),
        BlockMapOffset = BinaryPrimitives.ReadUInt32LittleEndian(bytes[340..]),
        DataOffset = BinaryPrimitives.ReadUInt32LittleEndian(bytes[344..]),
        Cylinders = BinaryPrimitives.ReadUInt32LittleEndian(bytes[348..]),
        Heads = BinaryPrimitives.ReadUInt32LittleEndian(bytes[352..]),
        Sectors = BinaryPrimitives.ReadUInt32LittleEndian(bytes[356..]),
        SectorSize = BinaryPrimitives.ReadUInt32LittleEndian(bytes[360..]),
        DiskSize = BinaryPrimitives.ReadUInt64LittleEndian(bytes[368..]),
        BlockSize = BinaryPrimitives.ReadUInt32LittleEndian(bytes[376..]),
        BlockExtra = BinaryPrimitives.ReadUInt32LittleEndian(bytes[380..]),
        BlocksInImage = BinaryPrimitives.ReadUInt32LittleEndian(bytes[384..]),
        BlocksAllocated = BinaryPrimitives.ReadUInt32LittleEndian(bytes[388..]),
        ImageId = new Guid(bytes.Slice(392, 16)),
        ModificationId = new Guid(bytes.Slice(408, 16)),
        ParentId = new Guid(bytes.Slice(424, 16)),
        ParentModificationId = new Guid(bytes.Slice(440, 16)),
    };

    /// <summary>Writes the header into <see cref="Length"/> bytes.</summary>
    internal void Write(Span<byte> bytes)
    {
        bytes = bytes[..Length];
        bytes.Clear();
        Encoding.UTF8.GetBytes(Text, bytes[..TextLength]);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[SignatureOffset..], Signature);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[68..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[72..], HeaderSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[76..], (uint)ImageType);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[80..], ImageFlags);
        Encoding.UTF8.GetBytes(Description, bytes.Slice(DescriptionOffset, DescriptionLength));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[340..], BlockMapOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[344..], DataOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[348..], Cylinders);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[352..], Heads);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[356..], Sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[360..], SectorSize);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[368..], DiskSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[376..], BlockSize);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[380..], BlockExtra);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[384..], BlocksInImage);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[388..], BlocksAllocated);
        ImageId.TryWriteBytes(bytes[392..]);
        ModificationId.TryWriteBytes(bytes[408..]);
        ParentId.TryWriteBytes(bytes[424..]);
        ParentModificationId.TryWriteBytes(bytes[440..]);
    }

    private static string ReadText(ReadOnlySpan<byte> field)
    {
        var end = field.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? field : field[..end]);
    }
}
