using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Bochs;

/// <summary>Bochs redolog images: recognised because qemu does, and refused.</summary>
internal sealed class BochsFormat : IImageFormat
{
    public ImageFormat Format => ImageFormat.Bochs;

    public ReadOnlySpan<byte> FirstBytes => "B"u8;

    public IReadOnlyList<SafetyCheck> Checks { get; } =
    [
        new(CheckNames.Banned, "Bochs images always fail: nothing but qemu reads them outside of Bochs."),
    ];

    public async ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken)
    {
        var bytes = await reader.ReadAsync(0, BochsHeader.MagicLength, cancellationToken).ConfigureAwait(false);

        // The name ends with a NUL, or with the file, behind which qemu sees zeros.
        var length = BochsHeader.Magic.Length;
        return bytes.Span.StartsWith(BochsHeader.Magic) && (bytes.Length == length || bytes.Span[length] == 0);
    }

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        context.Fail(
            CheckNames.Banned,
            "The image is a Bochs redolog, which is refused. Convert it to qcow2 where it comes from.");
        var bytes = await context.Reader.ReadAsync(0, BochsHeader.Length, cancellationToken).ConfigureAwait(false);
        if (bytes.Length < BochsHeader.Length)
        {
            return;
        }

        var header = BochsHeader.Parse(bytes.Span);
        var image = context.Image;
        image.FormatVersion = $"{header.Version >> 16}.{header.Version & 0xFFFF}";
        image.Subformat = header.Subtype.ToLowerInvariant();
        image.VirtualSize = header.DiskSize <= long.MaxValue ? (long)header.DiskSize & ~511L : null;
        image.ClusterSize = header.ExtentSize;
    }
}
