using System.Net;
using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Remote;
using ImageUtils.Tests.Glance;

namespace ImageUtils.Tests.Remote;

/// <summary>Where addresses lead, and where nobody is led.</summary>
public sealed class WebReaderTests
{
    private static readonly byte[] s_image = Qcow2Cases.Valid().ToArray();

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("10.1.2.3")]
    [InlineData("100.64.0.1")]
    [InlineData("127.0.0.1")]
    [InlineData("127.255.255.254")]
    [InlineData("169.254.169.254")]
    [InlineData("172.16.0.1")]
    [InlineData("172.31.255.255")]
    [InlineData("192.168.1.1")]
    [InlineData("198.19.0.1")]
    [InlineData("224.0.0.1")]
    [InlineData("255.255.255.255")]
    [InlineData("::")]
    [InlineData("::1")]
    [InlineData("::127.0.0.1")]
    [InlineData("::ffff:127.0.0.1")]
    [InlineData("::ffff:8.8.8.8")]
    [InlineData("64:ff9b::a00:1")]
    [InlineData("64:ff9b:1::808:808")]
    [InlineData("fc00::1")]
    [InlineData("fd12:3456::1")]
    [InlineData("fe80::1%1")]
    [InlineData("fec0::1")]
    [InlineData("ff02::1")]
    [InlineData("2001::1")]
    [InlineData("2001:db8::1")]
    [InlineData("2002:7f00:1::")]
    public void Addresses_that_are_not_public(string address) =>
        Assert.NotNull(PublicInternet.WhyNot(IPAddress.Parse(address)));

    [Theory]
    [InlineData("8.8.8.8")]
    [InlineData("100.63.255.255")]
    [InlineData("172.32.0.1")]
    [InlineData("192.0.1.1")]
    [InlineData("223.255.255.255")]
    [InlineData("2606:4700::1111")]
    [InlineData("2a00:1450:4001::1")]
    [InlineData("64:ff9b::808:808")]
    public void Addresses_that_are_public(string address) =>
        Assert.Null(PublicInternet.WhyNot(IPAddress.Parse(address)));

    [Theory]
    [InlineData("http://127.0.0.1")]
    [InlineData("http://localhost")]
    [InlineData("http://2130706433")]
    [InlineData("http://0x7f.1")]
    [InlineData("http://[::1]")]
    [InlineData("http://[::ffff:127.0.0.1]")]
    public async Task A_machine_that_is_not_public_is_not_asked(string host)
    {
        using var server = Serving();
        using var reader = new WebReader();
        var error = await Assert.ThrowsAsync<WebAddressException>(
            () => InspectAsync(reader, $"{host}:{server.Address.Port}/disk"));
        Assert.Equal("AddressIsPrivate", error.ErrorId);
        Assert.Contains("-AllowPrivateAddress", error.Message, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task A_redirection_to_a_machine_that_is_not_public_is_not_followed()
    {
        using var hidden = Serving();
        foreach (var host in new[] { "127.0.0.2", "hidden.example" })
        {
            using var server = Redirecting(_ => $"http://{host}:{hidden.Address.Port}/disk");
            using var reader = new WebReader(Public());
            var error = await Assert.ThrowsAsync<WebAddressException>(
                () => InspectAsync(reader, $"http://shown.example:{server.Address.Port}/"));
            Assert.Equal(WebAddressProblem.Private, error.Problem);
            Assert.Contains("127.0.0.2", error.Message, StringComparison.Ordinal);
        }

        Assert.Empty(hidden.Requests);
    }

    [Fact]
    public async Task A_name_that_leads_elsewhere_the_next_time_leads_nowhere()
    {
        using var server = Serving(1 << 20);
        var asked = 0;
        using var reader = new WebReader(Public() with
        {
            Resolve = (_, _) => Task.FromResult<IPAddress[]>(
                [IPAddress.Parse(++asked == 1 ? "127.0.0.1" : "127.0.0.2")]),
        });
        await Assert.ThrowsAsync<WebAddressException>(
            () => InspectAsync(reader, $"http://rebound.example:{server.Address.Port}/"));
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Of_several_addresses_those_that_are_public_are_tried_in_turn()
    {
        using var server = Serving();
        using var reader = new WebReader(Public() with
        {
            WhyNotPublic = address => address.ToString() is "127.0.0.1" or "127.0.0.3" ? null : "hidden",
            Resolve = (_, _) => Task.FromResult<IPAddress[]>(
                [IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.3"), IPAddress.Loopback]),
        });
        var found = await InspectAsync(reader, $"http://several.example:{server.Address.Port}/disk");
        Assert.Equal(ImageFormat.Qcow2, found.Image.Format);
    }

    [Fact]
    public async Task Five_redirections_are_followed_and_no_more()
    {
        using var server = new ScriptedServer((request, stream) =>
        {
            var left = int.Parse(request.Path[1..], System.Globalization.CultureInfo.InvariantCulture);
            return left == 0
                ? ScriptedServer.AnswerRangeAsync(request, stream, s_image)
                : ScriptedServer.AnswerAsync(
                    stream, new[] { 301, 302, 303, 307, 308 }[left % 5],
                    headers: $"Location: /{left - 1}\r\nSet-Cookie: a=b\r\n");
        });
        using var reader = new WebReader(Public());
        var address = $"http://shown.example:{server.Address.Port}/5";
        var found = await InspectAsync(reader, address);
        Assert.Equal((ImageFormat.Qcow2, address), (found.Image.Format, found.Name));
        Assert.All(server.Requests, request => Assert.Null(request.Header("Cookie")));

        // What follows is asked where the file was found.
        Assert.Equal(["/5", "/4", "/3", "/2", "/1", "/0"], server.Requests.Select(request => request.Path).Distinct());
        Assert.Equal("RedirectionRefused", (await Assert.ThrowsAsync<WebAddressException>(
            () => InspectAsync(reader, $"http://shown.example:{server.Address.Port}/6"))).ErrorId);
        using var loop = Redirecting(request => request.Path);
        await Assert.ThrowsAsync<WebAddressException>(
            () => InspectAsync(reader, $"http://shown.example:{loop.Address.Port}/6"));
        Assert.Equal(6, loop.Requests.Count);
    }

    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("ftp://shown.example/disk")]
    [InlineData("gopher://shown.example/disk")]
    [InlineData("http://admin:hunter2@shown.example/disk")]
    [InlineData("http:///disk")]
    [InlineData(null)]
    public async Task Other_schemes_and_credentials_are_neither_asked_nor_followed_nor_printed(string? address)
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(
            stream, 302, headers: address is null ? "" : $"Location: {address}\r\n"));
        using var reader = new WebReader(Public());
        foreach (var uri in new[] { $"http://shown.example:{server.Address.Port}/", address }
            .Where(uri => Uri.TryCreate(uri, UriKind.Absolute, out _)))
        {
            var error = await Assert.ThrowsAsync<WebAddressException>(() => InspectAsync(reader, uri!));
            Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        }

        Assert.Single(server.Requests);
    }

    [Fact]
    public void From_https_nothing_leads_to_http()
    {
        var from = new Uri("https://a.example/disk");
        var other = WebAddress.Follow(from, new Uri("/other", UriKind.Relative));
        Assert.Equal("https://a.example/other", other.AbsoluteUri);
        var error = Assert.Throws<WebAddressException>(() => WebAddress.Follow(from, new Uri("http://a.example/disk")));
        Assert.Equal(WebAddressProblem.Redirection, error.Problem);
    }

    [Fact]
    public async Task The_query_is_sent_and_shown_nowhere()
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(stream, 404));
        using var reader = new WebReader(Public());
        var error = await Assert.ThrowsAsync<ServiceResponseException>(
            () => InspectAsync(reader, $"http://shown.example:{server.Address.Port}/disk?signature=hunter2"));
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
        Assert.Equal("/disk?signature=hunter2", server.Requests.Single().Path);
        using var cut = new ScriptedServer((_, stream) =>
            ScriptedServer.AnswerAsync(stream, 200, new byte[10], announced: 20));
        var others = new List<ServiceUnreachableException>
        {
            await Assert.ThrowsAsync<ImageDownloadCutException>(
                () => InspectAsync(reader, $"http://shown.example:{cut.Address.Port}/disk?signature=hunter2")),
            await Assert.ThrowsAsync<ServiceUnreachableException>(
                () => InspectAsync(reader, "http://nowhere.example/disk?signature=hunter2")),
        };
        Assert.All(others, other => Assert.DoesNotContain("hunter2", $"{other} {other.Uri}", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_proxy_is_used_where_it_is_named_and_private_addresses_are_allowed()
    {
        using var proxy = Serving();
        var options = new WebOptions { Proxy = proxy.Address };
        Assert.Equal("AddressIsPrivate", Assert.Throws<WebAddressException>(() => new WebReader(options)).ErrorId);
        using var reader = new WebReader(options with { AllowPrivateAddresses = true });
        var found = await InspectAsync(reader, "http://far.example/disk");
        Assert.Equal(ImageFormat.Qcow2, found.Image.Format);
        Assert.Equal("http://far.example/disk", proxy.Requests.First().Path);
    }

    [Fact]
    public async Task A_name_that_there_is_not_and_a_machine_that_does_not_listen_are_errors()
    {
        using var reader = new WebReader(Public() with { Retries = 0 });
        int port;
        using (var server = Serving())
        {
            port = server.Address.Port;
        }

        await Assert.ThrowsAsync<ServiceUnreachableException>(
            () => InspectAsync(reader, $"http://shown.example:{port}/disk"));
        await Assert.ThrowsAsync<ServiceUnreachableException>(
            () => InspectAsync(reader, $"http://nowhere.example:{port}/disk"));
    }

    // As if 127.0.0.1 were public, and 127.0.0.2 not.
    private static WebOptions Public() => new()
    {
        RetryDelay = TimeSpan.FromMilliseconds(1),
        WhyNotPublic = address => address.Equals(IPAddress.Loopback) ? null : "a hidden address",
        Resolve = (host, _) => Task.FromResult<IPAddress[]>(host switch
        {
            "shown.example" => [IPAddress.Loopback],
            "hidden.example" => [IPAddress.Parse("127.0.0.2")],
            _ => [],
        }),
    };

    private static ScriptedServer Serving(int length = 0)
    {
        var image = Qcow2Cases.Valid().Resize(Math.Max(length, s_image.Length)).ToArray();
        return new ScriptedServer((request, stream) => ScriptedServer.AnswerRangeAsync(request, stream, image));
    }

    private static ScriptedServer Redirecting(Func<ScriptedRequest, string> to) => new((request, stream) =>
        ScriptedServer.AnswerAsync(stream, 302, headers: $"Location: {to(request)}\r\n"));

    private static Task<RemoteInspection> InspectAsync(WebReader reader, string uri) =>
        RemoteInspector.InspectAsync(reader, new Uri(uri));
}
