using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;

namespace ImageUtils.Formats.Wrappers;

/// <summary>An image in a file that is compressed as a whole: gzip, zstd or xz. It is unpacked in order.</summary>
/// <param name="source">The compressed file.</param>
/// <param name="wrapper">How it is compressed, as the inspector found it.</param>
public sealed class WrappedImage(FileByteSource source, ImageFormat wrapper)
{
    private const string DataCheck = "data";
    private const int BufferLength = 1 << 20;

    // Holes are made of zeros of this length and up, at its multiples.
    private const int HoleLength = 64 * 1024;

    /// <summary>Whether a wrapper is one that is unpacked.</summary>
    public static bool CanUnpack(ImageFormat wrapper) =>
        wrapper is ImageFormat.Gzip or ImageFormat.Zstd or ImageFormat.Xz;

    /// <summary>Opens the content, to be read once; closing it leaves the file open.</summary>
    /// <param name="maximumLength">
    /// The most bytes that may come out; reading beyond them is an <see cref="ImageFormatException"/> with the check
    /// <c>expansion</c>. What is damaged, cut short, or followed by anything else, fails as it is reached.
    /// </param>
    /// <exception cref="UnsupportedImageException">Another wrapper, or its library is not installed.</exception>
    /// <exception cref="ZstdMissingException">libzstd is not installed.</exception>
    public Stream OpenDecompressed(long maximumLength) => OpenDecompressed(source, wrapper, maximumLength);

    /// <summary>Opens the content of a file that is read from its first byte to its last.</summary>
    /// <inheritdoc cref="OpenDecompressed(long)"/>
    internal static Stream OpenDecompressed(IByteSource source, ImageFormat wrapper, long maximumLength) =>
        new DecompressedStream(source, wrapper, CreateDecoder(wrapper), maximumLength);

    /// <summary>Unpacks the content into a file; where it is zero, the file is left as it is or made a hole.</summary>
    /// <param name="source">The compressed file.</param>
    /// <param name="wrapper">How it is compressed.</param>
    /// <param name="target">Receives the content from its first byte on, and its length.</param>
    /// <param name="maximumLength">The most bytes that may come out.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <returns>The content's length in bytes.</returns>
    /// <inheritdoc cref="OpenDecompressed(long)"/>
    public static async ValueTask<long> UnpackAsync(
        FileByteSource source,
        ImageFormat wrapper,
        IByteSink target,
        long maximumLength,
        CancellationToken cancellationToken)
    {
        var content = new WrappedImage(source, wrapper).OpenDecompressed(maximumLength);
        await using (content.ConfigureAwait(false))
        {
            var buffer = new byte[BufferLength];
            long position = 0;
            while (true)
            {
                var length = await content.ReadAtLeastAsync(
                    buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                await WriteSparselyAsync(target, position, buffer.AsMemory(0, length), cancellationToken)
                    .ConfigureAwait(false);
                position += length;
                if (length < buffer.Length)
                {
                    await target.SetLengthAsync(position, cancellationToken).ConfigureAwait(false);
                    return position;
                }
            }
        }
    }

    internal static ImageFormatException Damaged(ImageFormat wrapper, string? reason) => new(
        DataCheck,
        $"The {wrapper.ToName()} file is damaged, or something else follows its compressed data ({reason}).");

    /// <summary>Writes a piece; where it is zero, the file is left as it is or made a hole.</summary>
    internal static async ValueTask WriteSparselyAsync(
        IByteSink target, long offset, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        for (var at = 0; at < data.Length;)
        {
            var end = Math.Min(at + HoleLength, data.Length);
            var isZero = ZeroScan.IsZero(data.Span[at..end]);
            while (end < data.Length
                && ZeroScan.IsZero(data.Span[end..Math.Min(end + HoleLength, data.Length)]) == isZero)
            {
                end = Math.Min(end + HoleLength, data.Length);
            }

            if (!isZero)
            {
                await target.WriteAsync(offset + at, data[at..end], cancellationToken).ConfigureAwait(false);
            }
            else if (!target.IsZeroed)
            {
                await target.WriteZeroesAsync(offset + at, end - at, cancellationToken).ConfigureAwait(false);
            }

            at = end;
        }
    }

    private static IStreamDecoder CreateDecoder(ImageFormat wrapper) => wrapper switch
    {
        ImageFormat.Gzip => new GzipDecoder(),
        ImageFormat.Zstd => new ZstdDecoder(),
        ImageFormat.Xz => new XzDecoder(),
        _ => throw new UnsupportedImageException(
            $"A {wrapper.ToName()} file is not unpacked here. Unpack it by its own tool first."),
    };
}
