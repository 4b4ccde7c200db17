using System.Net;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;
using ImageUtils.Keystone;
using ImageUtils.Signatures;

namespace ImageUtils.Glance;

/// <summary>Fetches certificates from Barbican, the key manager of a cloud.</summary>
/// <remarks>Reference: Key Manager API v1, secrets and their payloads.</remarks>
/// <param name="session">The session.</param>
public sealed class CertificateStore(ImageServiceSession session)
{
    private const string ServiceType = "key-manager";
    private const int MaximumLength = 1 << 20;

    /// <summary>Fetches one certificate, in PEM or DER.</summary>
    /// <param name="id">The secret's id.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="SigningCertificateException">There is none, or it is no certificate.</exception>
    public async ValueTask<X509Certificate2> FetchAsync(string id, CancellationToken cancellationToken)
    {
        // Barbican gives a secret in the type that it was stored with, and takes a list of types for none of them.
        foreach (var type in (string[])["application/octet-stream", "text/plain"])
        {
            try
            {
                return await FetchAsync(id, type, cancellationToken).ConfigureAwait(false);
            }
            catch (ServiceResponseException exception) when (exception.Status == HttpStatusCode.NotAcceptable)
            {
                // Perhaps the next.
            }
            catch (ServiceResponseException exception) when (exception.Status is HttpStatusCode.NotFound
                or HttpStatusCode.Forbidden)
            {
                throw new SigningCertificateException(
                    SigningCertificateProblem.NotFound, id, $"is not given by the key manager: {exception.Message}", exception);
            }
        }

        throw new SigningCertificateException(
            SigningCertificateProblem.Malformed, id,
            "is stored in the key manager as something that is no certificate. Store it as application/octet-stream.");
    }

    private async ValueTask<X509Certificate2> FetchAsync(
        string id, string mediaType, CancellationToken cancellationToken)
    {
        var request = new ServiceRequest(HttpMethod.Get, $"v1/secrets/{Uri.EscapeDataString(id)}/payload")
        {
            ServiceType = ServiceType,
            Headers = [new("Accept", mediaType)],
        };
        using var response = await session.SendAsync(request, cancellationToken).ConfigureAwait(false);
        var stream = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            var buffer = new byte[MaximumLength];
            var length = await stream.ReadAtLeastAsync(
                buffer, buffer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            return CertificateFile.Parse(buffer.AsMemory(0, length), $"the key manager's secret {id}");
        }
    }
}
