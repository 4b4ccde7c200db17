using ImageUtils.Builders;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Inspection;
using ImageUtils.Keystone;
using ImageUtils.Remote;
using ImageUtils.Tests.Glance;
using ImageUtils.Tests.OpenStack;

namespace ImageUtils.Tests.Remote;

/// <summary>Images of a real Glance, looked at without being downloaded.</summary>
public sealed class GlanceInspectionTests : IDisposable
{
    private const string Id = "11111111-2222-3333-4444-555555555555";

    private readonly List<string> _images = [];
    private ImageServiceSession? _session;

    public void Dispose()
    {
        if (_session is not null)
        {
            var client = new GlanceClient(_session);
            _images.ForEach(image => client.DeleteAsync(image).GetAwaiter().GetResult());
            _session.Dispose();
        }
    }

    [SkippableFact]
    public async Task A_few_KiB_of_an_image_are_read_and_held_against_what_Glance_says_of_it()
    {
        var client = await ConnectAsync();
        var large = Qcow2Cases.Valid().Resize(1 << 20).ToArray();
        foreach (var (disk, container, bytes, expected, matches) in new (string, string, byte[], ImageFormat, bool?)[]
        {
            ("qcow2", "bare", large, ImageFormat.Qcow2, true),
            ("vmdk", "bare", large, ImageFormat.Vmdk, false),
            ("raw", "bare", Case("gpt/valid"), ImageFormat.Raw, true),
            ("qcow2", "compressed", Case("gzip/valid"), ImageFormat.Gzip, true),
        })
        {
            var image = await UploadAsync(client, disk, container, bytes);
            var found = await RemoteInspector.InspectAsync(client, image);
            Assert.Equal(expected, found.Expected);
            var report = new ImageFormatReport(found.Name, found.Image, found.Expected);
            Assert.Equal((image.Id, matches, bytes.Length), (report.Path, report.MatchesExpected, report.FileSize));
            Assert.InRange(found.BytesRead, 1, 64 << 10);
        }
    }

    [Theory]
    [InlineData("qcow2", "bare", ImageFormat.Qcow2)]
    [InlineData("iso", "bare", ImageFormat.Iso)]
    [InlineData("ami", "ami", ImageFormat.Ami)]
    [InlineData("qcow2", "compressed", ImageFormat.Gzip)]
    [InlineData("vmdk", "ova", ImageFormat.Ova)]
    [InlineData("vhd", "ovf", ImageFormat.Unknown)]
    [InlineData(null, "bare", ImageFormat.Unknown)]
    [InlineData("strange", "bare", null)]
    public void What_the_data_is_held_against(string? disk, string container, ImageFormat? expected)
    {
        var image = new GlanceImage { Id = Id, Status = "active", DiskFormat = disk, ContainerFormat = container };
        if (expected is null)
        {
            Assert.Throws<ImageUnacceptableException>(() => RemoteClaim.DataFormatOf(image));
        }
        else
        {
            Assert.Equal(expected, RemoteClaim.DataFormatOf(image));
        }
    }

    [SkippableFact]
    public async Task What_its_store_reads_from_the_beginning_only_is_looked_at_as_it_passes()
    {
        var client = await ConnectAsync();
        var bytes = Qcow2Cases.WithBacking("/etc/passwd").Resize(1 << 20).ToArray();
        using var web = new ScriptedServer((request, stream) => ScriptedServer.AnswerAsync(
            stream, 200, request.Method == "HEAD" ? default : bytes, announced: bytes.Length));
        var made = await CreateAsync(client, "qcow2", "bare");
        using var http = new HttpClient { BaseAddress = client.Session.Endpoint };
        var location = new StringContent(
            $$$"""
            [{"op": "add", "path": "/locations/-",
              "value": {"url": "{{{web.Address}}}disk", "metadata": {"store": "web"} } }]
            """);
        location.Headers.ContentType = new("application/openstack-images-v2.1-json-patch");
        using var answer = await http.PatchAsync($"v2/images/{made.Id}", location);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        var image = await client.GetAsync(made.Id);
        var whole = await RemoteInspector.InspectAsync(client, image);
        Assert.Equal((ImageFormat.Qcow2, false), (whole.Image.Format, whole.IsPartial));
        Assert.InRange(whole.BytesRead, bytes.Length, 2 * bytes.Length);
        var part = await RemoteInspector.InspectAsync(
            client, image, new RemoteInspectionOptions { StopsAtFailure = true });
        Assert.True(part.IsPartial);
        Assert.Equal((long)bytes.Length, part.Image.FileSize);
        Assert.Equal("backing_file", Assert.Single(part.Image.Failures).Name);
        await Assert.ThrowsAsync<DownloadTooLongException>(() => RemoteInspector.InspectAsync(
            client, image, new RemoteInspectionOptions { MaximumDownload = 1000 }));
    }

    [SkippableFact]
    public async Task What_has_no_data_cannot_be_looked_at()
    {
        var client = await ConnectAsync();
        var made = await CreateAsync(client, "qcow2", "bare");
        var error = await Assert.ThrowsAsync<ImageUnacceptableException>(
            () => RemoteInspector.InspectAsync(client, made));
        Assert.Contains("queued", error.Message, StringComparison.Ordinal);
        var empty = await UploadAsync(client, "raw", "bare", []);
        var nothing = await Record.ExceptionAsync(() => RemoteInspector.InspectAsync(client, empty));
        Assert.Equal("FileIsEmpty", Assert.IsType<ImageFileException>(nothing).ErrorId);
    }

    [Theory]
    [InlineData(900_000)]
    [InlineData(1_100_000)]
    [InlineData(4000)]
    public async Task Data_of_another_length_than_Glance_says_is_an_error(int length)
    {
        var bytes = Qcow2Cases.Valid().Resize(length).ToArray();
        using var server = new ScriptedServer((request, stream) => request.From < length
            ? ScriptedServer.AnswerRangeAsync(request, stream, bytes)
            : ScriptedServer.AnswerAsync(stream, 416));
        using var session = await server.OpenAsync();
        var client = new GlanceClient(session) { ContinuationDelay = TimeSpan.FromMilliseconds(1) };
        var error = await Record.ExceptionAsync(() => RemoteInspector.InspectAsync(
            client, new GlanceImage { Id = Id, Status = "active", DiskFormat = "qcow2", Size = 1_000_000 }));
        Assert.Equal("FileChanged", Assert.IsType<ImageFileException>(error).ErrorId);
        Assert.Contains(Id, error!.Message, StringComparison.Ordinal);
    }

    private static byte[] Case(string name) => Corpus.All.Single(one => one.Name == name).Bytes();

    private async Task<GlanceClient> ConnectAsync()
    {
        _session = await ImageServiceSession.ConnectAsync(new CloudSettings
        {
            Method = KeystoneMethod.None,
            EndpointOverrides = { ["image"] = new Uri(OpenStackCloud.Require().OpenGlance) },
        });
        return new GlanceClient(_session);
    }

    private async Task<GlanceImage> CreateAsync(GlanceClient client, string disk, string container)
    {
        var image = await client.CreateAsync(
            new NewGlanceImage { Name = "remote", DiskFormat = disk, ContainerFormat = container });
        _images.Add(image.Id);
        return image;
    }

    private async Task<GlanceImage> UploadAsync(GlanceClient client, string disk, string container, byte[] bytes)
    {
        var image = await CreateAsync(client, disk, container);
        await client.UploadAsync(image.Id, (stream, token) => stream.WriteAsync(bytes, token).AsTask(), bytes.Length);
        return await client.GetAsync(image.Id);
    }
}
