using ImageUtils.Errors;

namespace ImageUtils.Codecs;

/// <summary>
/// Compresses single units, each by itself. One per thread: it keeps its engine's context and is not to be called
/// from two threads at once.
/// </summary>
internal abstract class UnitEncoder : IDisposable
{
    /// <summary>
    /// What qcow2 promises for deflate: 4 KiB, as zlib's window bits. qemu writes with it, and reads with it.
    /// </summary>
    internal const int Qcow2WindowBits = 12;

    /// <summary>Makes an encoder.</summary>
    /// <param name="codec">How to compress.</param>
    /// <param name="level">Within <see cref="LevelsOf"/>; null for the codec's default.</param>
    /// <param name="maximumUnitLength">In bytes, the longest unit that it will be given.</param>
    /// <exception cref="ArgumentOutOfRangeException">The codec has no such level.</exception>
    /// <exception cref="ZstdMissingException">zstd is asked for, and libzstd is not installed.</exception>
    public static UnitEncoder Create(UnitCodec codec, int? level = null, int maximumUnitLength = 65536) =>
        Create(codec, level, maximumUnitLength, CodecEngines.All);

    /// <summary>The levels that a codec has: the higher, the smaller and slower.</summary>
    public static (int Minimum, int Maximum, int Default) LevelsOf(UnitCodec codec) => codec switch
    {
        UnitCodec.Deflate => (1, 9, 6),
        UnitCodec.Zlib => (1, 9, 6),
        UnitCodec.Zstd => (1, 22, 3),
        _ => throw new ArgumentOutOfRangeException(nameof(codec), codec, "There is no such codec."),
    };

    /// <summary>As the public overload, with fewer engines.</summary>
    internal static UnitEncoder Create(UnitCodec codec, int? level, int maximumUnitLength, CodecEngines engines)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(maximumUnitLength);
        var (minimum, maximum, standard) = LevelsOf(codec);
        var chosen = level ?? standard;
        if (chosen < minimum || chosen > maximum)
        {
            throw new ArgumentOutOfRangeException(
                nameof(level), chosen, $"Levels of {codec} go from {minimum} to {maximum}.");
        }

        if (codec == UnitCodec.Zstd)
        {
            return engines.HasFlag(CodecEngines.Zstd) && LibZstd.IsAvailable
                ? new ZstdUnitEncoder(chosen)
                : throw new ZstdMissingException();
        }

        return new DeflateUnitEncoder(codec, chosen, maximumUnitLength);
    }

    /// <summary>
    /// The most bytes that a unit takes up as deflate or zlib, whatever it holds: a target of this length is always
    /// enough. It is the unit, stored in blocks of at most 65535 bytes, in zlib's frame.
    /// </summary>
    /// <param name="unitLength">In bytes.</param>
    internal static int MaximumEncodedLength(int unitLength) =>
        checked(StoredBlocks.LengthOf(unitLength) + StoredBlocks.ZlibFrameLength);

    /// <summary>Compresses one unit.</summary>
    /// <param name="unit">Its bytes.</param>
    /// <param name="target">
    /// Where to. Its length is the limit: the unit's length less one, to keep only what got smaller.
    /// </param>
    /// <returns>How many bytes of the target are the result; 0 where it does not fit.</returns>
    public abstract int Encode(ReadOnlySpan<byte> unit, Span<byte> target);

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Gives the context back; called once or more.</summary>
    protected abstract void Dispose(bool disposing);
}
