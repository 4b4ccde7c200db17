using System.Buffers.Binary;

namespace ImageUtils.Formats.Qcow2;

/// <summary>The header of a qcow2 image.</summary>
/// <remarks>
/// QEMU, docs/interop/qcow2.rst, "Header". Integers are big-endian.
/// <code>
///   0  4  magic "QFI\xfb"                 56  4  refcount_table_clusters
///   4  4  version (2, 3)                  60  4  nb_snapshots
///   8  8  backing_file_offset             64  8  snapshots_offset
///  16  4  backing_file_size               72  8  incompatible_features   (version 3)
///  20  4  cluster_bits                    80  8  compatible_features     (version 3)
///  24  8  size                            88  8  autoclear_features      (version 3)
///  32  4  crypt_method                    96  4  refcount_order          (version 3)
///  36  4  l1_size (entries)              100  4  header_length           (version 3)
///  40  8  l1_table_offset                104  1  compression_type        (header_length over 104)
///  48  8  refcount_table_offset
/// </code>
/// </remarks>
internal sealed record Qcow2Header
{
    internal const uint Magic = 0x514649FB;
    internal const int Version2Length = 72;
    internal const int Version3Length = 104;

    /// <summary>The longest header with a meaning: version 3 with the compression type, padded to 8 bytes.</summary>
    internal const int MaximumLength = 112;

    public required uint Version { get; init; }

    public ulong BackingFileOffset { get; init; }

    public uint BackingFileSize { get; init; }

    public uint ClusterBits { get; init; } = 16;

    public ulong Size { get; init; }

    public uint CryptMethod { get; init; }

    public uint L1Size { get; init; }

    public ulong L1TableOffset { get; init; }

    public ulong RefcountTableOffset { get; init; }

    public uint RefcountTableClusters { get; init; }

    public uint SnapshotCount { get; init; }

    public ulong SnapshotsOffset { get; init; }

    public Qcow2IncompatibleFeatures IncompatibleFeatures { get; init; }

    public Qcow2CompatibleFeatures CompatibleFeatures { get; init; }

    public Qcow2AutoclearFeatures AutoclearFeatures { get; init; }

    public uint RefcountOrder { get; init; } = 4;

    public uint HeaderLength { get; init; } = Version2Length;

    public byte CompressionType { get; init; }

    /// <summary>Reads a header of <see cref="Version2Length"/> bytes at least; what is not there is zero.</summary>
    internal static Qcow2Header Parse(ReadOnlySpan<byte> bytes)
    {
        Span<byte> whole = stackalloc byte[MaximumLength];
        whole.Clear();
        bytes[..Math.Min(bytes.Length, MaximumLength)].CopyTo(whole);
        var version = BinaryPrimitives.ReadUInt32BigEndian(whole[4..]);
        var header = new Qcow2Header
        {
            Version = version,
            BackingFileOffset = BinaryPrimitives.ReadUInt64BigEndian(whole[8..]),
            BackingFileSize = BinaryPrimitives.ReadUInt32BigEndian(whole[16..]),
            ClusterBits = BinaryPrimitives.ReadUInt32BigEndian(whole[20..]),
            Size = BinaryPrimitives.ReadUInt64BigEndian(whole[24..]),
            CryptMethod = BinaryPrimitives.ReadUInt32BigEndian(whole[32..]),
            L1Size = BinaryPrimitives.ReadUInt32BigEndian(whole[36..]),
            L1TableOffset = BinaryPrimitives.ReadUInt64BigEndian(whole[40..]),
            RefcountTableOffset = BinaryPrimitives.ReadUInt64BigEndian(whole[48..]),
            RefcountTableClusters = BinaryPrimitives.ReadUInt32BigEndian(whole[56..]),
            SnapshotCount = BinaryPrimitives.ReadUInt32BigEndian(whole[60..]),
            SnapshotsOffset = BinaryPrimitives.ReadUInt64BigEndian(whole[64..]),
        };
        if (version < 3)
        {
            return header;
        }

        var headerLength = BinaryPrimitives.ReadUInt32BigEndian(whole[100..]);
        return header with
        {
            IncompatibleFeatures = (Qcow2IncompatibleFeatures)BinaryPrimitives.ReadUInt64BigEndian(whole[72..]),
            CompatibleFeatures = (Qcow2CompatibleFeatures)BinaryPrimitives.ReadUInt64BigEndian(whole[80..]),
            AutoclearFeatures = (Qcow2AutoclearFeatures)BinaryPrimitives.ReadUInt64BigEndian(whole[88..]),
            RefcountOrder = BinaryPrimitives.ReadUInt32BigEndian(whole[96..]),
            HeaderLength = headerLength,
            CompressionType = headerLength > Version3Length ? whole[104] : (byte)0,
        };
    }

    /// <summary>Writes the header into <see cref="HeaderLength"/> bytes, at most <see cref="MaximumLength"/>.</summary>
    internal void Write(Span<byte> bytes)
    {
        bytes = bytes[..(int)Math.Min(HeaderLength, MaximumLength)];
        bytes.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(bytes, Magic);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], Version);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], BackingFileOffset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[16..], BackingFileSize);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[20..], ClusterBits);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[24..], Size);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[32..], CryptMethod);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[36..], L1Size);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[40..], L1TableOffset);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[48..], RefcountTableOffset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[56..], RefcountTableClusters);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[60..], SnapshotCount);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[64..], SnapshotsOffset);
        if (Version < 3)
        {
            return;
        }

        BinaryPrimitives.WriteUInt64BigEndian(bytes[72..], (ulong)IncompatibleFeatures);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[80..], (ulong)CompatibleFeatures);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[88..], (ulong)AutoclearFeatures);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[96..], RefcountOrder);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[100..], HeaderLength);
        if (HeaderLength > Version3Length)
        {
            bytes[104] = CompressionType;
        }
    }
}
