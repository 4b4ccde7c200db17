using ImageUtils.IO;
using ImageUtils.Safety;

namespace ImageUtils.Inspection;

/// <summary>
/// Inspects bytes on their way past, such as a download's, in bounded memory (under 1 MiB): push each chunk, of any
/// size, then complete. The verdict is the one that <see cref="ImageInspector"/> gives on the same bytes in a file.
/// It is often known long before the end.
/// </summary>
public sealed class StreamInspector
{
    private readonly ForwardOnlySource _source = new();
    private readonly InspectionRun _run;
    private readonly Task<ImageInspection> _task;
    private readonly ImageFormat _expected;
    private readonly InspectionOptions _options;

    /// <summary>Starts an inspection.</summary>
    /// <param name="options">What the inspection is told; <see cref="InspectionOptions.Path"/> is the name, if any.</param>
    /// <param name="expected">The format that the content is claimed to be; <c>Unknown</c>: no claim.</param>
    public StreamInspector(InspectionOptions? options = null, ImageFormat expected = ImageFormat.Unknown)
    {
        _expected = expected;
        _options = options ?? InspectionOptions.Default;
        _run = new InspectionRun(_source, _options);
        _task = _run.RunAsync(CancellationToken.None).AsTask();
    }

    /// <summary>How many bytes have passed.</summary>
    public long Position => _source.Position;

    /// <summary>How many bytes are held in memory.</summary>
    public long HeldBytes => _source.HeldBytes;

    /// <summary>The formats that the bytes so far match.</summary>
    public IReadOnlyList<ImageFormat> MatchedFormats => [.. _run.Matches];

    /// <summary>The checks that have failed already. No more bytes can mend them.</summary>
    public IReadOnlyList<SafetyCheckResult> Failures => [.. _run.FailuresUnder(_expected)];

    /// <summary>
    /// Whether the content can no longer become what it is claimed to be, whatever bytes follow: a download of it may
    /// be cut off.
    /// </summary>
    public bool IsExpectedFormatRuledOut
    {
        get
        {
            if (_expected is ImageFormat.Unknown or ImageFormat.Ami or ImageFormat.Ari or ImageFormat.Aki)
            {
                return false;
            }

            // Whatever else matches too makes the content ambiguous, but for partitions on an optical disc or in a VHD.
            return _run.Matches.Any(format => !_expected.Accepts(format)
                    && !(InspectionRun.MayHavePartitions(_expected) && format is ImageFormat.Gpt or ImageFormat.Mbr))
                || (_expected != ImageFormat.Raw
                    && ImageFormatNames.Known.Where(format => _expected.Accepts(format))
                        .All(format => _run.HasMatched(format) == false));
        }
    }

    /// <summary>
    /// Whether going on is pointless: the claimed format is ruled out, or a check has failed for good.
    /// </summary>
    public bool IsRejected => IsExpectedFormatRuledOut || _run.FailuresUnder(_expected).Any();

    /// <summary>Passes the next bytes.</summary>
    public void Push(ReadOnlySpan<byte> chunk)
    {
        _source.Push(chunk);
        ThrowIfFaulted();
    }

    /// <summary>Announces the end of the data and returns what it was.</summary>
    public ImageInspection Complete()
    {
        _source.Complete();
        return _task.IsCompleted
            ? _task.GetAwaiter().GetResult()
            : throw new InvalidOperationException("A format still waits for bytes after the end of the data.");
    }

    /// <summary>
    /// What is known where a check has failed for good, for a caller who reads no further; null where none has. Nothing
    /// more is to be pushed then.
    /// </summary>
    /// <param name="length">How long the data is, in bytes; null where not known, and what has passed counts.</param>
    internal ImageInspection? DescribeRejected(long? length) =>
        _run.DescribeFailed(_expected, length ?? _source.Position);

    /// <summary>Announces the end of the data, and describes it as raw whatever it is.</summary>
    internal ValueTask<ImageInspection> CompleteAsRawAsync(CancellationToken cancellationToken)
    {
        _source.Complete();
        return new InspectionRun(_source, _options).RunAsRawAsync(cancellationToken);
    }

    /// <summary>Reads a stream to its end, or until it is rejected where the caller asks for that.</summary>
    /// <param name="stream">Read from its current position, forward.</param>
    /// <param name="options">What the inspection is told.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <exception cref="Errors.ImageFileException">The stream has no bytes.</exception>
    public static async Task<ImageInspection> InspectAsync(
        Stream stream, InspectionOptions? options = null, CancellationToken cancellationToken = default)
    {
        var inspector = new StreamInspector(options);
        var buffer = new byte[128 * 1024];
        int read;
        while ((read = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
        {
            inspector.Push(buffer.AsSpan(0, read));
        }

        return inspector.Position > 0
            ? inspector.Complete()
            : throw new Errors.ImageFileException(
                Errors.ImageFileProblem.Empty, options?.Path ?? "-",
                "The stream has no bytes. An image has at least one.");
    }

    private void ThrowIfFaulted()
    {
        if (_task.IsFaulted)
        {
            _task.GetAwaiter().GetResult();
        }
    }
}
