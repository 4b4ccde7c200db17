using System.Net;
using System.Net.Http.Headers;
using System.Runtime.ExceptionServices;
using ImageUtils.Errors;

namespace ImageUtils.Glance;

/// <summary>A body that is written while it is sent, once. It tells what its writer did from what the network did.</summary>
internal sealed class WrittenContent : HttpContent
{
    private readonly string _image;
    private readonly Func<Stream, CancellationToken, Task> _write;
    private readonly long? _length;
    private readonly TimeSpan _stallTimeout;
    private readonly TimeSpan _answerTimeout;
    private readonly CancellationTokenSource _overdue = new();
    private readonly CancellationToken _answerOverdue;

    internal WrittenContent(
        string image,
        Func<Stream, CancellationToken, Task> write,
        long? length,
        TimeSpan stallTimeout,
        TimeSpan answerTimeout)
    {
        (_image, _write, _length) = (image, write, length);
        (_stallTimeout, _answerTimeout) = (stallTimeout, answerTimeout);
        _answerOverdue = _overdue.Token;
        Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        // Until the body is asked for, the service has as long as it has for any answer.
        _overdue.CancelAfter(stallTimeout);
    }

    /// <summary>Cancelled where the answer does not come.</summary>
    internal CancellationToken AnswerOverdue => _answerOverdue;

    internal bool IsAnswerOverdue => _answerOverdue.IsCancellationRequested;

    /// <summary>Whether the writer was called.</summary>
    internal bool HasBegun { get; private set; }

    /// <summary>How many bytes were handed to the network.</summary>
    internal long BytesSent { get; private set; }

    /// <summary>What the writer threw of its own; null where it did not, or where the network failed first.</summary>
    internal ExceptionDispatchInfo? Failure { get; private set; }

    /// <summary>Why the network failed; null where it did not, or was not seen to.</summary>
    internal string? NetworkReason { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        if (HasBegun)
        {
            throw new InvalidOperationException("The body was sent already.");
        }

        HasBegun = true;
        _overdue.CancelAfter(Timeout.InfiniteTimeSpan);
        var body = new BodyStream(this, stream);
        await using (body.ConfigureAwait(false))
        {
            try
            {
                await _write(body, cancellationToken).ConfigureAwait(false);
                if (_length is { } length && BytesSent != length)
                {
                    throw new ImageUploadLengthException(_image, length, BytesSent);
                }
            }
            catch (Exception exception)
            {
                if (NetworkReason is null && !cancellationToken.IsCancellationRequested)
                {
                    Failure = ExceptionDispatchInfo.Capture(exception);
                }

                throw;
            }
        }

        _overdue.CancelAfter(_answerTimeout);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = _length ?? 0;
        return _length is not null;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _overdue.Dispose();
        }

        base.Dispose(disposing);
    }

    /// <summary>What the writer writes to; it does not end the network's stream.</summary>
    private sealed class BodyStream(WrittenContent content, Stream network) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => content.BytesSent;
            set => throw new NotSupportedException();
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (content._length is { } length && buffer.Length > length - content.BytesSent)
            {
                throw new ImageUploadLengthException(content._image, length, content.BytesSent + buffer.Length);
            }

            await TimedAsync(token => network.WriteAsync(buffer, token), cancellationToken).ConfigureAwait(false);
            content.BytesSent += buffer.Length;
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken) =>
            TimedAsync(token => new ValueTask(network.FlushAsync(token)), cancellationToken).AsTask();

        /// <summary>Nothing: what was written is sent asynchronously.</summary>
        public override void Flush()
        {
        }

        public override void Write(byte[] buffer, int offset, int count) =>
            throw new NotSupportedException("An upload is written asynchronously.");

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        private async ValueTask TimedAsync(
            Func<CancellationToken, ValueTask> work, CancellationToken cancellationToken)
        {
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(content._stallTimeout);
            try
            {
                await work(limited.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
            {
                content.NetworkReason = $"no byte was taken for {content._stallTimeout.TotalSeconds:0.#} s.";
                throw new IOException(content.NetworkReason, exception);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
            {
                content.NetworkReason = exception.Message.TrimEnd('.') + ".";
                throw;
            }
        }
    }
}
