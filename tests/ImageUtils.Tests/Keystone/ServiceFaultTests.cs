using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using ImageUtils.Errors;
using ImageUtils.Keystone;
using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Keystone;

/// <summary>What a session does when a real service stands behind something that fails.</summary>
public sealed class ServiceFaultTests
{
    private static readonly ServiceRequest s_list = new(HttpMethod.Get, "v2/images?limit=1");

    [SkippableTheory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(429)]
    [InlineData(0)]
    public async Task A_reading_call_is_made_again_after_a_passing_fault(int status)
    {
        using var front = new ServiceFront(
            OpenStackCloud.Require().OpenGlance,
            n => n > 2 ? null : status == 0 ? "" : ServiceFront.Answer(status));
        using var session = await OpenAsync(front);
        using var answer = await session.SendAsync(s_list);
        Assert.Equal((HttpStatusCode.OK, 3), (answer.StatusCode, front.Count));
    }

    [SkippableFact]
    public async Task A_lasting_fault_is_told_after_the_retries_with_its_reason_and_request_id()
    {
        using var front = new ServiceFront(OpenStackCloud.Require().OpenGlance, _ => ServiceFront.Answer(
            503, "<html><head><title>no</title></head><body>The database\n is <b>away</b></body></html>",
            "x-openstack-request-id: req-17\r\n"));
        using var session = await OpenAsync(front);
        var error = await Assert.ThrowsAsync<ServiceResponseException>(() => session.SendAsync(s_list));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "req-17", 5), (error.Status, error.RequestId, front.Count));
        Assert.Contains("The database is away", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_writing_call_is_made_once()
    {
        using var front = new ServiceFront(OpenStackCloud.Require().OpenGlance, _ => ServiceFront.Answer(500));
        using var session = await OpenAsync(front);
        await Assert.ThrowsAsync<ServiceResponseException>(() => session.SendAsync(
            new ServiceRequest(HttpMethod.Post, "v2/images") { Content = () => new StringContent("{}") }));
        Assert.Equal(1, front.Count);
    }

    [SkippableFact]
    public async Task A_wish_to_wait_is_followed()
    {
        using var front = new ServiceFront(
            OpenStackCloud.Require().OpenGlance,
            n => n > 1 ? null : ServiceFront.Answer(503, headers: "Retry-After: 1\r\n"));
        using var session = await OpenAsync(front);
        var watch = System.Diagnostics.Stopwatch.StartNew();
        using var answer = await session.SendAsync(s_list);
        Assert.InRange(watch.Elapsed.TotalSeconds, 0.9, 20);
    }

    [SkippableFact]
    public async Task A_redirection_is_an_error_and_is_not_followed()
    {
        using var elsewhere = new ServiceFront(OpenStackCloud.Require().OpenGlance, _ => null);
        using var front = new ServiceFront(
            OpenStackCloud.Require().OpenGlance,
            _ => ServiceFront.Answer(302, headers: $"Location: {elsewhere.Address}\r\n"));
        using var session = await OpenAsync(front);
        var error = await Assert.ThrowsAsync<ServiceResponseException>(() => session.SendAsync(s_list));
        Assert.Equal((HttpStatusCode.Redirect, 0), (error.Status, elsewhere.Count));
    }

    [SkippableFact]
    public async Task A_service_that_repeats_the_password_does_not_bring_it_into_the_message()
    {
        using var front = new ServiceFront(OpenStackCloud.Require().Keystone, _ => ServiceFront.Answer(
            401, "{\"error\": {\"message\": \"said hush-Hush-7\"}}"));
        var error = await Assert.ThrowsAsync<AuthenticationFailedException>(() => ConnectAsync(front.Address));
        Assert.Contains("said (secret)", error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush-Hush-7", error.ToString(), StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task What_is_no_Keystone_is_told_from_one()
    {
        using var front = new ServiceFront(
            OpenStackCloud.Require().Keystone, _ => ServiceFront.Answer(201, "hush-Hush-7"));
        var error = await Assert.ThrowsAsync<ServiceAnswerException>(() => ConnectAsync(front.Address));
        Assert.DoesNotContain("hush-Hush-7", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_connection_names_the_address_and_no_secret()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = new Uri($"http://{listener.LocalEndpoint}");
        listener.Stop();
        var error = await Assert.ThrowsAsync<ServiceUnreachableException>(() => ConnectAsync(address));
        Assert.Equal("ServiceUnreachable", error.ErrorId);
        Assert.Contains(address.Authority, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hush-Hush-7", error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_says_nothing_is_given_up()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await Assert.ThrowsAsync<ServiceTimedOutException>(() => ConnectAsync(
            new Uri($"http://{listener.LocalEndpoint}"), settings =>
            {
                settings.Timeout = TimeSpan.FromMilliseconds(100);
                settings.Retries = 1;
            }));
    }

    [Fact]
    public async Task What_is_missing_is_named()
    {
        var error = await Assert.ThrowsAsync<CloudConfigurationException>(() => ConnectAsync(
            new Uri("http://k"), settings => settings.UserName = null));
        Assert.Equal(("CloudSettingMissing", "username or user_id"), (error.ErrorId, error.Origin));
    }

    [SkippableFact]
    public async Task TLS_is_trusted_by_a_CA_file_or_by_an_explicit_wish_and_otherwise_not()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(
            DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory["ca.pem"], certificate.ExportCertificatePem());
        var cloud = OpenStackCloud.Require();
        using var front = new ServiceFront(cloud.Keystone, _ => null, certificate);

        var error = await Assert.ThrowsAsync<ServiceCertificateException>(() => ConnectAsync(front.Address));
        Assert.Equal("ServiceCertificateNotTrusted", error.ErrorId);
        foreach (var trust in new Action<CloudSettings>[]
        {
            settings => settings.CaFile = directory["ca.pem"],
            settings => settings.SkipCertificateCheck = true,
        })
        {
            using var session = await ConnectAsync(front.Address, settings =>
            {
                settings.Password = new Secret(OpenStackCloud.AdminPassword);
                trust(settings);
            });
            Assert.Equal("admin", session.User);
        }

        File.WriteAllText(directory["ca.pem"], "none");
        var file = await Assert.ThrowsAsync<CloudConfigurationException>(() => ConnectAsync(
            front.Address, settings => settings.CaFile = directory["ca.pem"]));
        Assert.Equal("CloudSettingInvalid", file.ErrorId);
    }

    [SkippableFact]
    public async Task A_path_that_leads_to_another_machine_is_not_followed_with_a_token()
    {
        using var session = await ImageServiceSession.ConnectAsync(new CloudSettings
        {
            Method = KeystoneMethod.FixedToken,
            Token = new Secret("hush-Hush-7"),
            EndpointOverrides = { ["image"] = new Uri("http://127.0.0.1:1") },
        });
        await Assert.ThrowsAsync<ArgumentException>(() => session.SendAsync(
            new ServiceRequest(HttpMethod.Get, "http://127.0.0.1:2/x")));
    }

    private static Task<ImageServiceSession> OpenAsync(ServiceFront front) =>
        ImageServiceSession.ConnectAsync(new CloudSettings
        {
            Method = KeystoneMethod.None,
            RetryDelay = TimeSpan.FromMilliseconds(5),
            EndpointOverrides = { ["image"] = front.Address },
        });

    private static Task<ImageServiceSession> ConnectAsync(Uri keystone, Action<CloudSettings>? change = null)
    {
        var settings = new CloudSettings
        {
            AuthUrl = keystone,
            UserName = "admin",
            UserDomainName = "Default",
            Password = new Secret("hush-Hush-7"),
            ProjectName = "admin",
            ProjectDomainName = "Default",
            RetryDelay = TimeSpan.FromMilliseconds(5),
        };
        change?.Invoke(settings);
        return ImageServiceSession.ConnectAsync(settings);
    }
}
