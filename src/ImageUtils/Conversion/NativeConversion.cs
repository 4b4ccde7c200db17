using System.Diagnostics;
using ImageUtils.IO;
using ImageUtils.Mapping;

namespace ImageUtils.Conversion;

/// <summary>One conversion by the native engine: plan, copy, finish, flush, inspect, verify, name.</summary>
internal sealed class NativeConversion
{
    private readonly ConversionRequest _request;
    private readonly OpenedImage _source;
    private readonly string _destination;
    private readonly PacedProgress _progress;
    private readonly ImageMap _map;
    private readonly WriterOptions _options;

    internal NativeConversion(
        ConversionRequest request,
        OpenedImage source,
        string destination,
        IProgress<ConversionProgress>? progress)
    {
        _request = request;
        _source = source;
        _destination = destination;
        _progress = new PacedProgress(progress);
        _map = request.VirtualSize is { } size && size != source.Map.VirtualSize
            ? new ResizedMap(source.Map, size)
            : source.Map;
        _options = BestEffort(request.Target, request.DestinationFormat) with { VirtualSize = _map.VirtualSize };
    }

    /// <summary>Puts something between the writer and the destination; tests let it fail.</summary>
    internal Func<IByteSink, IByteSink> Through { get; init; } = sink => sink;

    /// <summary>Is told of each checkpoint that was stored; tests interrupt there.</summary>
    internal Action<long>? OnCheckpoint { get; init; }

    internal async Task<ImageConversionResult> RunAsync(long started, CancellationToken cancellationToken)
    {
        ImageConverter.ThrowIfDestinationIsSource(_request, _source.Path, _source.BasedOn, _destination);
        var writer = MakeWriter();
        if (_request.CheckSpace)
        {
            await CheckSpaceAsync(cancellationToken).ConfigureAwait(false);
        }

        var mode = Destination.ModeOfCopy([_source.Path, .. _source.BasedOn]);
        using var destination = _request.Resume
            ? Destination.OpenPartial(_destination, _request.Overwrite, mode)
            : Destination.Create(_destination, _request.Overwrite, mode);
        var sink = Through(destination.Sink);
        var stamp = SourceStamp.Of(_source);
        var journal = _request.Resume
            ? new ResumeJournal(
                ResumeJournal.PathOf(_destination), ResumeJournal.FingerprintOf(_source, _request, _options))
            : null;
        var digest = _request.Verify ? new GuestDigest() : null;
        var start = await BeginAsync(
            writer, sink, journal, destination.PartLength, digest, cancellationToken).ConfigureAwait(false);
        var pump = new CopyPump(_map, writer, sink)
        {
            AllowClone = !_request.Verify && _options.Preallocation == PreallocationMode.Off,
            Digest = digest,
            Limiter = _request.BandwidthLimit is { } limit ? new TokenBucket(limit) : null,
            OnPosition = position => Report(ConversionStage.Converting, position),
            Checkpoint = journal is null
                ? null
                : (position, token) => StoreAsync(journal, writer, destination, digest, position, token),
            CheckpointInterval = _request.CheckpointInterval,
        };
        await pump.RunAsync(start, cancellationToken).ConfigureAwait(false);
        await Completion.FinishAsync(writer, sink, cancellationToken).ConfigureAwait(false);
        Report(ConversionStage.Flushing, _map.VirtualSize);
        await Completion.FlushAsync(sink, cancellationToken).ConfigureAwait(false);
        if (_request.InPlace)
        {
            destination.TakePermissionsOf(_source.Path);
        }

        stamp.ThrowIfChanged();
        var (inspection, length) = await ResultCheck.InspectAsync(
            destination, _request, writer.VirtualSize, cancellationToken).ConfigureAwait(false);
        if (digest is not null)
        {
            await ResultCheck.VerifyAsync(
                destination, _request, digest.ToArray(),
                position => Report(ConversionStage.Verifying, position), cancellationToken).ConfigureAwait(false);
        }

        cancellationToken.ThrowIfCancellationRequested();

        // First: a journal that outlives its partial file would have the next conversion go on from nothing.
        journal?.Remove();
        destination.Commit();
        return new ImageConversionResult
        {
            Source = _source.Path,
            Destination = destination.Path,
            SourceFormat = _source.Format,
            DestinationFormat = _request.DestinationFormat,
            Subformat = inspection.Subformat,
            VirtualSize = writer.VirtualSize,
            FileSize = length,
            BytesRead = pump.BytesRead,
            BytesWritten = destination.Sink.BytesWritten,
            BytesShared = pump.BytesCloned,
            TemporaryBytes = _source.UnpackedBytes,
            Duration = Stopwatch.GetElapsedTime(started),
            Engine = ConversionEngine.Native,
            Verified = digest is not null,
            ResumedAt = start > 0 ? start : null,
        };
    }

    internal async Task<ImageMeasurement> MeasureAsync(CancellationToken cancellationToken)
    {
        var writer = MakeWriter();
        var sink = new CountingSink();
        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        var pump = new CopyPump(_map, writer, sink)
        {
            OnPosition = position => Report(ConversionStage.Measuring, position),
        };
        await pump.RunAsync(0, cancellationToken).ConfigureAwait(false);
        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        return await ToMeasurementAsync(writer, sink.Length, sink.BytesWritten, cancellationToken)
            .ConfigureAwait(false);
    }

    internal async Task<ImageMeasurement> PlanAsync(CancellationToken cancellationToken)
    {
        // What compresses is not known before it has been compressed.
        var writer = MakeWriter();
        if (writer.Compression is not null)
        {
            return await MeasureAsync(cancellationToken).ConfigureAwait(false);
        }

        var plan = await ConversionPlan.MakeAsync(writer, _map, cancellationToken).ConfigureAwait(false);
        return await ToMeasurementAsync(writer, plan.Length, plan.DataBytes, cancellationToken).ConfigureAwait(false);
    }

    internal static async Task<ImageMeasurement> MeasureEmptyAsync(
        long virtualSize, ImageFormat format, WriterOptions target, CancellationToken cancellationToken)
    {
        var options = BestEffort(target, format) with { VirtualSize = virtualSize };
        var writing = ImageConverter.GetWriter(format);
        var writer = writing.CreateWriter(options);
        var sink = new CountingSink();
        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        await writer.FinishAsync(cancellationToken).ConfigureAwait(false);
        return new ImageMeasurement(
            format, writer.VirtualSize, sink.Length, sink.BytesWritten,
            await ConversionPlan.FullLengthAsync(() => writing.CreateWriter(options), virtualSize, cancellationToken)
                .ConfigureAwait(false));
    }

    private async Task<ImageMeasurement> ToMeasurementAsync(
        ImageWriter writer, long length, long dataBytes, CancellationToken cancellationToken) =>
        new(
            _request.DestinationFormat, writer.VirtualSize, length, dataBytes,
            await ConversionPlan.FullLengthAsync(MakeWriter, _map.VirtualSize, cancellationToken)
                .ConfigureAwait(false))
        {
            Path = _source.Path,
        };

    // Compression is asked for of many images at once; those that cannot be compressed are written as they are.
    private static WriterOptions BestEffort(WriterOptions target, ImageFormat format) => target with
    {
        Compress = target.Compress && format == ImageFormat.Qcow2,
        Subformat = target.Compress && format == ImageFormat.Vmdk ? target.Subformat ?? "streamOptimized" : target.Subformat,
    };

    private ImageWriter MakeWriter() => ImageConverter.GetWriter(_request.DestinationFormat).CreateWriter(_options);

    private async ValueTask CheckSpaceAsync(CancellationToken cancellationToken)
    {
        // What compresses is not known before it has been compressed.
        var planner = MakeWriter();
        if (planner.Compression is null)
        {
            var planned = await ConversionPlan.MakeAsync(planner, _map, cancellationToken).ConfigureAwait(false);
            planned.ThrowIfNoSpace(_destination);
        }
    }

    private static async ValueTask<long> BeginAsync(
        ImageWriter writer,
        IByteSink sink,
        ResumeJournal? journal,
        long partLength,
        GuestDigest? digest,
        CancellationToken cancellationToken)
    {
        // A journal whose partial file is gone, or has been cut, says that something is done that is not there.
        if (journal?.TryLoad() is { } point && point.FileLength <= partLength)
        {
            await sink.SetLengthAsync(point.FileLength, cancellationToken).ConfigureAwait(false);
            using var state = new BinaryReader(new MemoryStream(point.WriterState));
            writer.LoadState(sink, state);
            digest?.Load(point.Digest);
            return point.GuestOffset;
        }

        if (journal is not null)
        {
            journal.Remove();
            await sink.SetLengthAsync(0, cancellationToken).ConfigureAwait(false);
        }

        await writer.BeginAsync(sink, cancellationToken).ConfigureAwait(false);
        return 0;
    }

    private async ValueTask StoreAsync(
        ResumeJournal journal,
        ImageWriter writer,
        Destination destination,
        GuestDigest? digest,
        long position,
        CancellationToken cancellationToken)
    {
        await Completion.FlushAsync(destination.Sink, cancellationToken).ConfigureAwait(false);
        using var memory = new MemoryStream();
        using (var state = new BinaryWriter(memory))
        {
            writer.SaveState(state);
        }

        journal.Store(new ResumePoint(
            position, destination.PartLength, digest?.ToArray() ?? new byte[32],
            memory.ToArray()));
        OnCheckpoint?.Invoke(position);
    }

    private void Report(ConversionStage stage, long position) =>
        _progress.Report(stage, position, _map.VirtualSize);
}
