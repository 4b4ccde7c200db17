using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Wrappers;

/// <summary>
/// A compressed file or an archive: something else is inside, which is known only once it is unpacked.
/// </summary>
internal sealed class WrapperFormat(WrapperSignature signature) : IImageFormat
{
    // Tools write one skippable frame, or a few, before the first with content.
    private const int MaximumSkippedFrames = 16;

    public ImageFormat Format => signature.Format;

    public ReadOnlySpan<byte> FirstBytes => signature.FirstBytes;

    public IReadOnlyList<SafetyCheck> Checks { get; } =
    [
        new(
            CheckNames.Null,
            $"A {signature.Format.ToName()} file is a wrapper: what is inside is inspected once it is unpacked."),
    ];

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader.ReadAsync(0, WrapperSignature.Length, cancellationToken).ConfigureAwait(false);
        if (signature.Matches(bytes.Span))
        {
            return true;
        }

        return signature.Format == ImageFormat.Zstd
            && await IsZstdBehindSkippableFramesAsync(reader, bytes, cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        context.Pass(CheckNames.Null, Checks[0].Description);
        var bytes = await context.Reader.ReadAsync(0, WrapperSignature.Length, cancellationToken).ConfigureAwait(false);
        context.Image.Details = new WrapperDetails(signature.FindName(bytes.Span));
    }

    private static async ValueTask<bool> IsZstdBehindSkippableFramesAsync(
        ForwardReader reader, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        const int FrameHeaderLength = 8;
        long at = 0;
        for (var skipped = 0; skipped < MaximumSkippedFrames; skipped++)
        {
            if (WrapperSignature.FindSkippableLength(bytes.Span) is not { } length)
            {
                return false;
            }

            at += length;
            bytes = await reader.ReadAsync(at, FrameHeaderLength, cancellationToken).ConfigureAwait(false);
            if (WrapperSignature.IsZstdFrame(bytes.Span))
            {
                return true;
            }
        }

        return false;
    }
}
