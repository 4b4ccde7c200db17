namespace ImageUtils.Codecs;

/// <summary>How one unit of an image (a cluster, a grain) is compressed.</summary>
public enum UnitCodec
{
    /// <summary>
    /// A bare deflate stream (RFC 1951) that looks back at most 4 KiB: what qcow2 calls compression type zlib.
    /// </summary>
    Deflate,

    /// <summary>A deflate stream with header and checksum (RFC 1950): VMDK's compressed grains.</summary>
    Zlib,

    /// <summary>Zstandard frames (RFC 8878): qcow2's compression type zstd.</summary>
    Zstd,
}
