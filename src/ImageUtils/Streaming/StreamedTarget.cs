using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Streaming;

/// <summary>
/// An image that is made while it is sent, from its first byte to its last, with no file of it: an upload's body.
/// </summary>
/// <remarks>
/// What is not compressed is planned: the source is searched for zeros, the writer runs over a sink that keeps its
/// tables and where data would lie, and then all goes out in the file's order; the length is known before. A
/// streamOptimized VMDK is written in order, and goes out as it is made. The tables of a compressed qcow2 come before
/// the data on whose lengths they depend: that one is made in a temporary file first.
/// </remarks>
internal sealed class StreamedTarget : IDisposable
{
    private readonly StreamedTargetRequest _request;
    private readonly ImageMap _source;
    private readonly WriterOptions _options;
    private readonly SourceStamp _stamp;
    private readonly List<IDisposable> _owned = [];
    private LayoutPlan? _plan;
    private ImageMap? _data;

    private StreamedTarget(OpenedImage source, StreamedTargetRequest request)
    {
        _request = request;
        _source = source.Map;
        _options = request.Target with { VirtualSize = source.Map.VirtualSize };
        _stamp = SourceStamp.Of(source);
    }

    /// <summary>How many bytes are sent; null where that shows only when they have been.</summary>
    internal long? Length => _request.Gzip is null ? FileLength : null;

    /// <summary>The file's length before gzip, in bytes; null where it is not known beforehand.</summary>
    internal long? FileLength => _plan?.Length;

    /// <summary>The disk's size in bytes as the image states it.</summary>
    internal long VirtualSize { get; private set; }

    /// <summary>How many bytes were put into temporary files.</summary>
    internal long TemporaryBytes { get; private set; }

    private string TemporaryDirectory => _request.TemporaryDirectory ?? Path.GetTempPath();

    /// <summary>Finds out what the image will be like.</summary>
    /// <param name="source">The disk; it stays open as long as the result is in use.</param>
    /// <param name="request">What is asked for.</param>
    /// <param name="cancellationToken">Ends the work; nothing is left then.</param>
    /// <exception cref="UnsupportedImageException">The format is not written natively.</exception>
    /// <exception cref="ImageOptionException">The format does not have an option, or it makes no sense
    /// here.</exception>
    /// <exception cref="ImageFormatException">The source is damaged.</exception>
    /// <exception cref="ImageFileException">The source cannot be read.</exception>
    /// <exception cref="ImageWriteException">There is no room for a temporary file.</exception>
    internal static async Task<StreamedTarget> PlanAsync(
        OpenedImage source, StreamedTargetRequest request, CancellationToken cancellationToken)
    {
        if (request.Target.BackingFile is not null || request.Target.ParentId is not null)
        {
            throw new ImageOptionException(
                nameof(WriterOptions.BackingFile),
                "An image that is sent holds all of its disk: it cannot be based on another. Leave the option out.");
        }

        var target = new StreamedTarget(source, request);
        try
        {
            await target.PlanAsync(cancellationToken).ConfigureAwait(false);
            return target;
        }
        catch
        {
            target.Dispose();
            throw;
        }
    }

    /// <summary>Sends the image. It can be sent again, where it has to be.</summary>
    /// <param name="stream">Where it goes; it is flushed, and stays open.</param>
    /// <param name="observers">Are given all bytes that are sent, in order, each on a thread of its own.</param>
    /// <param name="onSent">Is told how many bytes were sent.</param>
    /// <param name="cancellationToken">Ends the work; nothing is at work any more when this returns.</param>
    /// <returns>How many bytes were sent.</returns>
    /// <exception cref="SourceChangedException">The source was written to; the last bytes were not sent.</exception>
    /// <exception cref="ImageFormatException">The source is damaged.</exception>
    /// <exception cref="ImageFileException">The source cannot be read any more.</exception>
    /// <exception cref="IOException">The receiver has gone.</exception>
    internal Task<long> WriteToAsync(
        Stream stream,
        IReadOnlyList<SentBytes> observers,
        Action<long>? onSent = null,
        CancellationToken cancellationToken = default) =>
        SendLine.RunAsync(
            stream,
            _plan is null ? AppendAsync : DescribeAsync,
            _request.Gzip is { } level ? new GzipLine(level) : null,
            observers,
            _stamp.ThrowIfChanged,
            onSent,
            cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _owned.ForEach(one => one.Dispose());

    private async Task PlanAsync(CancellationToken cancellationToken)
    {
        var writer = MakeWriter();
        VirtualSize = writer.VirtualSize;
        if (writer.Compression is null)
        {
            await LayOutAsync(writer, cancellationToken).ConfigureAwait(false);
        }
        else if (!writer.TryAppend())
        {
            await SpoolAsync(writer, cancellationToken).ConfigureAwait(false);
        }

        _stamp.ThrowIfChanged();
    }

    private async Task LayOutAsync(ImageWriter writer, CancellationToken cancellationToken)
    {
        var plan = MakePlan();
        await writer.BeginAsync(plan, cancellationToken).ConfigureAwait(false);
        if (writer.LinearOffset is { } offset)
        {
            await plan.AddGuestAsync(0, _source.VirtualSize, offset, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            var end = 0L;
            await UnitScan.RunAsync(
                _source, writer.UnitSize,
                async (start, length, token) =>
                {
                    end = await PlaceAsync(writer, plan, Math.Max(start, end), start + length, token)
                        .ConfigureAwait(false);
                },
                _request.OnPlanned, cancellationToken).ConfigureAwait(false);
        }

        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        await plan.CompleteAsync(cancellationToken).ConfigureAwait(false);
        TemporaryBytes = plan.TemporaryBytes;
        _data = _source;
    }

    // Returns the end of the last unit that has its place.
    private async ValueTask<long> PlaceAsync(
        ImageWriter writer, LayoutPlan plan, long start, long end, CancellationToken cancellationToken)
    {
        while (start < end)
        {
            var unit = start - start % writer.UnitSize;
            var length = Math.Min(writer.UnitSize, writer.VirtualSize - unit);
            var place = await writer.PlaceAsync(unit, length, cancellationToken).ConfigureAwait(false);
            await plan.AddGuestAsync(unit, Math.Min(length, _source.VirtualSize - unit), place, cancellationToken)
                .ConfigureAwait(false);
            start = unit + writer.UnitSize;
        }

        return start;
    }

    private async Task SpoolAsync(ImageWriter writer, CancellationToken cancellationToken)
    {
        var file = UnnamedFile.Create(TemporaryDirectory);
        _owned.Add(file);
        await writer.BeginAsync(file.Sink, cancellationToken).ConfigureAwait(false);
        await new CopyPump(_source, writer, file.Sink) { OnPosition = _request.OnPlanned }
            .RunAsync(0, cancellationToken).ConfigureAwait(false);
        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        var made = FileByteSource.Open(file.ReadablePath);
        _owned.Add(made);
        var plan = MakePlan();
        await plan.AddGuestAsync(0, made.Length, 0, cancellationToken).ConfigureAwait(false);
        await plan.CompleteAsync(cancellationToken).ConfigureAwait(false);
        TemporaryBytes = file.Sink.BytesWritten;
        _data = new LinearMap(made, 0, made.Length);
    }

    private LayoutPlan MakePlan()
    {
        _plan = _request.TableLimit is { } limit
            ? new LayoutPlan(TemporaryDirectory, limit)
            : new LayoutPlan(TemporaryDirectory);
        _owned.Add(_plan);
        return _plan;
    }

    private ImageWriter MakeWriter() => ImageConverter.GetWriter(_request.Format).CreateWriter(_options);

    private async Task DescribeAsync(SendLine line, CancellationToken cancellationToken)
    {
        var cursor = new ExtentCursor(_data!, cancellationToken);
        await using (cursor.ConfigureAwait(false))
        {
            await foreach (var segment in _plan!.ReadAsync(cancellationToken).ConfigureAwait(false))
            {
                await line.AddZeroesAsync(segment.HostOffset - line.Position, cancellationToken).ConfigureAwait(false);
                var adding = segment.IsGuest
                    ? line.AddGuestAsync(cursor, segment.GuestOffset, segment.Length, cancellationToken)
                    : line.AddBytesAsync(segment.Bytes, cancellationToken);
                await adding.ConfigureAwait(false);
            }

            await line.AddZeroesAsync(_plan.Length - line.Position, cancellationToken).ConfigureAwait(false);
        }
    }

    private async Task AppendAsync(SendLine line, CancellationToken cancellationToken)
    {
        var writer = MakeWriter();
        writer.TryAppend();
        var sink = new AppendingSink(line);
        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        await new CopyPump(_source, writer, sink).RunAsync(0, cancellationToken).ConfigureAwait(false);
        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        await line.AddZeroesAsync(sink.Length - line.Position, cancellationToken).ConfigureAwait(false);
    }
}
