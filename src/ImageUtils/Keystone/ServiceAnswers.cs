using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using ImageUtils.Errors;
using ImageUtils.Inspection;

namespace ImageUtils.Keystone;

/// <summary>Turns answers that are no success into errors that name the request, and no credential.</summary>
internal static partial class ServiceAnswers
{
    // Services explain themselves in a line or two; the rest of a page of HTML helps nobody.
    private const int MaximumBodyLength = 16 << 10;
    private const int MaximumExplanationLength = 500;

    /// <summary>The service's name for the request; null where it gave none.</summary>
    internal static string? GetRequestId(HttpResponseMessage response) =>
        response.Headers.TryGetValues("x-openstack-request-id", out var values) ? Printable.Text(values.First()) : null;

    /// <summary>Makes the error of an answer, which it disposes of.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="secrets">What must not be in the message, even if the service repeats it.</param>
    /// <param name="cancellationToken">Ends the reading of the explanation.</param>
    internal static async Task<ServiceResponseException> ToErrorAsync(
        HttpResponseMessage response, IReadOnlyCollection<Secret> secrets, CancellationToken cancellationToken)
    {
        using (response)
        {
            var explanation = Redact(
                await ReadExplanationAsync(response, cancellationToken).ConfigureAwait(false), secrets);
            var status = response.StatusCode;
            var requestId = GetRequestId(response);
            var request = response.RequestMessage!;
            var message = $"{request.Method} {request.RequestUri!.GetLeftPart(UriPartial.Path)}: {(int)status} "
                + Redact(response.ReasonPhrase ?? status.ToString(), secrets)
                + (explanation.Length > 0 ? $": {explanation.TrimEnd('.')}." : ".")
                + Advise(status)
                + (requestId is null ? "" : $" ({requestId})");
            return status == HttpStatusCode.Unauthorized
                ? new AuthenticationFailedException(message, requestId)
                : new ServiceResponseException(message, status, requestId);
        }
    }

    private static string Advise(HttpStatusCode status) => status switch
    {
        HttpStatusCode.Unauthorized => " Check the user, the credential, the project and their domains.",
        HttpStatusCode.Forbidden => " The user may not do this in this project: have a role granted.",
        HttpStatusCode.TooManyRequests or >= HttpStatusCode.InternalServerError =>
            " Try again later; the service's log has the reason.",
        >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest =>
            " Check the endpoint: a token is sent nowhere else.",
        HttpStatusCode.NotFound or HttpStatusCode.Gone => " Check the endpoint and what is asked for.",
        _ => " Look into the service's log, if what it says is not enough.",
    };

    private static async Task<string> ReadExplanationAsync(
        HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limited.CancelAfter(TimeSpan.FromSeconds(5));
            var stream = await response.Content.ReadAsStreamAsync(limited.Token).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                var buffer = new byte[MaximumBodyLength];
                var length = await stream.ReadAtLeastAsync(
                    buffer, buffer.Length, throwOnEndOfStream: false, limited.Token).ConfigureAwait(false);
                var text = ToText(buffer.AsSpan(0, length));
                text = Printable.Text(Blanks().Replace(Tags().Replace(text, " "), " ").Trim());
                return text.Length > MaximumExplanationLength ? text[..MaximumExplanationLength] + "…" : text;
            }
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException
            || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // The status says enough.
            return "";
        }
    }

    private static string ToText(ReadOnlySpan<byte> body)
    {
        try
        {
            if (JsonSerializer.Deserialize(body, KeystoneJson.Default.ErrorAnswer)?.Error?.Message is { } message)
            {
                return message;
            }
        }
        catch (JsonException)
        {
            // Glance explains itself in HTML.
        }

        return System.Text.Encoding.UTF8.GetString(body);
    }

    private static string Redact(string text, IReadOnlyCollection<Secret> secrets)
    {
        foreach (var secret in secrets.Where(secret => !secret.IsEmpty))
        {
            text = text.Replace(secret.Reveal(), "(secret)", StringComparison.Ordinal);
        }

        return text;
    }

    [GeneratedRegex("<head>.*?</head>|<[^<>]*>", RegexOptions.Singleline)]
    private static partial Regex Tags();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}
