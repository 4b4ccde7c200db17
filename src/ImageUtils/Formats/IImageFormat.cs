using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats;

/// <summary>
/// One image format: how it is recognised, what is checked, and how it is described. It is given bytes and opens
/// nothing. Both methods run over files and over forward-only streams alike, and so read only forward.
/// </summary>
public interface IImageFormat
{
    /// <summary>Which format this is.</summary>
    ImageFormat Format { get; }

    /// <summary>
    /// The checks that <see cref="InspectAsync"/> gives a verdict on, each. A format with nothing to check declares
    /// <see cref="CheckNames.Null"/> with the reason.
    /// </summary>
    IReadOnlyList<SafetyCheck> Checks { get; }

    /// <summary>
    /// What the first byte of such content can be; empty where it can be any. Where the first byte is at hand, the
    /// probes of formats that it rules out are spared.
    /// </summary>
    ReadOnlySpan<byte> FirstBytes => [];

    /// <summary>
    /// Whether the content is of this format, or would be taken for it by qemu, however malformed. Answers as early
    /// as it can.
    /// </summary>
    ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken);

    /// <summary>
    /// Describes the image in <see cref="InspectionContext.Image"/> and gives a verdict on every declared check.
    /// </summary>
    /// <exception cref="Errors.ImageFormatException">
    /// A structure is malformed: the check that it names fails, and those without a verdict are skipped.
    /// </exception>
    ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken);
}
