using System.Net;
using System.Net.Http.Headers;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Remote;

/// <summary>
/// A file on the web. It must stay what it was when it was opened: its length and, where the server tells them, its tag
/// and the time of its last change.
/// </summary>
/// <remarks>RFC 9110, sections 8.8 (validators), 13.1.5 (If-Range) and 14 (ranges).</remarks>
internal sealed class WebFile : IRemoteFile, IDisposable
{
    private readonly WebReader _reader;
    private readonly Uri _uri;
    private readonly byte[] _first;
    private readonly EntityTagHeaderValue? _tag;
    private readonly DateTimeOffset? _changed;
    private readonly HttpResponseMessage? _whole;
    private Stream? _body;

    private WebFile(WebReader reader, Uri named, Uri uri, HttpResponseMessage response, long? length, byte[]? first)
    {
        (_reader, _uri, Name, Length, _first) = (reader, uri, WebAddress.ToText(named), length, first ?? []);
        (_tag, _changed) = (response.Headers.ETag, response.Content.Headers.LastModified);
        _whole = first is null ? response : null;
        BytesRead = _first.Length;
    }

    public string Name { get; }

    public long? Length { get; }

    public bool HasRanges => _whole is null;

    public long BytesRead { get; private set; }

    public int Requests { get; private set; } = 1;

    /// <summary>Asks for the first bytes of a file, by which it is known whether there are ranges.</summary>
    /// <param name="reader">Asks.</param>
    /// <param name="uri">The address.</param>
    /// <param name="firstLength">How many bytes.</param>
    /// <param name="cancellationToken">Ends it.</param>
    internal static async Task<WebFile> OpenAsync(
        WebReader reader, Uri uri, int firstLength, CancellationToken cancellationToken)
    {
        var (response, at) = await reader
            .GetAsync(uri, new RangeHeaderValue(0, firstLength - 1), null, cancellationToken).ConfigureAwait(false);
        try
        {
            var length = response.Content.Headers.ContentLength;
            switch (response.StatusCode)
            {
                case HttpStatusCode.OK:
                    return length == 0
                        ? throw Empty(uri)
                        : new WebFile(reader, uri, at, response, length, null);
                case HttpStatusCode.RequestedRangeNotSatisfiable
                    when response.Content.Headers.ContentRange is null or { Length: 0 or null }:
                    throw Empty(uri);
                case not HttpStatusCode.PartialContent:
                    throw Refused(response, at);
            }

            var end = CheckRange(response, at, 0, firstLength, null);
            if (response.Content.Headers.ContentRange!.Length is not { } total)
            {
                throw Misunderstood(response, at, "It does not say how long the file is.");
            }

            var first = new byte[end];
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(reader.Options.StallTimeout);
            try
            {
                await ReadAsync(response, first, limited.Token).ConfigureAwait(false);
            }
            catch (Exception exception) when (IsCut(exception, cancellationToken))
            {
                // It is asked for again when it is needed.
                first = [];
            }

            var file = new WebFile(reader, uri, at, response, total, first);
            response.Dispose();
            return file;
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    public async ValueTask<int> ReadRangeAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var done = 0;
        if (offset < _first.Length)
        {
            done = (int)Math.Min(_first.Length - offset, buffer.Length);
            _first.AsSpan((int)offset, done).CopyTo(buffer.Span);
        }

        for (var failures = 0; done < buffer.Length;)
        {
            try
            {
                done += await ReadPieceAsync(offset + done, buffer[done..], cancellationToken).ConfigureAwait(false);
            }
            catch (Exception exception) when (IsCut(exception, cancellationToken))
            {
                if (++failures > _reader.Options.Retries)
                {
                    throw Cut(_uri, offset + done, _reader.Options, exception);
                }

                await Task.Delay(_reader.Options.RetryDelay * failures, cancellationToken).ConfigureAwait(false);
            }
        }

        return done;
    }

    public async ValueTask<int> ReadNextAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(_reader.Options.StallTimeout);
        try
        {
            _body ??= await _whole!.Content.ReadAsStreamAsync(limited.Token).ConfigureAwait(false);
            var got = await _body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, limited.Token)
                .ConfigureAwait(false);
            BytesRead += got;
            return got;
        }
        catch (Exception exception) when (IsCut(exception, cancellationToken))
        {
            throw Cut(_uri, BytesRead, _reader.Options, exception);
        }
    }

    public void Dispose()
    {
        _body?.Dispose();
        _whole?.Dispose();
    }

    private static bool IsCut(Exception exception, CancellationToken cancellationToken) =>
        exception is IOException or HttpRequestException
        || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    private static async Task<int> ReadAsync(HttpResponseMessage response, Memory<byte> buffer, CancellationToken token)
    {
        var body = await response.Content.ReadAsStreamAsync(token).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            await body.ReadExactlyAsync(buffer, token).ConfigureAwait(false);
            return buffer.Length;
        }
    }

    // What an answer of a range says that it is: where it ends, which is behind where it begins.
    private static long CheckRange(HttpResponseMessage response, Uri uri, long offset, long length, long? total)
    {
        var headers = response.Content.Headers;
        if (headers.ContentRange is not { Unit: "bytes", From: { } from, To: { } to } range
            || from != offset || to < from || to - from >= length || (range.Length is { } whole && to >= whole)
            || (headers.ContentLength is { } sent && sent != to - from + 1))
        {
            throw Misunderstood(
                response, uri,
                $"It says Content-Range '{Printable.Text(headers.ContentRange?.ToString() ?? "")}' and "
                + $"Content-Length {headers.ContentLength}, and asked for were {length} bytes from {offset} on.");
        }

        return range.Length is { } now && total is { } before && now != before ? -1 : to + 1;
    }

    private async Task<int> ReadPieceAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        Requests++;
        var (response, at) = await _reader.GetAsync(
            _uri, new RangeHeaderValue(offset, offset + buffer.Length - 1), _tag is { IsWeak: false } ? _tag : null,
            cancellationToken).ConfigureAwait(false);
        using (response)
        {
            var isOther = !Equals(response.Headers.ETag, _tag) || response.Content.Headers.LastModified != _changed;
            switch (response.StatusCode)
            {
                // What a server answers to If-Range where the file is another, and to a range behind its end.
                case HttpStatusCode.OK or HttpStatusCode.PreconditionFailed
                    or HttpStatusCode.RequestedRangeNotSatisfiable:
                    throw Changed();
                case HttpStatusCode.PartialContent when isOther:
                    throw Changed();
                case not HttpStatusCode.PartialContent:
                    throw Refused(response, at);
            }

            var end = CheckRange(response, at, offset, buffer.Length, Length);
            if (end < 0)
            {
                throw Changed();
            }

            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(_reader.Options.StallTimeout);
            var got = await ReadAsync(response, buffer[..(int)(end - offset)], limited.Token).ConfigureAwait(false);
            BytesRead += got;
            return got;
        }
    }

    private ImageFileException Changed() => new(
        ImageFileProblem.Changed, Name,
        $"'{Name}' changed while it was looked at, or its server has several versions of it. "
        + "Try again when it is complete.");

    private static ImageFileException Empty(Uri uri) => new(
        ImageFileProblem.Empty, WebAddress.ToText(uri),
        $"'{WebAddress.ToText(uri)}' is empty. An image has at least one byte; is its upload still under way?");

    private static ServiceResponseException Refused(HttpResponseMessage response, Uri uri) => new(
        $"GET {WebAddress.ToText(uri)}: {(int)response.StatusCode} "
        + Printable.Text(response.ReasonPhrase ?? response.StatusCode.ToString()) + "."
        + response.StatusCode switch
        {
            HttpStatusCode.NotFound or HttpStatusCode.Gone => " Check the address.",
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden =>
                " Only what anybody may read is read from the web: download it, and inspect the file.",
            HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError => " Try again later.",
            _ => " Name an address that answers with a file.",
        },
        response.StatusCode, null);

    private static ServiceAnswerException Misunderstood(HttpResponseMessage response, Uri uri, string what) => new(
        $"GET {WebAddress.ToText(uri)}: {(int)response.StatusCode}. {what} "
        + "The server, or something before it, is at fault.",
        response.StatusCode, null);

    private static ImageDownloadCutException Cut(Uri uri, long offset, WebOptions options, Exception exception) => new(
        $"GET {WebAddress.ToText(uri)}: it was cut at byte {offset}: "
        + (exception is OperationCanceledException
            ? $"too few bytes came within {options.StallTimeout.TotalSeconds:0.#} s"
            : exception.Message.TrimEnd('.'))
        + ". Try again.",
        new Uri(uri.GetLeftPart(UriPartial.Path)), offset, exception);
}
