using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.Signatures;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Glance;

/// <summary>Images whose signatures are verified with certificates from a real Barbican.</summary>
public sealed class CertificateStoreTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SkippableFact]
    public async Task A_signed_image_is_verified_with_the_certificate_that_its_properties_name()
    {
        using var session = await ImageServiceSession.ConnectAsync(CloudConfiguration.Load("/", new Dictionary<string, string>
        {
            ["OS_CLIENT_CONFIG_FILE"] = OpenStackCloud.Require().CloudsFile,
        }).Get("test"));
        var client = new GlanceClient(session);
        using var key = RSA.Create(2048);
        using var certificate = new CertificateRequest("CN=signer", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1)
            .CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        var id = await StoreAsync(session, certificate);
        var volume = _directory["volume"];
        await File.WriteAllBytesAsync(volume, SampleDisk.Make());
        using var signer = new ImageSigner(certificate, certificateId: id);
        var published = await VolumePublisher.PublishAsync(new VolumePublishRequest
        {
            Client = client,
            Path = volume,
            Source = new() { KnownRaw = true },
            Image = new NewGlanceImage { Name = "signed-test" },
            Format = ImageFormat.Qcow2,
            Signer = signer,
        });
        try
        {
            Assert.True(published.Signed);
            var saved = await SaveAsync(client, published.ImageId, "saved");
            Assert.True(saved.SignatureVerified);
            var imported = await VolumeImporter.ImportAsync(new VolumeImportRequest
            {
                Client = client,
                Image = published.ImageId,
                Destination = _directory["imported"],
                Trust = new CertificateTrust { Fetch = new CertificateStore(session).FetchAsync },
                RequiresSignature = true,
                ConversionDirectory = _directory.Path,
            });
            Assert.Equal((true, VolumeImportMethod.Streamed), (imported.SignatureVerified, imported.Method));

            // Another hash than the one that was signed; then a certificate that is not there.
            await client.UpdateAsync(
                published.ImageId, new GlanceImageChange().Set("img_signature_hash_method", "SHA-512"));
            await Assert.ThrowsAsync<ImageSignatureMismatchException>(() => SaveAsync(client, published.ImageId, "other"));
            await client.UpdateAsync(
                published.ImageId, new GlanceImageChange().Set("img_signature_certificate_uuid", $"{Guid.NewGuid()}"));
            var error = await Assert.ThrowsAsync<SigningCertificateException>(
                () => SaveAsync(client, published.ImageId, "other"));
            Assert.Equal(SigningCertificateProblem.NotFound, error.Problem);
            Assert.Equal(["imported", "saved", "volume"], _directory.Names());
        }
        finally
        {
            await client.DeleteAsync(published.ImageId);
        }
    }

    private Task<SavedGlanceImage> SaveAsync(GlanceClient client, string id, string name) =>
        ImageSaver.SaveAsync(new ImageSaveRequest
        {
            Client = client,
            Image = id,
            Destination = _directory[name],
            Trust = new CertificateTrust { Fetch = new CertificateStore(client.Session).FetchAsync },
            RequiresSignature = true,
        });

    private static async Task<string> StoreAsync(ImageServiceSession session, X509Certificate2 certificate)
    {
        using var answer = await session.SendAsync(new ServiceRequest(HttpMethod.Post, "v1/secrets")
        {
            ServiceType = "key-manager",
            Content = () => new StringContent(
                $$"""
                {"name": "signer", "secret_type": "certificate", "payload_content_type": "application/octet-stream",
                 "payload_content_encoding": "base64", "payload": "{{Convert.ToBase64String(certificate.Export(X509ContentType.Cert))}}"}
                """,
                System.Text.Encoding.UTF8, "application/json"),
        });
        using var secret = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return secret.RootElement.GetProperty("secret_ref").GetString()!.Split('/')[^1];
    }
}
