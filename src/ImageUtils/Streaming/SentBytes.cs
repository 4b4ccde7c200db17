namespace ImageUtils.Streaming;

/// <summary>Is given all bytes of a file that is sent, in order.</summary>
internal delegate void SentBytes(ReadOnlySpan<byte> bytes);
