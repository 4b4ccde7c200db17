namespace ImageUtils.Codecs;

/// <summary>The libraries that a decoder or encoder may use, where they are there.</summary>
[Flags]
internal enum CodecEngines
{
    /// <summary>Only .NET's streams.</summary>
    None = 0,

    /// <summary>libdeflate.</summary>
    LibDeflate = 1,

    /// <summary>.NET's zlib-ng, called directly.</summary>
    RuntimeZlib = 2,

    /// <summary>libzstd.</summary>
    Zstd = 4,

    /// <summary>Whatever is installed.</summary>
    All = LibDeflate | RuntimeZlib | Zstd,
}
