namespace ImageUtils.Codecs;

/// <summary>How a unit (a cluster or grain) is compressed.</summary>
public enum UnitCodec
{
    /// <summary>A raw deflate stream (RFC 1951): qcow2's <c>zlib</c> clusters.</summary>
    Deflate,

    /// <summary>A zlib stream (RFC 1950): VMDK's compressed grains.</summary>
    Zlib,

    /// <summary>A Zstandard frame (RFC 8878): qcow2's <c>zstd</c> clusters.</summary>
    Zstd,
}
