using System.Net.Sockets;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;

namespace ImageUtils.Tests.Glance;

/// <summary>Uploads to a service that fails, or by a writer that does.</summary>
public sealed class GlanceUploadFaultTests
{
    private const string Id = "11111111-2222-3333-4444-555555555555";

    [Theory]
    [InlineData(10_000L, "Content-Length", "10000")]
    [InlineData(null, "Transfer-Encoding", "chunked")]
    public async Task A_body_has_its_exact_length_or_is_chunked(long? length, string header, string value)
    {
        using var server = new ScriptedServer(async (request, stream) =>
        {
            await ContinueAsync(stream);
            await ReadAtLeastAsync(stream, 10_000);
            await ScriptedServer.AnswerAsync(stream, 204);
        });
        using var session = await server.OpenAsync();
        Assert.Equal(10_000, await Client(session).UploadAsync(Id, WriteAsync(10_000), length, "slow"));
        var request = Assert.Single(server.Requests);
        Assert.Equal(
            ("PUT", $"/v2/images/{Id}/file", value, "application/octet-stream", "slow"),
            (request.Method, request.Path, request.Header(header), request.Header("Content-Type"),
                request.Header("X-Image-Meta-Store")));
    }

    [Theory]
    [InlineData(404, typeof(ImageNotFoundInGlanceException))]
    [InlineData(409, typeof(ImageStateConflictException))]
    [InlineData(413, typeof(ImageQuotaException))]
    [InlineData(410, typeof(ImageNotFoundInGlanceException))]
    [InlineData(500, typeof(ServiceResponseException))]
    [InlineData(503, typeof(ServiceResponseException))]
    public async Task A_refusal_before_the_body_is_told_once_and_the_writer_is_not_called(int status, Type type)
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(
            stream, status, headers: "x-openstack-request-id: req-7\r\n"));
        using var session = await server.OpenAsync();
        var isCalled = false;
        var error = await Assert.ThrowsAsync(type, () => Client(session).UploadAsync(
            Id,
            (_, _) =>
            {
                isCalled = true;
                return Task.CompletedTask;
            },
            5000));
        Assert.Equal("req-7", Assert.IsAssignableFrom<ServiceResponseException>(error).RequestId);
        Assert.Equal((false, 1), (isCalled, server.Requests.Count));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_connection_that_is_cut_in_the_body_is_told_with_how_far_it_was_and_not_repeated(bool isChunked)
    {
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await ContinueAsync(stream);
            await ReadAtLeastAsync(stream, 100_000);
            stream.Socket.Close(0);
        });
        using var session = await server.OpenAsync();
        var error = await Assert.ThrowsAsync<ImageUploadCutException>(() => Client(session).UploadAsync(
            Id, WriteAsync(50_000_000), isChunked ? null : 50_000_000));
        Assert.InRange(error.BytesSent, 100_000, 49_999_999);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_service_that_takes_no_more_is_given_up()
    {
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await ContinueAsync(stream);
            await Task.Delay(Timeout.Infinite);
        });
        using var session = await server.OpenAsync();
        var error = await Assert.ThrowsAsync<ImageUploadCutException>(() => Client(session, TimeSpan.FromSeconds(0.3))
            .UploadAsync(Id, WriteAsync(50_000_000), 50_000_000));
        Assert.Contains("no byte was taken for 0.3 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_does_not_answer_after_the_body_is_given_up()
    {
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await ContinueAsync(stream);
            await ReadAtLeastAsync(stream, 100);
            await Task.Delay(Timeout.Infinite);
        });
        using var session = await server.OpenAsync();
        var client = new GlanceClient(session) { UploadAnswerTimeout = TimeSpan.FromSeconds(0.3) };
        var error = await Assert.ThrowsAsync<ImageUploadCutException>(() => client.UploadAsync(Id, WriteAsync(100), 100));
        Assert.Contains("no answer came in time", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_slow_writer_is_waited_for_however_short_the_timeouts()
    {
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await ContinueAsync(stream);
            await ReadAtLeastAsync(stream, 200);
            await ScriptedServer.AnswerAsync(stream, 204);
        });
        using var session = await server.OpenAsync(settings => settings.Timeout = TimeSpan.FromSeconds(0.5));
        Assert.Equal(200, await Client(session, TimeSpan.FromSeconds(0.5)).UploadAsync(
            Id,
            async (body, token) =>
            {
                await body.WriteAsync(new byte[100], token);
                await Task.Delay(1200, token);
                await body.WriteAsync(new byte[100], token);
            },
            200));
    }

    [Theory]
    [InlineData(99, 99)]
    [InlineData(101, 101)]
    public async Task More_or_less_than_was_announced_is_an_error(int written, long told)
    {
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await ContinueAsync(stream);
            await ReadAtLeastAsync(stream, 100);
        });
        using var session = await server.OpenAsync();
        var error = await Assert.ThrowsAsync<ImageUploadLengthException>(
            () => Client(session).UploadAsync(Id, WriteAsync(written), 100));
        Assert.Equal((100, told), (error.Announced, error.Written));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_the_writer_throws_comes_out_as_it_is(bool isFileError)
    {
        Exception thrown = isFileError ? new IOException("the disk is away") : new InvalidDataException("something else");
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await ContinueAsync(stream);
            await ReadAtLeastAsync(stream, 100);
        });
        using var session = await server.OpenAsync();
        var error = await Assert.ThrowsAnyAsync<Exception>(() => Client(session).UploadAsync(
            Id,
            async (body, token) =>
            {
                await body.WriteAsync(new byte[50], token);
                throw thrown;
            },
            100));
        Assert.Same(thrown, error);
    }

    [Fact]
    public async Task Cancelling_ends_an_upload_at_once()
    {
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await ContinueAsync(stream);
            await Task.Delay(Timeout.Infinite);
        });
        using var session = await server.OpenAsync();
        using var ending = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Client(session).UploadAsync(
            Id, WriteAsync(50_000_000), 50_000_000, cancellationToken: ending.Token));
    }

    [Fact]
    public async Task A_list_that_goes_round_in_circles_is_an_error()
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(
            stream, 200, $$"""{"images": [{"id": "{{Id}}", "status": "active"}], "next": "/v2/images?marker=x"}"""));
        using var session = await server.OpenAsync();
        var count = 0;
        await Assert.ThrowsAsync<ServiceAnswerException>(async () =>
        {
            await foreach (var image in Client(session).ListAsync())
            {
                count++;
            }
        });
        Assert.Equal(2, count);
    }

    [Theory]
    [InlineData("https://elsewhere.example/image/v2/images?limit=5&marker=x", "/v2/images?marker=x")]
    [InlineData("/v2/images?marker=x", "/v2/images?marker=x")]
    public async Task The_next_page_is_asked_of_the_same_service(string next, string path)
    {
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerAsync(
            stream, 200, request.Number == 1 ? $$"""{"images": [], "next": "{{next}}"}""" : """{"images": []}"""));
        using var session = await server.OpenAsync();
        await foreach (var image in Client(session).ListAsync())
        {
            Assert.Fail(image.Id);
        }

        Assert.Equal(["/v2/images", path], server.Requests.Select(request => request.Path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"id\": 5}")]
    [InlineData("<html>")]
    public async Task What_is_no_image_is_an_error(string body)
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(stream, 200, body));
        using var session = await server.OpenAsync();
        await Assert.ThrowsAsync<ServiceAnswerException>(() => Client(session).GetAsync(Id));
    }

    [Fact]
    public async Task An_image_whose_description_is_cut_is_asked_for_again()
    {
        var body = Encoding.UTF8.GetBytes($$"""{"id": "{{Id}}", "status": "active", "odd": {"a": [1]}, "none": null}""");
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerAsync(
            stream, 200, body.AsMemory(0, request.Number < 3 ? 20 : body.Length), announced: body.Length));
        using var session = await server.OpenAsync();
        var image = await Client(session).GetAsync(Id);
        Assert.Equal(
            ("{\"a\": [1]}", null, 3),
            (image.Properties["odd"], image.Properties["none"], server.Requests.Count));
    }

    private static GlanceClient Client(ImageServiceSession session, TimeSpan? stall = null) => new(session)
    {
        StallTimeout = stall ?? TimeSpan.FromSeconds(20),
        ContinuationDelay = TimeSpan.FromMilliseconds(1),
    };

    private static Func<Stream, CancellationToken, Task> WriteAsync(int length) => async (body, token) =>
    {
        var piece = new byte[65536];
        for (var done = 0; done < length; done += piece.Length)
        {
            await body.WriteAsync(piece.AsMemory(0, Math.Min(piece.Length, length - done)), token);
        }
    };

    private static async Task ContinueAsync(NetworkStream stream) =>
        await stream.WriteAsync("HTTP/1.1 100 Continue\r\n\r\n"u8.ToArray());

    private static async Task ReadAtLeastAsync(NetworkStream stream, int length)
    {
        var buffer = new byte[65536];
        for (int done = 0, read; done < length; done += read)
        {
            read = await stream.ReadAsync(buffer);
            if (read == 0)
            {
                return;
            }
        }
    }
}
