using ImageUtils.Conversion;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Keystone;
using ImageUtils.Safety;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Glance;

/// <summary>Volumes that become images of a real Glance, which its own client reads.</summary>
public sealed class VolumePublisherTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _disk = SampleDisk.Make();
    private readonly List<string> _images = [];
    private ImageServiceSession? _session;

    private string Volume => _directory["volume.raw"];

    public void Dispose()
    {
        if (_session is not null)
        {
            var client = new GlanceClient(_session);
            _images.ForEach(image => client.DeleteAsync(image).GetAwaiter().GetResult());
            _session.Dispose();
        }

        _directory.Dispose();
    }

    [SkippableTheory]
    [InlineData(ImageFormat.Raw, null, false)]
    [InlineData(ImageFormat.Qcow2, null, false)]
    [InlineData(ImageFormat.Vhd, null, false)]
    [InlineData(ImageFormat.Vhdx, null, false)]
    [InlineData(ImageFormat.Vmdk, null, true)]
    [InlineData(ImageFormat.Vmdk, "streamOptimized", false)]
    [InlineData(ImageFormat.Vdi, null, false)]
    public async Task What_was_published_is_what_the_services_own_client_reads(
        ImageFormat format, string? subformat, bool usesImport)
    {
        var cloud = OpenStackCloud.Require();

        // What imports does it as somebody, which nobody is without Keystone.
        var client = await ConnectAsync(usesImport ? "test" : "open");
        await File.WriteAllBytesAsync(Volume, _disk);
        var result = await VolumePublisher.PublishAsync(Request(client) with
        {
            Format = format,
            Target = new WriterOptions { VirtualSize = 0, Subformat = subformat },
            UsesImport = usesImport,
            StoreId = usesImport ? null : "slow",
            Image = new NewGlanceImage { Name = "publish-test", Tags = ["a"], Properties = [new("base_image_ref", "x")] },
        });
        _images.Add(result.ImageId);
        Assert.Equal((true, 0L, "bare"), (result.HashVerified, result.TemporaryBytes, result.ContainerFormat));
        var saved = _directory["saved"];
        cloud.Client(usesImport ? "test" : "open", "image", "save", "--file", saved, result.ImageId);
        Assert.Equal(result.Size, new FileInfo(saved).Length);
        Assert.Equal(
            result.HashValue,
            Convert.ToHexStringLower(System.Security.Cryptography.SHA512.HashData(await File.ReadAllBytesAsync(saved))));
        Assert.Equal(_disk, (await ReadAsync(saved, format))[.._disk.Length]);
        var image = await client.GetAsync(result.ImageId);
        Assert.Equal(("active", "x", format.ToName()), (image.Status, image.Properties["base_image_ref"], image.DiskFormat));
        Assert.Equal(["a"], image.Tags);
    }

    [SkippableFact]
    public async Task What_the_client_published_is_read_with_the_same_hash()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var cloud = OpenStackCloud.Require();
        var client = await ConnectAsync();
        await File.WriteAllBytesAsync(Volume, _disk);
        Tool.Run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", Volume, _directory["made.qcow2"]);
        var made = System.Text.Json.JsonDocument.Parse(cloud.Client(
            "open", "image", "create", "--disk-format", "qcow2", "--container-format", "bare", "--file",
            _directory["made.qcow2"], "-f", "json", "publish-theirs"));
        var id = made.RootElement.GetProperty("id").GetString()!;
        _images.Add(id);
        var saved = await ImageSaver.SaveAsync(new ImageSaveRequest
        {
            Client = client,
            Image = id,
            Destination = _directory["saved"],
        });
        Assert.Equal((await client.GetAsync(id)).OsHashValue, saved.HashValue);
        Assert.Equal(await File.ReadAllBytesAsync(_directory["made.qcow2"]), await File.ReadAllBytesAsync(saved.Path));
    }

    [SkippableFact]
    public async Task A_compressed_container_is_unpacked_to_the_same_disk()
    {
        var client = await ConnectAsync();
        await File.WriteAllBytesAsync(Volume, _disk);
        var result = await VolumePublisher.PublishAsync(Request(client) with
        {
            Format = ImageFormat.Qcow2,
            Gzip = System.IO.Compression.CompressionLevel.Fastest,
        });
        _images.Add(result.ImageId);
        Assert.Equal("compressed", result.ContainerFormat);
        await VolumeImporter.ImportAsync(new VolumeImportRequest
        {
            Client = client,
            Image = result.ImageId,
            Destination = _directory["back"],
            ConversionDirectory = _directory.Path,
        });
        Assert.Equal(_disk, await File.ReadAllBytesAsync(_directory["back"]));
    }

    [SkippableFact]
    public async Task A_failure_or_cancellation_leaves_no_image()
    {
        Tool.Require("qemu-img", "qemu-utils");
        var client = await ConnectAsync();
        await File.WriteAllBytesAsync(Volume, _disk);
        var before = await CountAsync(client);
        using (var stop = new CancellationTokenSource())
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => VolumePublisher.PublishAsync(
                Request(client), new Immediately(() => stop.Cancel()), stop.Token));
        }

        await Assert.ThrowsAsync<GlanceStoreNotFoundException>(
            () => VolumePublisher.PublishAsync(Request(client) with { StoreId = "nowhere" }));
        await Assert.ThrowsAsync<GlanceStoreReadOnlyException>(
            () => VolumePublisher.PublishAsync(Request(client) with { StoreId = "web" }));
        Tool.Run("qemu-img", "create", "-f", "qcow2", "-b", Volume, "-F", "raw", _directory["overlay"]);
        await Assert.ThrowsAsync<ImageUnsafeException>(() => VolumePublisher.PublishAsync(
            Request(client) with { Path = _directory["overlay"], Source = OpenOptions.Default }));

        // A guest that writes a header into its disk publishes that, and nothing that it names.
        var trapped = _disk.ToArray();
        (await File.ReadAllBytesAsync(_directory["overlay"]))[..65536].CopyTo(trapped, 0);
        await File.WriteAllBytesAsync(Volume, trapped);
        Assert.Equal(before, await CountAsync(client));
        var result = await VolumePublisher.PublishAsync(Request(client) with { Format = ImageFormat.Qcow2 });
        _images.Add(result.ImageId);
        Assert.Equal(trapped.Length, result.VirtualSize);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task A_hash_that_is_another_than_that_of_what_was_sent_has_the_image_withdrawn(
        bool isThere, bool isRefused)
    {
        const string id = "11111111-2222-3333-4444-555555555555";
        await File.WriteAllBytesAsync(Volume, _disk);
        var calls = new List<string>();
        var status = "queued";
        using var server = new ScriptedServer(async (request, stream) =>
        {
            switch (request.Method)
            {
                case "PUT":
                    var length = int.Parse(request.Header("Content-Length")!);
                    await ScriptedServer.AnswerAsync(stream, 100);
                    var body = new byte[length];
                    await stream.ReadExactlyAsync(body);
                    status = "active";
                    await ScriptedServer.AnswerAsync(stream, 204);
                    break;
                case "DELETE":
                case "POST" when request.Path.EndsWith("/actions/deactivate", StringComparison.Ordinal):
                    calls.Add(request.Method);
                    await ScriptedServer.AnswerAsync(stream, isRefused ? 403 : 204);
                    break;
                default:
                    var image = $$"""
                        {"id": "{{id}}", "status": "{{status}}", "size": {{_disk.Length}}, "disk_format": "raw",
                         "container_format": "bare", "os_hash_algo": "sha512", "os_hash_value": "00", "min_disk": 0,
                         "min_ram": 0, "visibility": "private", "protected": false, "os_hidden": false, "tags": []}
                        """;
                    await ScriptedServer.AnswerAsync(
                        stream, 200,
                        request.Path.Contains('?', StringComparison.Ordinal) ? $$"""{"images": [{{image}}]}""" : image);
                    break;
            }
        });
        using var session = await server.OpenAsync();
        var error = await Record.ExceptionAsync(() => VolumePublisher.PublishAsync(
            Request(new GlanceClient(session)) with { ImageId = isThere ? id : null }));
        Assert.Equal([isThere ? "POST" : "DELETE"], calls);
        if (isThere)
        {
            Assert.Equal(id, Assert.IsType<ImageUnacceptableException>(error).ImageId);
            Assert.Contains(
                isRefused ? "could not be deactivated" : "was deactivated", error.Message, StringComparison.Ordinal);
        }
        else if (isRefused)
        {
            Assert.Contains(
                "could not be deleted either", Assert.IsType<ImageUnacceptableException>(error).Message,
                StringComparison.Ordinal);
        }
        else
        {
            Assert.Equal(id, Assert.IsType<ImageHashMismatchException>(error).ImageId);
        }
    }

    [Fact]
    public async Task What_was_sent_whole_but_cannot_be_confirmed_says_how_to_see_that_it_is_right()
    {
        const string id = "11111111-2222-3333-4444-555555555555";
        await File.WriteAllBytesAsync(Volume, _disk);
        var isSent = false;
        using var server = new ScriptedServer(async (request, stream) =>
        {
            if (request.Method == "PUT")
            {
                await ScriptedServer.AnswerAsync(stream, 100);
                await stream.ReadExactlyAsync(new byte[int.Parse(request.Header("Content-Length")!)]);
                isSent = true;
                await ScriptedServer.AnswerAsync(stream, 204);
                return;
            }

            await ScriptedServer.AnswerAsync(
                stream, isSent ? 500 : 200,
                request.Path.Contains('?', StringComparison.Ordinal)
                    ? """{"images": []}"""
                    : $$"""{"id": "{{id}}", "status": "queued", "visibility": "private", "tags": []}""");
        });
        using var session = await server.OpenAsync();
        var error = await Assert.ThrowsAsync<ImageUnacceptableException>(() => VolumePublisher.PublishAsync(
            Request(new GlanceClient(session)) with { ImageId = id }));
        Assert.Contains(
            $"sha512 {Convert.ToHexStringLower(System.Security.Cryptography.SHA512.HashData(_disk))}", error.Message,
            StringComparison.Ordinal);
        Assert.DoesNotContain(server.Requests, request => request.Method is "DELETE" or "POST");
    }

    [Theory]
    [InlineData("sha256", true)]
    [InlineData("md4", false)]
    public async Task The_hash_is_the_one_that_the_service_takes(string algorithm, bool isKnown)
    {
        const string id = "11111111-2222-3333-4444-555555555555";
        await File.WriteAllBytesAsync(Volume, _disk);
        using var server = new ScriptedServer(async (request, stream) =>
        {
            if (request.Method == "PUT")
            {
                await ScriptedServer.AnswerAsync(stream, 100);
                await stream.ReadExactlyAsync(new byte[int.Parse(request.Header("Content-Length")!)]);
                await ScriptedServer.AnswerAsync(stream, 204);
                return;
            }

            var image = $$"""
                {"id": "{{id}}", "status": "active", "size": {{_disk.Length}}, "disk_format": "raw",
                 "container_format": "bare", "os_hash_algo": "{{algorithm}}", "os_hash_value":
                 "{{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(_disk))}}", "min_disk": 0,
                 "min_ram": 0, "visibility": "private", "protected": false, "os_hidden": false, "tags": []}
                """;
            await ScriptedServer.AnswerAsync(
                stream, 200, request.Path.Contains('?', StringComparison.Ordinal) ? $$"""{"images": [{{image}}]}""" : image);
        });
        using var session = await server.OpenAsync();
        var result = await VolumePublisher.PublishAsync(Request(new GlanceClient(session)));
        Assert.Equal((isKnown ? "sha256" : "sha512", isKnown), (result.HashAlgorithm, result.HashVerified));
    }

    private VolumePublishRequest Request(GlanceClient client) => new()
    {
        Client = client,
        Path = Volume,
        Source = new OpenOptions
        {
            KnownRaw = true,
            Inspection = new() { Policy = SafetyPolicy.Default },
        },
        Image = new NewGlanceImage { Name = "publish-test" },
    };

    private async Task<GlanceClient> ConnectAsync(string cloud = "open")
    {
        _session = await ImageServiceSession.ConnectAsync(CloudConfiguration.Load("/", new Dictionary<string, string>
        {
            ["OS_CLIENT_CONFIG_FILE"] = OpenStackCloud.Require().CloudsFile,
        }).Get(cloud));
        return new GlanceClient(_session);
    }

    private static async Task<int> CountAsync(GlanceClient client)
    {
        var count = 0;
        await foreach (var _ in client.ListAsync(new GlanceImageFilter { Name = "publish-test" }))
        {
            count++;
        }

        return count;
    }

    private static async Task<byte[]> ReadAsync(string path, ImageFormat format)
    {
        using var image = await ImageOpener.OpenAsync(
            path, new OpenOptions { KnownRaw = format == ImageFormat.Raw, ClaimedFormat = format });
        return NativeImage.Read(image.Map);
    }
}
