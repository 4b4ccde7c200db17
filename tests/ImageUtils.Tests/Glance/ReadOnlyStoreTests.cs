using System.Net.Http.Headers;
using System.Text;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Tests.Conversion;
using ImageUtils.Tests.OpenStack;
using ImageUtils.Tests.Support;

namespace ImageUtils.Tests.Glance;

/// <summary>Images whose data lies on a real web server, which Glance's http store reads: no hash, and no ranges.</summary>
public sealed class ReadOnlyStoreTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly byte[] _disk = SampleDisk.Make();

    public void Dispose() => _directory.Dispose();

    [SkippableTheory]
    [InlineData("raw", "raw", false)]
    [InlineData("qcow2", "qcow2-zlib", true)]
    public async Task An_image_on_a_web_server_is_saved_and_imported_though_no_range_of_it_can_be_had(
        string format, string kind, bool needsFile)
    {
        var cloud = OpenStackCloud.Require();
        using var session = await GlanceClientTests.OpenAsync("open");
        var client = new GlanceClient(session);
        await File.WriteAllBytesAsync(_directory["disk.raw"], _disk);
        var file = Path.Join(cloud.WebDirectory, Guid.NewGuid().ToString("N"));
        await SampleDisk.ConvertAsync(_directory["disk.raw"], file, kind);
        var image = await client.CreateAsync(
            new NewGlanceImage { Name = "on-the-web", DiskFormat = format, ContainerFormat = "bare" });
        await LocateAsync(cloud, image.Id, $"{cloud.Web}/{Path.GetFileName(file)}");

        image = await client.GetAsync(image.Id);
        Assert.Equal(
            ("active", (long?)new FileInfo(file).Length, null, null),
            (image.Status, image.Size, image.OsHashValue, image.Checksum));
        Assert.Equal(["web"], image.Stores);
        await Assert.ThrowsAsync<ImageRangesUnsupportedException>(() => client.OpenReadAsync(image.Id, 10, 10));

        var saved = await ImageSaver.SaveAsync(new ImageSaveRequest
        {
            Client = client,
            Image = image.Id,
            Destination = _directory["saved"],
        });
        Assert.Null(saved.HashAlgorithm);
        Assert.Equal(await File.ReadAllBytesAsync(file), await File.ReadAllBytesAsync(saved.Path));

        var result = await VolumeImporter.ImportAsync(new VolumeImportRequest
        {
            Client = client,
            Image = image.Id,
            Destination = _directory["volume"],
            ConversionDirectory = _directory.Path,
        });
        Assert.Equal(_disk, await File.ReadAllBytesAsync(_directory["volume"]));
        Assert.Equal(needsFile ? image.Size : 0, result.TemporaryBytes);
        Assert.Equal(["disk.raw", "saved", "volume"], _directory.Names());

        await client.DeleteAsync(image.Id);
        Assert.True(File.Exists(file));
        File.Delete(file);
    }

    // What Glance lets be said of where data is; the library itself never says it.
    private static async Task LocateAsync(OpenStackCloud cloud, string id, string url)
    {
        using var http = new HttpClient();
        using var content = new StringContent(
            $$$$"""[{"op": "add", "path": "/locations/-", "value": {"url": "{{{{url}}}}", "metadata": {"store": "web"}}}]""",
            Encoding.UTF8,
            new MediaTypeHeaderValue("application/openstack-images-v2.1-json-patch"));
        using var answer = await http.PatchAsync($"{cloud.OpenGlance}/v2/images/{id}", content);
        answer.EnsureSuccessStatusCode();
    }
}
