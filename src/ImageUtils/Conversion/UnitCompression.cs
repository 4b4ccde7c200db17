using ImageUtils.Codecs;

namespace ImageUtils.Conversion;

/// <summary>How a writer wants its units compressed.</summary>
/// <param name="Codec">The codec.</param>
/// <param name="Level">Its level; null: the codec's default.</param>
/// <param name="UnitLength">The unit's length in bytes.</param>
/// <param name="IsOptional">Whether a unit that does not become shorter is stored as it is.</param>
public sealed record UnitCompression(UnitCodec Codec, int? Level, int UnitLength, bool IsOptional);
