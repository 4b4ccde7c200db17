namespace ImageUtils.Formats.Wrappers;

/// <summary>Where a decompressor stands after a call.</summary>
internal enum DecodeState
{
    /// <summary>It goes on: with more of the data, or more room.</summary>
    Underway,

    /// <summary>A member is complete. What follows it, if anything, must be another.</summary>
    MemberEnd,
}

/// <summary>Decompresses a stream from front to back, member after member.</summary>
internal interface IStreamDecoder : IDisposable
{
    /// <summary>Decompresses some.</summary>
    /// <param name="source">The data at hand.</param>
    /// <param name="isLast">Whether no other data follow.</param>
    /// <param name="target">The room for what comes out.</param>
    /// <param name="consumed">How much of <paramref name="source"/> is done with.</param>
    /// <param name="produced">How much of <paramref name="target"/> was filled.</param>
    /// <exception cref="Errors.ImageFormatException">The data are damaged.</exception>
    DecodeState Decode(
        ReadOnlySpan<byte> source, bool isLast, Span<byte> target, out int consumed, out int produced);
}
