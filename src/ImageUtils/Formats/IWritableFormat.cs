using ImageUtils.Conversion;

namespace ImageUtils.Formats;

/// <summary>A format that can be written natively.</summary>
public interface IWritableFormat : IImageFormat
{
    /// <summary>Makes the writer of one image. Nothing is written yet.</summary>
    /// <exception cref="Errors.ImageOptionException">An option that the format does not have, or a bad value.</exception>
    ImageWriter CreateWriter(WriterOptions options);
}
