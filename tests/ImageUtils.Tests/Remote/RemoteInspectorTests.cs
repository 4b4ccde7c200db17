using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Inspection;
using ImageUtils.Remote;
using ImageUtils.Tests.Glance;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Remote;

/// <summary>Images on a web server that does what a test says.</summary>
public sealed class RemoteInspectorTests
{
    private const string Tag = "ETag: \"v1\"\r\n";

    private static readonly WebOptions s_options = new()
    {
        AllowPrivateAddresses = true,
        RetryDelay = TimeSpan.FromMilliseconds(1),
        StallTimeout = TimeSpan.FromSeconds(0.3),
    };

    [Fact]
    public async Task Images_have_the_verdict_that_they_have_in_a_file_by_ranges_and_as_it_passes()
    {
        byte[] image = [];
        using var server = new ScriptedServer((request, stream) => request.Path == "/ranges"
            ? ScriptedServer.AnswerRangeAsync(request, stream, image, headers: Tag)
            : ScriptedServer.AnswerAsync(stream, 200, image));
        using var reader = new WebReader(s_options);
        // Some, and more of those that take several ranges: it is not the formats that are tested here.
        foreach (var one in Corpus.All.Where((one, index) => one.Bytes().Length switch
        {
            0 or > 8 << 20 => false,
            > 16 << 10 => index % 9 == 0,
            _ => index % 40 == 0,
        }))
        {
            image = one.Bytes();
            var file = Inspected.File(image);
            foreach (var path in new[] { "ranges", "whole" })
            {
                var found = await RemoteInspector.InspectAsync(reader, new Uri(server.Address, path));
                Assert.Equal((one.Name, Verdict(file)), (one.Name, Verdict(found.Image)));
                Assert.False(found.IsPartial);
                Assert.InRange(found.BytesRead, 1, path == "whole" ? image.Length : 288 << 10);
            }
        }
    }

    [Fact]
    public async Task A_few_KiB_are_read_of_a_large_image_with_the_same_tag_and_nothing_that_is_not_asked_for()
    {
        var image = Qcow2Cases.Valid().Resize(32 << 20).ToArray();
        using var server = new ScriptedServer((request, stream) => ScriptedServer.AnswerRangeAsync(
            request, stream, image, headers: Tag + "Set-Cookie: a=b\r\n"));
        var found = await InspectAsync(server);
        Assert.Equal((ImageFormat.Qcow2, 32L << 20), (found.Image.Format, found.Image.FileSize));
        Assert.InRange(found.BytesRead, 1, 64 << 10);
        Assert.Equal(server.Requests.Count, found.Requests);
        Assert.True(found.Requests > 1);
        Assert.All(server.Requests, request =>
        {
            Assert.Equal("identity", request.Header("Accept-Encoding"));
            Assert.Null(request.Header("Cookie"));
            Assert.Equal(request.Number == 1 ? null : "\"v1\"", request.Header("If-Range"));
        });
    }

    public static TheoryData<string> Faults =>
        ["tag", "date", "length", "whole", "beyond", "shifted", "longer", "lying", "multipart", "stall", "cut"];

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_server_that_changes_lies_or_breaks_off_is_an_error_and_never_a_verdict(string fault)
    {
        var image = Qcow2Cases.Valid().Resize(1 << 20).ToArray();
        using var server = new ScriptedServer((request, stream) =>
        {
            if (request.Number == 1)
            {
                return ScriptedServer.AnswerRangeAsync(request, stream, image, headers: Tag);
            }

            var from = request.From;
            Task Range(int first, int length, int total) => ScriptedServer.AnswerAsync(
                stream, 206, new byte[length], Tag + $"Content-Range: bytes {first}-{first + length - 1}/{total}\r\n");
            return fault switch
            {
                "tag" => ScriptedServer.AnswerRangeAsync(request, stream, image, headers: "ETag: \"v2\"\r\n"),
                "date" => ScriptedServer.AnswerRangeAsync(
                    request, stream, image, headers: Tag + "Last-Modified: Sun, 22 Nov 2026 00:00:00 GMT\r\n"),
                "length" => ScriptedServer.AnswerRangeAsync(request, stream, [.. image, 0], headers: Tag),
                "whole" => ScriptedServer.AnswerAsync(stream, 200, image),
                "beyond" => ScriptedServer.AnswerAsync(stream, 416),
                "shifted" => Range(from - 1, 16 << 10, image.Length),
                "longer" => Range(from, 20 << 10, image.Length + (16 << 10)),
                "lying" => ScriptedServer.AnswerAsync(
                    stream, 206, new byte[100], Tag + $"Content-Range: bytes {from}-{from + 16383}/{image.Length}\r\n"),
                "multipart" => ScriptedServer.AnswerAsync(
                    stream, 206, new byte[100], Tag + "Content-Type: multipart/byteranges; boundary=x\r\n"),
                "stall" => Task.Delay(TimeSpan.FromSeconds(5)),
                _ => ScriptedServer.AnswerRangeAsync(request, stream, image, cutAfter: 100, headers: Tag),
            };
        });
        var options = s_options with { Timeout = TimeSpan.FromSeconds(0.2), Retries = 2 };
        var error = await Record.ExceptionAsync(() => InspectAsync(server, web: options));
        var expected = fault switch
        {
            "shifted" or "longer" or "lying" or "multipart" => "ServiceAnswerNotUnderstood",
            "stall" => "ServiceTimedOut",
            "cut" => "ImageDownloadCut",
            _ => "FileChanged",
        };
        Assert.Equal(expected, Assert.IsType<ImageUtilsException>(error, exactMatch: false).ErrorId);
        Assert.Contains(server.Address.Authority, error!.Message, StringComparison.Ordinal);
        Assert.Equal(fault is "stall" or "cut" ? 4 : 2, server.Requests.Count);
    }

    [Fact]
    public async Task What_passes_is_tried_again_and_a_body_that_stalls_is_cut()
    {
        var image = Qcow2Cases.Valid().Resize(1 << 20).ToArray();
        using var flaky = new ScriptedServer((request, stream) => request.Number switch
        {
            1 or 3 => ScriptedServer.AnswerAsync(stream, 503),
            2 or 4 => ScriptedServer.AnswerRangeAsync(request, stream, image, cutAfter: 10, headers: Tag),
            _ => ScriptedServer.AnswerRangeAsync(request, stream, image, headers: Tag),
        });
        Assert.Equal(ImageFormat.Qcow2, (await InspectAsync(flaky)).Image.Format);
        using var slow = new ScriptedServer(async (_, stream) =>
        {
            await ScriptedServer.AnswerAsync(stream, 200, image.AsMemory(0, 100_000), announced: image.Length);
            await Task.Delay(TimeSpan.FromSeconds(5));
        });
        var error = await Assert.ThrowsAsync<ImageDownloadCutException>(() => InspectAsync(slow));
        Assert.Contains("0.3 s", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endless_data_ends_at_the_bound_or_when_a_check_has_failed()
    {
        var image = new byte[8192];
        using var server = new ScriptedServer(async (_, stream) =>
        {
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray());
            for (var data = image; ; data = new byte[8192])
            {
                await stream.WriteAsync((byte[])[.. "2000\r\n"u8, .. data, .. "\r\n"u8]);
            }
        });
        var limited = new RemoteInspectionOptions { MaximumDownload = 1 << 20, StopsAtFailure = true };
        var error = await Assert.ThrowsAsync<DownloadTooLongException>(() => InspectAsync(server, limited));
        Assert.Contains("-MaximumDownload", error.Message, StringComparison.Ordinal);
        image = Qcow2Cases.WithBacking("/etc/passwd").ToArray().AsSpan(0, 8192).ToArray();
        var found = await InspectAsync(server, limited);
        Assert.True(found.IsPartial);
        Assert.InRange(found.BytesRead, 1, 256 << 10);
        Assert.Equal((ImageFormat.Qcow2, found.BytesRead), (found.Image.Format, found.Image.FileSize));
        Assert.Equal("backing_file", Assert.Single(found.Image.Failures).Name);
        await Assert.ThrowsAsync<DownloadTooLongException>(
            () => InspectAsync(server, limited with { StopsAtFailure = false }));
        using var announced = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(
            stream, 200, announced: 2 << 20));
        Assert.Contains("2097152", (await Assert.ThrowsAsync<DownloadTooLongException>(
            () => InspectAsync(announced, limited))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_what_the_caller_says_is_raw_the_length_is_all_that_is_asked()
    {
        var image = Qcow2Cases.WithBacking("/etc/passwd").ToArray();
        foreach (var hasRanges in new[] { true, false })
        {
            using var server = new ScriptedServer((request, stream) => hasRanges
                ? ScriptedServer.AnswerRangeAsync(request, stream, image)
                : ScriptedServer.AnswerAsync(stream, 200, image));
            var found = await InspectAsync(server, new RemoteInspectionOptions { KnownRaw = true });
            Assert.Equal((ImageFormat.Raw, (long?)image.Length, true),
                (found.Image.Format, found.Image.VirtualSize, found.Image.IsSafe));
            Assert.Single(server.Requests);
        }
    }

    [Theory]
    [InlineData(404, "ServiceHasNoSuchThing")]
    [InlineData(403, "ServiceForbids")]
    [InlineData(204, "ServiceRefused")]
    [InlineData(416, "FileIsEmpty")]
    [InlineData(200, "FileIsEmpty")]
    public async Task An_answer_without_a_file_says_what_to_do(int status, string errorId)
    {
        using var server = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(stream, status));
        var error = await Record.ExceptionAsync(() => InspectAsync(server));
        Assert.Equal(errorId, Assert.IsType<ImageUtilsException>(error, exactMatch: false).ErrorId);
        Assert.Single(server.Requests);
    }

    private static async Task<RemoteInspection> InspectAsync(
        ScriptedServer server, RemoteInspectionOptions? options = null, WebOptions? web = null)
    {
        using var reader = new WebReader(web ?? s_options);
        return await RemoteInspector.InspectAsync(reader, new Uri(server.Address, "disk?secret=1"), options);
    }

    private static string Verdict(ImageInspection image) => $"{image.Format} {image.Subformat} {image.VirtualSize} "
        + $"{image.FileSize} {string.Join(' ', image.Checks.Select(check => $"{check.Name}:{check.Verdict}"))}";
}
