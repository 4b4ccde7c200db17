using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Cloop;

/// <summary>Compressed loop images: recognised because qemu does, and refused.</summary>
internal sealed class CloopFormat : IImageFormat
{
    public ImageFormat Format => ImageFormat.Cloop;

    public ReadOnlySpan<byte> FirstBytes => "#"u8;

    public IReadOnlyList<SafetyCheck> Checks { get; } =
    [
        new(CheckNames.Banned, "Compressed loop images always fail: no cloud uses them."),
    ];

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader.ReadAsync(0, CloopHeader.Magic.Length, cancellationToken).ConfigureAwait(false);
        return bytes.Span.SequenceEqual(CloopHeader.Magic);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        context.Fail(
            CheckNames.Banned,
            "The image is a compressed loop image, which is refused. Convert it to raw where it comes from.");
        var bytes = await context.Reader.ReadAsync(0, CloopHeader.Length, cancellationToken).ConfigureAwait(false);
        if (bytes.Length == CloopHeader.Length && CloopHeader.Parse(bytes.Span) is { IsBlockSizePossible: true } header)
        {
            context.Image.VirtualSize = (long)header.Blocks * header.BlockSize;
            context.Image.ClusterSize = header.BlockSize;
            context.Image.CompressionType = "zlib";
        }
    }
}
