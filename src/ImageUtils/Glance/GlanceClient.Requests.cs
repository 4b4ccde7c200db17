using System.Text.Json;
using ImageUtils.Errors;
using ImageUtils.Keystone;

namespace ImageUtils.Glance;

/// <content>Requests whose answers are small.</content>
public sealed partial class GlanceClient
{
    // A page of a thousand images with a hundred properties each is less.
    private const int MaximumAnswerLength = 64 << 20;
    private const int MaximumReadings = 3;

    private Task<T> ReadAsync<T>(string path, Func<JsonElement, T?> read, CancellationToken cancellationToken)
        where T : class => SendAsync(new ServiceRequest(HttpMethod.Get, path), read, cancellationToken);

    private async Task<string?> SendAsync(ServiceRequest request, CancellationToken cancellationToken)
    {
        using var response = await session.SendAsync(request, cancellationToken).ConfigureAwait(false);
        return ServiceAnswers.GetRequestId(response);
    }

    private async Task<T> SendAsync<T>(
        ServiceRequest request, Func<JsonElement, T?> read, CancellationToken cancellationToken)
        where T : class
    {
        for (var attempt = 1; ; attempt++)
        {
            using var response = await session.SendAsync(request, cancellationToken).ConfigureAwait(false);
            try
            {
                using var document = await ReadJsonAsync(response, cancellationToken).ConfigureAwait(false);
                if (document is not null && read(document.RootElement) is { } answer)
                {
                    return answer;
                }

                throw new ServiceAnswerException(
                    $"{Describe(response)}: the answer is not what Glance's API v2 has. Check the endpoint.",
                    response.StatusCode, ServiceAnswers.GetRequestId(response));
            }
            catch (Exception exception) when (exception is IOException or HttpRequestException)
            {
                if (!request.MayRepeat || attempt == MaximumReadings)
                {
                    throw new ServiceUnreachableException(
                        $"{Describe(response)}: the answer was cut: {exception.Message.TrimEnd('.')}. Try again.",
                        response.RequestMessage!.RequestUri!, exception);
                }
            }

            await Task.Delay(ContinuationDelay * attempt, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The answer's JSON; null where it is none.</summary>
    private async Task<JsonDocument?> ReadJsonAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limited.CancelAfter(StallTimeout);
        try
        {
            var body = await response.Content.ReadAsStreamAsync(limited.Token).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                using var whole = new MemoryStream();
                var buffer = new byte[64 << 10];
                int length;
                while ((length = await body.ReadAsync(buffer, limited.Token).ConfigureAwait(false)) > 0)
                {
                    whole.Write(buffer, 0, length);
                    if (whole.Length > MaximumAnswerLength)
                    {
                        return null;
                    }
                }

                whole.Position = 0;
                return JsonDocument.Parse(whole);
            }
        }
        catch (OperationCanceledException exception) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException($"it was not there within {StallTimeout.TotalSeconds:0.#} s", exception);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string Describe(HttpResponseMessage response) =>
        $"{response.RequestMessage!.Method} {response.RequestMessage.RequestUri!.GetLeftPart(UriPartial.Path)}";
}
