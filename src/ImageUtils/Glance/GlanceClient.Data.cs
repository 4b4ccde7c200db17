using System.Net;
using System.Net.Http.Headers;
using ImageUtils.Errors;
using ImageUtils.Keystone;

namespace ImageUtils.Glance;

/// <content>The data of images.</content>
public sealed partial class GlanceClient
{
    /// <summary>
    /// Uploads an image's data, which is written as it is sent. It is sent once: nothing is repeated after the first byte
    /// was asked for.
    /// </summary>
    /// <param name="id">The id of an image that is queued.</param>
    /// <param name="write">
    /// Writes the data. It is not called where Glance refuses at once. Its own exceptions come out unchanged.
    /// </param>
    /// <param name="length">How many bytes will be written; null where that is not known, which not every store takes.</param>
    /// <param name="store">The store's id; null for the default one.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>How many bytes were sent.</returns>
    /// <exception cref="ImageStateConflictException">The image has data already, or is being uploaded.</exception>
    /// <exception cref="ImageUploadCutException">The connection was cut, or stood still.</exception>
    /// <exception cref="ImageUploadLengthException">More or less was written than announced.</exception>
    /// <exception cref="ImageQuotaException">It is more than Glance takes.</exception>
    public Task<long> UploadAsync(
        string id,
        Func<Stream, CancellationToken, Task> write,
        long? length,
        string? store = null,
        CancellationToken cancellationToken = default) => SendDataAsync(id, "/file", write, length, store, cancellationToken);

    /// <summary>Puts data where an import by <c>glance-direct</c> takes it from.</summary>
    /// <inheritdoc cref="UploadAsync"/>
    public Task<long> StageAsync(
        string id,
        Func<Stream, CancellationToken, Task> write,
        long? length,
        CancellationToken cancellationToken = default) =>
        SendDataAsync(id, "/stage", write, length, null, cancellationToken);

    /// <summary>
    /// Opens an image's data, or a range of it. What is cut on the way is continued by Range where it was, a limited
    /// number of times; nothing is checked against the image's hash.
    /// </summary>
    /// <param name="id">The id.</param>
    /// <param name="offset">The first byte.</param>
    /// <param name="length">How many bytes; null for all to the end. There are fewer where the image ends before.</param>
    /// <param name="cancellationToken">Ends the opening; not the reading.</param>
    /// <exception cref="ImageHasNoDataException">The image has no data.</exception>
    /// <exception cref="ImageRangesUnsupportedException">
    /// The range does not begin at 0, and ranges cannot be had. At 0 that is no error, and what comes is as long as was asked.
    /// </exception>
    /// <exception cref="ImageRangeBeyondEndException">The range begins at or behind the image's end.</exception>
    /// <exception cref="ServiceAnswerException">The answer is of another range than it was asked for.</exception>
    public async Task<GlanceDownload> OpenReadAsync(
        string id, long offset = 0, long? length = null, CancellationToken cancellationToken = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length ?? 1, nameof(length));
        var piece = await OpenRangeAsync(id, offset, length, cancellationToken).ConfigureAwait(false);
        var end = length is { } some && offset <= long.MaxValue - some ? offset + some : (long?)null;
        if (piece.Total is { } total && !(end < total))
        {
            end = total;
        }

        var stream = new ContinuedStream(
            (at, token) => OpenRangeAsync(id, at, end - at, token), piece, id, offset, end,
            new ContinuationRules(MaximumContinuations, ContinuationDelay, StallTimeout));
        return new GlanceDownload(stream, piece);
    }

    /// <summary>Reads a small piece of an image. The request is made again where that helps.</summary>
    /// <param name="id">The id.</param>
    /// <param name="offset">The first byte.</param>
    /// <param name="buffer">Receives the bytes.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <returns>How many bytes were read; fewer than fit only at the image's end.</returns>
    /// <inheritdoc cref="OpenReadAsync" path="/exception"/>
    public async ValueTask<int> ReadRangeAsync(
        string id, long offset, Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        try
        {
            using var download = await OpenReadAsync(id, offset, buffer.Length, cancellationToken).ConfigureAwait(false);
            return await download.Stream.ReadAtLeastAsync(
                buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
        }
        catch (ImageRangeBeyondEndException)
        {
            return 0;
        }
    }

    private static DownloadPiece ToPiece(
        HttpResponseMessage response, string id, long offset, long? length, bool isRange)
    {
        var requestId = ServiceAnswers.GetRequestId(response);
        var headers = response.Content.Headers;
        var md5 = headers.ContentMD5 is null && headers.TryGetValues("Content-MD5", out var values)
            ? values.FirstOrDefault()
            : headers.ContentMD5 is { } hash ? Convert.ToHexStringLower(hash) : null;
        switch (response.StatusCode)
        {
            case HttpStatusCode.NoContent:
                throw new ImageHasNoDataException(
                    id, $"Image '{id}' has no data: {Describe(response)} says so. Upload it, or take another image."
                    + (requestId is null ? "" : $" ({requestId})"), response.StatusCode, requestId);
            case HttpStatusCode.OK when offset > 0:
                throw new ImageRangesUnsupportedException(
                    id, $"Image '{id}': {Describe(response)} does not heed Range and sends the whole image. "
                    + "Read it from its beginning." + (requestId is null ? "" : $" ({requestId})"),
                    response.StatusCode, requestId);
            case HttpStatusCode.OK:
                return new DownloadPiece(response, headers.ContentLength, isRange ? false : null, md5, requestId);
        }

        // RFC 9110, section 14.4: what was sent need not be what was asked for.
        var last = length is { } some && offset <= long.MaxValue - some ? offset + some - 1 : long.MaxValue;
        if (response.StatusCode != HttpStatusCode.PartialContent || !isRange
            || headers.ContentRange is not { Unit: "bytes", From: { } from, To: { } to } range
            || from != offset || to < from || to > last || (range.Length is { } whole && to >= whole)
            || (headers.ContentLength is { } sent && sent != to - from + 1))
        {
            throw new ServiceAnswerException(
                $"{Describe(response)}: {(int)response.StatusCode} with Content-Range "
                + $"'{Inspection.Printable.Text(headers.ContentRange?.ToString() ?? "")}' and Content-Length "
                + $"{headers.ContentLength}, asked for bytes from {offset} on{(length is null ? "" : $", {length} of them")}"
                + ". Something between here and Glance is at fault.", response.StatusCode, requestId);
        }

        return new DownloadPiece(response, range.Length, true, md5, requestId);
    }

    private async Task<DownloadPiece> OpenRangeAsync(
        string id, long offset, long? length, CancellationToken cancellationToken)
    {
        var isRange = offset > 0 || length is not null;
        var range = new RangeHeaderValue(
            offset, length is { } some && offset <= long.MaxValue - some ? offset + some - 1 : null);
        var request = new ServiceRequest(HttpMethod.Get, PathOf(id, "/file"))
        {
            Headers = isRange ? [new("Range", range.ToString())] : [],
        };
        HttpResponseMessage response;
        try
        {
            response = await ForImageAsync(id, () => session.SendAsync(request, cancellationToken)).ConfigureAwait(false);
        }
        catch (ServiceResponseException exception) when (isRange
            && exception.Status == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            throw new ImageRangeBeyondEndException(
                id, $"Image '{id}' ends before byte {offset}. {exception.Message}", exception.Status, exception.RequestId);
        }
        catch (ServiceResponseException exception) when (isRange
            && exception.Status is HttpStatusCode.BadRequest or HttpStatusCode.NotImplemented)
        {
            // What Glance says where the store cannot read from the middle.
            throw new ImageRangesUnsupportedException(
                id, $"Image '{id}': no range of it can be read; read the whole. {exception.Message}",
                exception.Status, exception.RequestId);
        }

        try
        {
            return ToPiece(response, id, offset, length, isRange);
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    private async Task<long> SendDataAsync(
        string id,
        string where,
        Func<Stream, CancellationToken, Task> write,
        long? length,
        string? store,
        CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(length ?? 0, nameof(length));
        for (var isSecond = false; ; isSecond = true)
        {
            using var content = new WrittenContent(id, write, length, StallTimeout, UploadAnswerTimeout);
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, content.AnswerOverdue);
            var headers = new List<KeyValuePair<string, string>> { new("Expect", "100-continue") };
            if (store is not null)
            {
                headers.Add(new("X-Image-Meta-Store", store));
            }

            var request = new ServiceRequest(HttpMethod.Put, PathOf(id, where))
            {
                Headers = headers,
                Content = () => content,
                IsContentReplayable = false,
                IsIdempotent = false,
                AnswerWithin = Timeout.InfiniteTimeSpan,
            };
            try
            {
                await ForImageAsync(id, () => SendAsync(request, ending.Token)).ConfigureAwait(false);
                return content.BytesSent;
            }
            catch (AuthenticationFailedException) when (!content.HasBegun && !isSecond)
            {
                // Nothing was sent; asking for the image brings another token, and tells whether that helps.
                await GetAsync(id, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception) when (content.Failure is not null && !cancellationToken.IsCancellationRequested)
            {
                content.Failure.Throw();
            }
            catch (Exception exception) when (exception is ServiceUnreachableException or OperationCanceledException
                && !cancellationToken.IsCancellationRequested && (content.HasBegun || content.IsAnswerOverdue))
            {
                var reason = content.NetworkReason
                    ?? (content.IsAnswerOverdue ? "no answer came in time." : exception.Message);
                throw new ImageUploadCutException(
                    $"Image '{id}': the upload was cut after {content.BytesSent} bytes: {reason} "
                    + "Look at the image's status, and upload again.",
                    new Uri(session.Endpoint, PathOf(id, where)), content.BytesSent, exception);
            }
        }
    }
}
