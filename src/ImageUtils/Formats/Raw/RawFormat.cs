using ImageUtils.Conversion;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Formats.Raw;

/// <summary>A disk without a container: what is left when nothing else matches.</summary>
internal sealed class RawFormat : IReadableFormat, IWritableFormat
{
    public ImageFormat Format => ImageFormat.Raw;

    public IReadOnlyList<SafetyCheck> Checks { get; } =
    [
        new(CheckNames.Null, "Raw content has no structure that could name another file or mislead a reader."),
    ];

    public ValueTask<bool> ProbeAsync(ForwardReader reader, CancellationToken cancellationToken) =>
        ValueTask.FromResult(true);

    public async ValueTask InspectAsync(InspectionContext context, CancellationToken cancellationToken)
    {
        context.Pass(CheckNames.Null);
        context.Image.VirtualSize = await context.Reader.GetLengthAsync(cancellationToken).ConfigureAwait(false);
    }

    public async ValueTask<ImageMap> OpenAsync(
        IByteSource source, ReaderContext context, CancellationToken cancellationToken) =>
        new LinearMap(source, 0, await source.GetLengthAsync(cancellationToken).ConfigureAwait(false));

    public ImageWriter CreateWriter(WriterOptions options) => new RawWriter(options);
}
