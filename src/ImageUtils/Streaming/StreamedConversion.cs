using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.IO;
using ImageUtils.Mapping;
using ImageUtils.Safety;

namespace ImageUtils.Streaming;

/// <summary>
/// A conversion of an image that passes once: its tables are read by ranges first, and inspected; then all of it passes
/// from front to back, and each piece of data goes to its place. Nothing is stored but the target, which is not there before
/// all is known to be right.
/// </summary>
internal sealed class StreamedConversion
{
    private readonly ConversionRequest _request;
    private readonly RemoteSource _source;
    private readonly ImageInspection _inspection;

    /// <param name="request">
    /// What is asked for: destination, format, target, space; the source's path names the image in messages.
    /// </param>
    /// <param name="source">The image.</param>
    /// <param name="inspection">What the inspector found in it, which has passed.</param>
    internal StreamedConversion(ConversionRequest request, RemoteSource source, ImageInspection inspection)
    {
        _request = request;
        _source = source;
        _inspection = inspection;
    }

    /// <summary>Opens the image, from its first byte on.</summary>
    internal required Func<CancellationToken, Task<Stream>> OpenAsync { get; init; }

    /// <summary>Is given every byte, in order.</summary>
    internal PassedBytes? OnPassed { get; init; }

    /// <summary>Is called when all bytes have passed; what it throws keeps the target from becoming visible.</summary>
    internal Action? Verify { get; init; }

    /// <summary>Is told how many bytes of the image have passed.</summary>
    internal IProgress<ConversionProgress>? Progress { get; init; }

    /// <summary>Puts something between the writer and the destination; tests let it fail.</summary>
    internal Func<IByteSink, IByteSink> Through { get; init; } = sink => sink;

    /// <summary>Converts.</summary>
    /// <param name="cancellationToken">Ends the work; nothing is left then.</param>
    /// <returns>What was done; null, with nothing done, where the image must be a file for it.</returns>
    /// <exception cref="ImageFormatException">The image is damaged, or changed while it was read.</exception>
    /// <exception cref="ImageWriteException">The destination exists, is too small, full, or cannot be written.</exception>
    /// <exception cref="ConversionResultException">The result is not what it should be.</exception>
    internal async Task<ImageConversionResult?> RunAsync(CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        var paced = new PacedProgress(Progress);
        if (ImageOpener.FindReader(_inspection.Format) is not { } reader
            || ImageConverter.FindWriter(_request.DestinationFormat) is not { } format)
        {
            return null;
        }

        var tables = await reader.OpenAsync(
            _source, new LonelyContext(_request.SourcePath) { Inspection = _inspection }, cancellationToken)
            .ConfigureAwait(false);
        var options = _request.Target with { VirtualSize = tables.VirtualSize };
        var path = Destination.Resolve(_request.DestinationPath);
        if (format.CreateWriter(options).Compression is not null
            || await PassingPiece.ListAsync(tables, _source, cancellationToken).ConfigureAwait(false) is not { } pieces)
        {
            return null;
        }

        var map = new PieceMap(pieces, _source, tables.VirtualSize);

        if (_request.CheckSpace)
        {
            var plan = await ConversionPlan.MakeAsync(format.CreateWriter(options), map, cancellationToken)
                .ConfigureAwait(false);
            plan.ThrowIfNoSpace(path);
        }

        using var destination = Destination.Create(path, _request.Overwrite);
        var sink = Through(destination.Sink);
        var writer = format.CreateWriter(options);
        using var target = await PlacedTarget.MakeAsync(writer, sink, map, cancellationToken).ConfigureAwait(false);
        if (target is null)
        {
            return null;
        }

        PassingPiece.Sort(pieces);
        var stream = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var copy = new PassingCopy(_source, pieces, target)
            {
                OnPassed = OnPassed,
                OnPosition = position => paced.Report(ConversionStage.Converting, position, _source.Length),
            };
            await copy.RunAsync(stream, cancellationToken).ConfigureAwait(false);
        }

        Verify?.Invoke();
        await target.FinishAsync(cancellationToken).ConfigureAwait(false);
        paced.Report(ConversionStage.Flushing, _source.Length, _source.Length);
        await Completion.FlushAsync(sink, cancellationToken).ConfigureAwait(false);
        var (found, length) = await ResultCheck.InspectAsync(
            destination, _request, writer.VirtualSize, cancellationToken).ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        destination.Commit();
        return new ImageConversionResult
        {
            Source = _request.SourcePath,
            Destination = destination.Path,
            SourceFormat = _inspection.Format,
            DestinationFormat = _request.DestinationFormat,
            Subformat = found.Subformat,
            VirtualSize = writer.VirtualSize,
            FileSize = length,
            BytesRead = _source.Length + _source.BytesRead,
            BytesWritten = destination.Sink.BytesWritten,
            Duration = Stopwatch.GetElapsedTime(started),
            Engine = ConversionEngine.Native,
        };
    }

    /// <summary>A remote image has no other files.</summary>
    private sealed class LonelyContext(string name) : ReaderContext
    {
        public override ValueTask<OpenedParent> OpenParentAsync(
            string reference, ImageFormat statedFormat, CancellationToken cancellationToken) =>
            throw Refuse(CheckNames.BackingFile, reference);

        public override ValueTask<IByteSource> OpenDataFileAsync(
            string reference, CancellationToken cancellationToken) => throw Refuse(CheckNames.DataFile, reference);

        private ImageUnsafeException Refuse(string check, string reference) => new(
            name,
            [
                new SafetyCheckResult(
                    check, CheckVerdict.Failed,
                    $"It names '{Printable.Text(reference)}', and a remote image has no other files. Flatten it first."),
            ]);
    }
}
