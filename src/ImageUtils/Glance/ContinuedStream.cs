using ImageUtils.Errors;

namespace ImageUtils.Glance;

/// <summary>
/// Reads a download to its end, through as many answers as it takes. A piece that is cut, that ends early or that stalls
/// is followed by another that begins at the next byte, of the same image of the same length.
/// </summary>
internal sealed class ContinuedStream : Stream
{
    private readonly Func<long, CancellationToken, Task<DownloadPiece>> _continueAt;
    private readonly string _image;
    private readonly ContinuationRules _rules;
    private readonly long? _total;
    private readonly string? _md5;
    private long? _end;
    private long _offset;
    private DownloadPiece? _piece;
    private Stream? _body;

    /// <summary>Takes over the first piece.</summary>
    /// <param name="continueAt">Asks for what follows from an offset on.</param>
    /// <param name="first">The first piece.</param>
    /// <param name="image">The image's id.</param>
    /// <param name="offset">Where the first piece begins in the image.</param>
    /// <param name="end">Where the last ends, in the image; null where the answer does not say.</param>
    /// <param name="rules">How often, and so on.</param>
    internal ContinuedStream(
        Func<long, CancellationToken, Task<DownloadPiece>> continueAt,
        DownloadPiece first,
        string image,
        long offset,
        long? end,
        ContinuationRules rules)
    {
        (_continueAt, _piece, _image, _offset, _end, _rules) = (continueAt, first, image, offset, end, rules);
        (_total, _md5) = (first.Total, first.Md5);
    }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>How often it was continued.</summary>
    internal int Continuations { get; private set; }

    /// <inheritdoc/>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_end is { } end)
        {
            buffer = buffer[..(int)Math.Clamp(end - _offset, 0, buffer.Length)];
        }

        while (!buffer.IsEmpty)
        {
            Exception? reason = null;
            try
            {
                var length = await ReadOnceAsync(buffer, cancellationToken).ConfigureAwait(false);
                _offset += length;
                if (length > 0 || _end is null)
                {
                    return length;
                }
            }
            catch (Exception exception) when (exception is IOException or HttpRequestException)
            {
                reason = exception;
            }

            await ContinueAsync(reason, cancellationToken).ConfigureAwait(false);
        }

        return 0;
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <summary>Not to be had: the network is waited for asynchronously only.</summary>
    public override int Read(byte[] buffer, int offset, int count) =>
        throw new NotSupportedException("A download is read asynchronously.");

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            Drop();
        }

        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadOnceAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_piece is null, this);
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(_rules.StallTimeout);
        try
        {
            _body ??= await _piece.Response.Content.ReadAsStreamAsync(limited.Token).ConfigureAwait(false);
            return await _body.ReadAsync(buffer, limited.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"no byte came for {_rules.StallTimeout.TotalSeconds:0.#} s", exception);
        }
    }

    private async Task ContinueAsync(Exception? reason, CancellationToken cancellationToken)
    {
        var uri = _piece!.Response.RequestMessage!.RequestUri!;
        if (Continuations == _rules.Maximum)
        {
            throw Cut("and that too often", reason);
        }

        _body?.Dispose();
        _body = null;
        _piece.Response.Dispose();
        Continuations++;
        await Task.Delay(_rules.Delay * Continuations, cancellationToken).ConfigureAwait(false);
        DownloadPiece next;
        try
        {
            next = await _continueAt(_offset, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is ImageRangesUnsupportedException or ImageRangeBeyondEndException)
        {
            throw Cut("and cannot be continued, for no range of it can be had", exception);
        }

        _piece = next;
        if ((_total is not null && next.Total is not null && next.Total != _total)
            || (_md5 is not null && next.Md5 is not null && next.Md5 != _md5))
        {
            throw Cut("and the image is another now", null);
        }

        _end ??= next.Total;

        ImageDownloadCutException Cut(string what, Exception? inner) => new(
            $"Image '{_image}': the download from {uri.GetLeftPart(UriPartial.Path)} was cut at byte {_offset} "
            + $"{what}: {(reason?.Message ?? "it ended early").TrimEnd('.')}. Try again.", uri, _offset, inner);
    }

    private void Drop()
    {
        _body?.Dispose();
        _piece?.Response.Dispose();
        (_body, _piece) = (null, null);
    }
}
