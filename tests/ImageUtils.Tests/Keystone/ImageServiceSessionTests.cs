using System.Net;
using System.Text.Json;
using ImageUtils.Errors;
using ImageUtils.Keystone;
using ImageUtils.Tests.OpenStack;

namespace ImageUtils.Tests.Keystone;

/// <summary>Sessions with a real Keystone and a real Glance.</summary>
public sealed class ImageServiceSessionTests
{
    private static readonly ServiceRequest s_list = new(HttpMethod.Get, "v2/images?limit=1");

    [SkippableTheory]
    [InlineData("test", "admin", "project admin", KeystoneMethod.Password)]
    [InlineData("member", "member", "project second", KeystoneMethod.Password)]
    [InlineData("runbook", "member", "project second", KeystoneMethod.ApplicationCredential)]
    [InlineData("runbook-by-name", "member", "project second", KeystoneMethod.ApplicationCredential)]
    public async Task Each_cloud_of_clouds_yaml_gets_a_token_and_its_image_service(
        string name, string user, string scope, KeystoneMethod method)
    {
        var cloud = OpenStackCloud.Require();
        using var session = await ImageServiceSession.ConnectAsync(Get(name));
        Assert.Equal((user, scope, method, "RegionOne"), (session.User, session.Scope, session.Method, session.Region));
        Assert.Equal($"{cloud.Glance}/", session.Endpoint.ToString());
        Assert.InRange(
            session.TokenExpires!.Value - DateTimeOffset.UtcNow, TimeSpan.FromMinutes(50), TimeSpan.FromHours(1));
        await AssertListsAsync(session);
        Assert.All(OpenStackCloud.Secrets, secret =>
            Assert.DoesNotContain(secret, session.ToString(), StringComparison.Ordinal));
    }

    [SkippableFact]
    public async Task A_token_gets_another_token_for_another_scope()
    {
        using var first = await ImageServiceSession.ConnectAsync(Get("test"));
        var cloud = OpenStackCloud.Require();
        using var session = await ImageServiceSession.ConnectAsync(new CloudSettings
        {
            AuthUrl = new Uri(cloud.Keystone),
            Method = KeystoneMethod.Token,
            Token = TokenOf(first),
            IsSystemScope = true,
        });
        Assert.Equal(("admin", "system"), (session.User, session.Scope));
    }

    [SkippableFact]
    public async Task Domain_and_no_scope_are_asked_for_as_they_are_named()
    {
        var settings = Get("test");
        settings.ProjectName = settings.ProjectDomainName = null;
        settings.DomainName = "Default";
        using var ofDomain = await ImageServiceSession.ConnectAsync(settings);
        Assert.Equal("domain Default", ofDomain.Scope);

        var unscoped = Get("member");
        unscoped.ProjectName = unscoped.ProjectDomainName = null;
        var error = await Assert.ThrowsAsync<EndpointNotFoundException>(
            () => ImageServiceSession.ConnectAsync(unscoped));
        Assert.Contains("name a project", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Region_and_interface_choose_the_endpoint_and_an_override_goes_before()
    {
        var cloud = OpenStackCloud.Require();
        using var second = await ImageServiceSession.ConnectAsync(Get("test", settings =>
        {
            settings.Region = "RegionTwo";
            settings.Interface = "internalURL";
        }));
        Assert.Equal($"{cloud.OpenGlance}/", second.Endpoint.ToString());
        using var named = await ImageServiceSession.ConnectAsync(Get("test", settings =>
            settings.EndpointOverrides["image"] = new Uri($"{cloud.OpenGlance}/v2")));
        Assert.Equal($"{cloud.OpenGlance}/", named.Endpoint.ToString());
        Assert.Equal($"{cloud.Barbican}/", named.GetEndpoint("key-manager").ToString());

        var error = await Assert.ThrowsAsync<EndpointNotFoundException>(() =>
            ImageServiceSession.ConnectAsync(Get("test", settings => settings.Region = "Nowhere")));
        Assert.Contains("public in RegionOne", error.Message, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_service_without_Keystone_needs_no_token()
    {
        using var session = await ImageServiceSession.ConnectAsync(Get("open"));
        Assert.Equal((null, "none", KeystoneMethod.None), (session.User, session.Scope, session.Method));
        await AssertListsAsync(session);
    }

    [SkippableFact]
    public async Task A_given_token_is_sent_as_it_is_and_a_wrong_one_is_refused()
    {
        var cloud = OpenStackCloud.Require();
        using var first = await ImageServiceSession.ConnectAsync(Get("member"));
        CloudSettings With(Secret token) => new()
        {
            Method = KeystoneMethod.FixedToken,
            Token = token,
            EndpointOverrides = { ["image"] = new Uri(cloud.Glance) },
        };
        using var session = await ImageServiceSession.ConnectAsync(With(TokenOf(first)));
        await AssertListsAsync(session);
        using var wrong = await ImageServiceSession.ConnectAsync(With(new Secret("no-such-Token")));
        var error = await Assert.ThrowsAsync<AuthenticationFailedException>(() => wrong.SendAsync(s_list));
        Assert.DoesNotContain("no-such-Token", error.ToString(), StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("test")]
    [InlineData("runbook")]
    public async Task A_wrong_secret_is_refused_with_a_request_id_and_is_in_no_message(string name)
    {
        var error = await Assert.ThrowsAsync<AuthenticationFailedException>(() => ImageServiceSession.ConnectAsync(
            Get(name, settings =>
            {
                settings.Password = new Secret("wrong-Secret-9");
                settings.ApplicationCredentialSecret = new Secret("wrong-Secret-9");
            })));
        Assert.Equal("AuthenticationFailed", error.ErrorId);
        Assert.StartsWith("req-", error.RequestId, StringComparison.Ordinal);
        Assert.Contains(error.RequestId!, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong-Secret-9", error.ToString(), StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_revoked_token_is_replaced_and_the_request_made_again()
    {
        using var session = await ImageServiceSession.ConnectAsync(Get("member"));
        using var admin = await ImageServiceSession.ConnectAsync(Get("test"));
        await RevokeAsync(admin, TokenOf(session));
        var before = session.TokenExpires;
        await AssertListsAsync(session);
        Assert.NotEqual(before, session.TokenExpires);
    }

    [SkippableFact]
    public async Task A_token_from_outside_that_was_revoked_ends_in_an_error()
    {
        var cloud = OpenStackCloud.Require();
        using var owner = await ImageServiceSession.ConnectAsync(Get("member"));
        using var admin = await ImageServiceSession.ConnectAsync(Get("test"));
        var token = TokenOf(owner);
        using var session = await ImageServiceSession.ConnectAsync(new CloudSettings
        {
            AuthUrl = new Uri(cloud.Keystone),
            Method = KeystoneMethod.Token,
            Token = token.Copy(),
            ProjectId = cloud.ProjectId,
        });
        await RevokeAsync(admin, TokenOf(session));
        await RevokeAsync(admin, token);
        var error = await Assert.ThrowsAsync<AuthenticationFailedException>(() => session.SendAsync(s_list));
        Assert.DoesNotContain(token.Reveal(), error.ToString(), StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task A_token_is_replaced_before_it_expires_by_one_request_for_all_who_wait()
    {
        var cloud = OpenStackCloud.Require();
        using var front = new ServiceFront(cloud.Keystone, _ => null);
        var clock = new ManualClock();
        using var session = await ImageServiceSession.ConnectAsync(
            Get("member", settings => settings.AuthUrl = front.Address), clock, default);
        clock.Ahead = TimeSpan.FromMinutes(57);
        await AssertListsAsync(session);
        Assert.Equal(1, front.Count);
        clock.Ahead = TimeSpan.FromMinutes(59);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => AssertListsAsync(session)));
        Assert.Equal(2, front.Count);
    }

    [SkippableFact]
    public async Task While_Keystone_is_away_the_token_is_used_until_it_expires()
    {
        var front = new ServiceFront(OpenStackCloud.Require().Keystone, _ => null);
        var clock = new ManualClock();
        using var session = await ImageServiceSession.ConnectAsync(
            Get("member", settings => settings.AuthUrl = front.Address), clock, default);
        front.Dispose();
        clock.Ahead = TimeSpan.FromMinutes(59);
        await AssertListsAsync(session);
        clock.Ahead = TimeSpan.FromMinutes(61);
        await Assert.ThrowsAsync<ServiceUnreachableException>(() => session.SendAsync(s_list));
    }

    [SkippableFact]
    public async Task A_closed_session_gives_its_token_back()
    {
        var cloud = OpenStackCloud.Require();
        var session = await ImageServiceSession.ConnectAsync(Get("member"));
        var token = TokenOf(session);
        await session.CloseAsync();
        await Assert.ThrowsAsync<SessionClosedException>(() => session.SendAsync(s_list));
        using var client = new HttpClient();
        client.DefaultRequestHeaders.Add("X-Auth-Token", token.Reveal());
        Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync($"{cloud.Glance}/v2/images")).StatusCode);
    }

    [SkippableFact]
    public async Task What_a_service_forbids_or_lacks_is_told_with_its_reason()
    {
        using var session = await ImageServiceSession.ConnectAsync(Get("member"));
        var lacking = await Assert.ThrowsAsync<ServiceResponseException>(() => session.SendAsync(
            new ServiceRequest(HttpMethod.Get, "v2/images/00000000-0000-0000-0000-000000000000")));
        Assert.Equal((HttpStatusCode.NotFound, "ServiceHasNoSuchThing"), (lacking.Status, lacking.ErrorId));
        Assert.Contains("No image found with ID", lacking.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("<", lacking.Message, StringComparison.Ordinal);
        Assert.StartsWith("req-", lacking.RequestId, StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task The_answer_that_is_returned_tells_no_token()
    {
        using var session = await ImageServiceSession.ConnectAsync(Get("member"));
        using var answer = await session.SendAsync(s_list);
        Assert.DoesNotContain(
            TokenOf(session).Reveal(), $"{answer} {answer.RequestMessage}", StringComparison.Ordinal);
    }

    [SkippableFact]
    public async Task Keystone_is_reached_by_IPv6()
    {
        Skip.IfNot(System.Net.Sockets.Socket.OSSupportsIPv6, "no IPv6");
        using var session = await ImageServiceSession.ConnectAsync(Get("member", settings =>
            settings.AuthUrl = new UriBuilder(settings.AuthUrl!) { Host = "[::1]" }.Uri));
        Assert.Equal("member", session.User);
    }

    private static CloudSettings Get(string name, Action<CloudSettings>? change = null)
    {
        var settings = CloudConfiguration.Load("/", new Dictionary<string, string>
        {
            ["OS_CLIENT_CONFIG_FILE"] = OpenStackCloud.Require().CloudsFile,
        }).Get(name);
        settings.RetryDelay = TimeSpan.FromMilliseconds(10);
        change?.Invoke(settings);
        return settings;
    }

    private static async Task AssertListsAsync(ImageServiceSession session)
    {
        using var answer = await session.SendAsync(s_list);
        using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        Assert.Equal(JsonValueKind.Array, document.RootElement.GetProperty("images").ValueKind);
    }

    private static Secret TokenOf(ImageServiceSession session) => session.CurrentToken!.Copy();

    private static async Task RevokeAsync(ImageServiceSession admin, Secret token)
    {
        using var client = new HttpClient();
        using var request = new HttpRequestMessage(
            HttpMethod.Delete, $"{OpenStackCloud.Require().Keystone}/v3/auth/tokens");
        request.Headers.Add("X-Auth-Token", TokenOf(admin).Reveal());
        request.Headers.Add("X-Subject-Token", token.Reveal());
        Assert.Equal(HttpStatusCode.NoContent, (await client.SendAsync(request)).StatusCode);
    }
}
