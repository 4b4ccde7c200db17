using System.Diagnostics;
using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Formats.Wrappers;
using ImageUtils.Inspection;
using ImageUtils.IO;

namespace ImageUtils.Streaming;

/// <summary>
/// A raw disk that comes as a stream in the order of its bytes, as it is or in gzip, and becomes a raw file or fills a
/// device as it comes: nothing of it needs to be read by ranges, and nothing is written elsewhere. The target is not
/// there before all is known to be right.
/// </summary>
/// <param name="request">What is asked for: destination, inspection; the source's path names the image in messages.</param>
/// <param name="claimed">What the disk is said to be: raw, or what is stored as such.</param>
internal sealed class StreamedRawDisk(ConversionRequest request, ImageFormat claimed)
{
    private const int BufferLength = 1 << 20;

    /// <summary>Opens the stream, from its first byte on.</summary>
    internal required Func<CancellationToken, Task<Stream>> OpenAsync { get; init; }

    /// <summary>Whether the disk is in gzip.</summary>
    internal bool IsCompressed { get; init; }

    /// <summary>How many bytes the stream should have, for progress; null where nobody knows.</summary>
    internal long? Length { get; init; }

    /// <summary>Is given every byte of the stream, in order.</summary>
    internal required PassedBytes OnPassed { get; init; }

    /// <summary>Is told the disk's size as far as it has come; what it throws ends the work.</summary>
    internal Action<long>? OnSize { get; init; }

    /// <summary>
    /// Is called with what the disk turned out to be when all has come; what it throws keeps the target from becoming
    /// visible.
    /// </summary>
    internal required Action<ImageInspection> Verify { get; init; }

    /// <summary>Is told how many bytes of the stream have passed.</summary>
    internal IProgress<ConversionProgress>? Progress { get; init; }

    /// <summary>Puts something between the writer and the destination; tests let it fail.</summary>
    internal Func<IByteSink, IByteSink> Through { get; init; } = sink => sink;

    /// <summary>Writes the disk.</summary>
    /// <param name="cancellationToken">Ends the work; nothing is left then.</param>
    /// <exception cref="ImageUnsafeException">The disk failed a check.</exception>
    /// <exception cref="ImageFormatMismatchException">It is an image, not a raw disk.</exception>
    /// <exception cref="ImageFormatException">The gzip data is damaged, or more than is allowed comes out of it.</exception>
    /// <exception cref="TruncatedImageException">The gzip data ends too early.</exception>
    /// <exception cref="ImageWriteException">The destination exists, is too small, full, or cannot be written.</exception>
    /// <exception cref="ConversionResultException">The result is not what it should be.</exception>
    internal async Task<ImageConversionResult> RunAsync(CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        using var destination = Destination.Create(Destination.Resolve(request.DestinationPath), request.Overwrite);
        var sink = Through(destination.Sink);
        var inspector = new StreamInspector(request.Source.Inspection, claimed);
        long size;
        var stream = await OpenAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var paced = new PacedProgress(Progress);
            var passing = new PassingSource(
                stream, OnPassed,
                position => paced.Report(ConversionStage.Converting, position, Length ?? position));
            try
            {
                size = await CopyAsync(passing, inspector, sink, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                await passing.FinishAsync().ConfigureAwait(false);
            }
        }

        Verify(inspector.Complete());
        if (sink.Capacity is { } capacity && capacity > size)
        {
            // What a device held before would be the guest's to read.
            await sink.WriteZeroesAsync(size, capacity - size, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await sink.SetLengthAsync(size, cancellationToken).ConfigureAwait(false);
        }

        await Completion.FlushAsync(sink, cancellationToken).ConfigureAwait(false);
        var (found, length) = await ResultCheck.InspectAsync(destination, request, size, cancellationToken)
            .ConfigureAwait(false);
        cancellationToken.ThrowIfCancellationRequested();
        destination.Commit();
        return new ImageConversionResult
        {
            Source = request.SourcePath,
            Destination = destination.Path,
            SourceFormat = found.Format,
            DestinationFormat = request.DestinationFormat,
            VirtualSize = size,
            FileSize = length,
            BytesRead = size,
            BytesWritten = destination.Sink.BytesWritten,
            Duration = Stopwatch.GetElapsedTime(started),
            Engine = ConversionEngine.Native,
        };
    }

    private async Task<long> CopyAsync(
        PassingSource passing, StreamInspector inspector, IByteSink sink, CancellationToken cancellationToken)
    {
        using var content = IsCompressed
            ? WrappedImage.OpenDecompressed(passing, ImageFormat.Gzip, LargestSize())
            : null;
        var buffer = new byte[BufferLength];
        for (var position = 0L; ;)
        {
            var length = content is null
                ? await passing.ReadAsync(position, buffer, cancellationToken).ConfigureAwait(false)
                : await content.ReadAtLeastAsync(buffer, BufferLength, throwOnEndOfStream: false, cancellationToken)
                    .ConfigureAwait(false);
            OnSize?.Invoke(position + length);
            inspector.Push(buffer.AsSpan(0, length));
            ThrowIfRejected(inspector);
            await WrappedImage.WriteSparselyAsync(sink, position, buffer.AsMemory(0, length), cancellationToken)
                .ConfigureAwait(false);
            position += length;
            if (length < BufferLength)
            {
                return position;
            }
        }
    }

    private long LargestSize()
    {
        var policy = request.Source.Inspection.Policy;
        var largest = Math.Min(request.Source.MaximumUnpackedSize, policy.MaximumVirtualSize ?? long.MaxValue);
        return policy.MaximumExpansionRatio is { } ratio && Length is { } length && ratio * length < largest
            ? (long)(ratio * length)
            : largest;
    }

    private void ThrowIfRejected(StreamInspector inspector)
    {
        if (inspector.Failures is { Count: > 0 } failures)
        {
            throw new ImageUnsafeException(request.SourcePath, failures);
        }

        if (inspector.IsExpectedFormatRuledOut)
        {
            throw new ImageFormatMismatchException(
                request.SourcePath, claimed, inspector.MatchedFormats.FirstOrDefault(format => !claimed.Accepts(format)));
        }
    }

    /// <summary>The stream, read once in order. What was read is hashed while whoever read it works on it.</summary>
    private sealed class PassingSource(Stream stream, PassedBytes onPassed, Action<long> onPosition) : IByteSource
    {
        private Task _passing = Task.CompletedTask;
        private long _position;

        // The buffer of the call before is the caller's to fill again now, and hashed until then.
        public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            await _passing.ConfigureAwait(false);
            Debug.Assert(offset == _position, "The stream passes once.");
            var length = await stream.ReadAtLeastAsync(
                buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            _position += length;
            onPosition(_position);
            _passing = Task.Run(() => onPassed(buffer.Span[..length]), CancellationToken.None);
            return length;
        }

        /// <summary>Waits until all that was read has been hashed.</summary>
        internal Task FinishAsync() => _passing;

        public ValueTask<int> ReadTailAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public ValueTask<long> GetLengthAsync(CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
