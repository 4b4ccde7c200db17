using ImageUtils.Errors;
using ImageUtils.Glance;

namespace ImageUtils.Tests.Glance;

/// <summary>Downloads from a service that fails.</summary>
public sealed class GlanceDownloadFaultTests
{
    private const string Id = "11111111-2222-3333-4444-555555555555";

    private static readonly byte[] s_image = MakeImage(300_000);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_536)]
    [InlineData(299_999)]
    public async Task A_download_that_is_cut_goes_on_where_it_was(int cutAfter)
    {
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerRangeAsync(
            request, stream, s_image, request.Number == 1 ? cutAfter : null));
        using var session = await server.OpenAsync();
        using var download = await Client(session).OpenReadAsync(Id);
        Assert.Equal(s_image, await ReadAsync(download));
        Assert.Equal(
            (1, (long?)s_image.Length, null),
            (download.Continuations, download.TotalLength, download.HonoursRanges));
        Assert.Equal([null, $"bytes={cutAfter}-299999"], server.Requests.Select(request => request.Header("Range")));
    }

    [Fact]
    public async Task A_range_that_is_cut_ends_where_it_was_asked_to()
    {
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerRangeAsync(
            request, stream, s_image, request.Number == 1 ? 10 : null));
        using var session = await server.OpenAsync();
        using var download = await Client(session).OpenReadAsync(Id, 1000, 5000);
        Assert.Equal(s_image[1000..6000], await ReadAsync(download));
        Assert.Equal(["bytes=1000-5999", "bytes=1010-5999"], server.Requests.Select(one => one.Header("Range")));
        Assert.True(download.HonoursRanges);
    }

    [Fact]
    public async Task A_download_that_is_cut_again_and_again_is_given_up_and_says_where()
    {
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerRangeAsync(
            request, stream, s_image, 1000));
        using var session = await server.OpenAsync();
        using var download = await Client(session).OpenReadAsync(Id);
        var error = await Assert.ThrowsAsync<ImageDownloadCutException>(() => ReadAsync(download));
        Assert.Equal((4000, 4, "ImageDownloadCut"), (error.Offset, server.Requests.Count, error.ErrorId));
    }

    [Fact]
    public async Task A_download_that_stalls_is_continued()
    {
        using var server = new ScriptedServer(async (request, stream) =>
        {
            await ScriptedServer.AnswerRangeAsync(request, stream, s_image, request.Number == 1 ? 100 : null);
            await Task.Delay(request.Number == 1 ? Timeout.Infinite : 0);
        });
        using var session = await server.OpenAsync();
        using var download = await Client(session, TimeSpan.FromMilliseconds(300)).OpenReadAsync(Id);
        Assert.Equal(s_image, await ReadAsync(download));
        Assert.Equal(1, download.Continuations);
    }

    [Fact]
    public async Task An_image_that_is_another_when_it_is_continued_is_an_error()
    {
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerRangeAsync(
            request, stream, request.Number == 1 ? s_image : s_image[..200_000], request.Number == 1 ? 100 : null));
        using var session = await server.OpenAsync();
        using var download = await Client(session).OpenReadAsync(Id);
        var error = await Assert.ThrowsAsync<ImageDownloadCutException>(() => ReadAsync(download));
        Assert.Contains("another", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_image_of_another_checksum_when_it_is_continued_is_an_error()
    {
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerRangeAsync(
            request, stream, s_image, request.Number == 1 ? 100 : null, $"Content-MD5: made-{request.Number}\r\n"));
        using var session = await server.OpenAsync();
        using var download = await Client(session).OpenReadAsync(Id);
        await Assert.ThrowsAsync<ImageDownloadCutException>(() => ReadAsync(download));
    }

    [Fact]
    public async Task A_server_that_sends_all_instead_of_a_range_is_told_from_one_that_has_ranges()
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(stream, 200, s_image));
        using var session = await server.OpenAsync();
        var client = Client(session);
        using (var start = await client.OpenReadAsync(Id, 0, 100))
        {
            Assert.Equal((false, (long?)s_image.Length), (start.HonoursRanges, start.TotalLength));
            Assert.Equal(s_image[..100], await ReadAsync(start));
        }

        var error = await Assert.ThrowsAsync<ImageRangesUnsupportedException>(() => client.OpenReadAsync(Id, 100, 10));
        Assert.Equal("ImageRangesUnsupported", error.ErrorId);
    }

    [Fact]
    public async Task A_cut_download_from_a_server_without_ranges_is_not_begun_again()
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(
            stream, 200, s_image.AsMemory(0, 500), announced: s_image.Length));
        using var session = await server.OpenAsync();
        using var download = await Client(session).OpenReadAsync(Id);
        var error = await Assert.ThrowsAsync<ImageDownloadCutException>(() => ReadAsync(download));
        Assert.Equal((500, 2), (error.Offset, server.Requests.Count));
    }

    [Theory]
    [InlineData("bytes 0-99/300000", 100)]
    [InlineData("bytes 1001-1100/300000", 100)]
    [InlineData("bytes 1000-1100/300000", 101)]
    [InlineData("bytes 1000-1099/1050", 100)]
    [InlineData("bytes 1000-1099/300000", 50)]
    [InlineData("bytes */300000", 100)]
    [InlineData("lines 1000-1099/300000", 100)]
    [InlineData("nonsense", 100)]
    [InlineData(null, 100)]
    public async Task A_lying_answer_to_a_range_is_an_error(string? contentRange, int length)
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(
            stream, 206, s_image.AsMemory(1000, length),
            contentRange is null ? "" : $"Content-Range: {contentRange}\r\n"));
        using var session = await server.OpenAsync();
        await Assert.ThrowsAsync<ServiceAnswerException>(() => Client(session).OpenReadAsync(Id, 1000, 100));
    }

    [Fact]
    public async Task A_part_of_a_whole_image_that_nobody_asked_for_is_an_error()
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(
            stream, 206, s_image.AsMemory(0, 100), "Content-Range: bytes 0-99/300000\r\n"));
        using var session = await server.OpenAsync();
        await Assert.ThrowsAsync<ServiceAnswerException>(() => Client(session).OpenReadAsync(Id));
    }

    [Fact]
    public async Task A_range_that_comes_in_shorter_pieces_is_put_together()
    {
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerAsync(
            stream, 206, s_image.AsMemory(request.From, 35),
            $"Content-Range: bytes {request.From}-{request.From + 34}/{s_image.Length}\r\n"));
        using var session = await server.OpenAsync();
        var buffer = new byte[105];
        Assert.Equal(105, await Client(session).ReadRangeAsync(Id, 1000, buffer));
        Assert.Equal(s_image[1000..1105], buffer);
    }

    [Theory]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(0)]
    public async Task A_small_range_is_read_again_after_a_passing_fault(int status)
    {
        using var server = new ScriptedServer((request, stream) => request.Number > 2
            ? ScriptedServer.AnswerRangeAsync(request, stream, s_image)
            : status == 0 ? Task.CompletedTask : ScriptedServer.AnswerAsync(stream, status));
        using var session = await server.OpenAsync();
        var buffer = new byte[512];
        Assert.Equal(512, await Client(session).ReadRangeAsync(Id, 4096, buffer));
        Assert.Equal(s_image[4096..4608], buffer);
    }

    [Fact]
    public async Task A_store_that_cannot_read_from_the_middle_is_told_by_its_own_error()
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(
            stream, 400, "<html><body>Getting images randomly from this store is not supported.</body></html>"));
        using var session = await server.OpenAsync();
        var error = await Assert.ThrowsAsync<ImageRangesUnsupportedException>(
            () => Client(session).OpenReadAsync(Id, 10, 10));
        Assert.Contains("randomly", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_ends_the_reading_at_once()
    {
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await ScriptedServer.AnswerAsync(stream, 200, s_image.AsMemory(0, 100), announced: s_image.Length);
            await Task.Delay(Timeout.Infinite);
        });
        using var session = await server.OpenAsync();
        using var download = await Client(session).OpenReadAsync(Id);
        using var ending = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => download.Stream.CopyToAsync(Stream.Null, ending.Token));
        Assert.Equal(0, download.Continuations);
    }

    private static byte[] MakeImage(int length)
    {
        var image = new byte[length];
        new Random(5).NextBytes(image);
        return image;
    }

    private static GlanceClient Client(ImageUtils.Keystone.ImageServiceSession session, TimeSpan? stall = null) =>
        new(session)
        {
            StallTimeout = stall ?? TimeSpan.FromSeconds(20),
            ContinuationDelay = TimeSpan.FromMilliseconds(1),
            MaximumContinuations = 3,
        };

    private static async Task<byte[]> ReadAsync(GlanceDownload download)
    {
        using var whole = new MemoryStream();
        await download.Stream.CopyToAsync(whole);
        return whole.ToArray();
    }
}
