using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Formats;

/// <summary>A format whose disk can be read natively.</summary>
public interface IReadableFormat : IImageFormat
{
    /// <summary>Reads what is needed to map the disk. Nothing is written, whatever state the image is in.</summary>
    /// <param name="source">The image, which the inspector has passed; positioned reads, no forward-only rule.</param>
    /// <param name="context">What the reader is told, and its way to other files.</param>
    /// <param name="cancellationToken">Ends the work.</param>
    /// <exception cref="Errors.ImageFormatException">A structure is malformed.</exception>
    /// <exception cref="Errors.UnsupportedImageException">A kind of image that is not read natively.</exception>
    ValueTask<ImageMap> OpenAsync(IByteSource source, ReaderContext context, CancellationToken cancellationToken);
}
