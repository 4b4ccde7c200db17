using System.Text;
using ImageUtils.Errors;
using ImageUtils.Glance;
using ImageUtils.Tests.OpenStack;

namespace ImageUtils.Tests.Glance;

/// <summary>Stores, tasks and imports with a real Glance.</summary>
public sealed class GlanceImportTests
{
    [SkippableFact]
    public async Task Stores_and_methods_are_listed_and_a_store_is_checked_as_Cinder_does()
    {
        using var session = await GlanceClientTests.OpenAsync();
        var client = new GlanceClient(session);
        Assert.Equal(
            ["fast default", "slow", "web read-only"],
            (await client.GetStoresAsync()).Select(store =>
                store.Id + (store.IsDefault ? " default" : "") + (store.IsReadOnly ? " read-only" : "")));
        Assert.Contains("copy-image", await client.GetImportMethodsAsync());
        Assert.Equal("The second file store", (await client.ValidateStoreAsync("slow")).Description);
        var missing = await Assert.ThrowsAsync<GlanceStoreNotFoundException>(() => client.ValidateStoreAsync("none"));
        Assert.Contains("fast, slow", missing.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<GlanceStoreReadOnlyException>(() => client.ValidateStoreAsync("web"));
    }

    [SkippableFact]
    public async Task Staged_data_is_imported_and_then_copied_to_another_store()
    {
        using var session = await GlanceClientTests.OpenAsync();
        var client = new GlanceClient(session);
        var image = await GlanceClientTests.MakeAsync(client);
        await client.StageAsync(image.Id, (body, token) => body.WriteAsync(new byte[70_000], token).AsTask(), 70_000);
        Assert.Equal("uploading", (await client.GetAsync(image.Id)).Status);
        var ticket = await client.StartImportAsync(
            image.Id, new GlanceImport { Method = GlanceImport.GlanceDirect, Stores = ["fast"] });
        var steps = new Steps();
        var result = await client.WaitForImportAsync(ticket, steps, TimeSpan.FromMinutes(1));
        Assert.Equal(("active", (long?)70_000, "success"), (result.Image.Status, result.Image.Size, result.Task?.Status));
        Assert.Equal(["fast"], result.Image.Stores);
        Assert.True(steps.Count > 0);

        var copy = new GlanceImport { Method = GlanceImport.CopyImage, AllStores = false, Stores = ["slow"] };
        result = await client.WaitForImportAsync(
            await client.StartImportAsync(image.Id, copy), timeout: TimeSpan.FromMinutes(1));
        Assert.Equal(["fast", "slow"], result.Image.Stores.Order());
        Assert.Empty(result.FailedStores);
        Assert.Equal(2, (await client.GetImageTasksAsync(image.Id)).Count(task => task.Type == "api_image_import"));
        var listed = await client.ListTasksAsync("success").FirstAsync(task => task.Id == result.Task!.Id);
        Assert.Equal("success", (await client.GetTaskAsync(listed.Id)).Status);
        await client.DeleteAsync(image.Id);
    }

    [SkippableFact]
    public async Task A_web_server_is_downloaded_from_and_one_that_is_not_there_is_a_failed_import()
    {
        using var web = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(stream, 200, new byte[5000]));
        using var session = await GlanceClientTests.OpenAsync();
        var client = new GlanceClient(session);
        var image = await GlanceClientTests.MakeAsync(client);
        var import = new GlanceImport { Method = GlanceImport.WebDownload, Uri = new Uri(web.Address, "disk.raw") };
        var result = await client.WaitForImportAsync(
            await client.StartImportAsync(image.Id, import), timeout: TimeSpan.FromMinutes(1));
        Assert.Equal(("active", (long?)5000), (result.Image.Status, result.Image.Size));
        var again = await Assert.ThrowsAsync<ImageStateConflictException>(
            () => client.StartImportAsync(image.Id, import));
        Assert.NotNull(again.RequestId);
        await client.DeleteAsync(image.Id);

        using var broken = new ScriptedServer((_, stream) => ScriptedServer.AnswerAsync(stream, 404, "none"));
        image = await GlanceClientTests.MakeAsync(client);
        var ticket = await client.StartImportAsync(image.Id, import with { Uri = new Uri(broken.Address, "disk.raw") });
        var error = await Assert.ThrowsAsync<ImageImportFailedException>(
            () => client.WaitForImportAsync(ticket, timeout: TimeSpan.FromMinutes(1)));
        Assert.Equal((image.Id, ticket.RequestId), (error.Image, error.RequestId));
        Assert.Contains(ticket.RequestId!, error.Message, StringComparison.Ordinal);
        await client.DeleteAsync(image.Id);
    }

    [SkippableFact]
    public async Task Another_regions_image_is_fetched_from_its_Glance_with_the_properties_that_Glance_carries_over()
    {
        using var session = await GlanceClientTests.OpenAsync();
        using var other = await GlanceClientTests.OpenAsync("open");
        var (client, remote) = (new GlanceClient(session), new GlanceClient(other));
        var source = await remote.CreateAsync(new NewGlanceImage
        {
            Name = "another-region's",
            DiskFormat = "raw",
            ContainerFormat = "bare",
            Properties = [new("os_type", "linux"), new("mine", "1")],
        });
        await remote.UploadAsync(source.Id, (body, token) => body.WriteAsync(new byte[80_000], token).AsTask(), 80_000);
        var image = await GlanceClientTests.MakeAsync(client);
        var import = new GlanceImport
        {
            Method = GlanceImport.GlanceDownload,
            RemoteRegion = "RegionTwo",
            RemoteImageId = source.Id,
            Stores = ["slow"],
        };
        var result = await ImportAsync(client, image, import);
        Assert.Equal(
            ("active", (await remote.GetAsync(source.Id)).OsHashValue, "linux", false),
            (result.Image.Status, result.Image.OsHashValue, result.Image.Properties["os_type"],
                result.Image.Properties.ContainsKey("mine")));
        Assert.Equal(["slow"], result.Image.Stores);
        await client.DeleteAsync(image.Id);
        await remote.DeleteAsync(source.Id);

        image = await GlanceClientTests.MakeAsync(client);
        foreach (var (region, id) in new[] { ("RegionTwo", source.Id), ("RegionNine", source.Id) })
        {
            var error = await Assert.ThrowsAsync<ImageImportFailedException>(
                () => ImportAsync(client, image, import with { RemoteRegion = region, RemoteImageId = id }));
            Assert.Equal(image.Id, error.Image);
        }

        await client.DeleteAsync(image.Id);
    }

    [SkippableFact]
    public async Task All_stores_are_those_that_can_be_written_to()
    {
        using var session = await GlanceClientTests.OpenAsync();
        var client = new GlanceClient(session);
        var image = await StageAsync(client);
        var everywhere = new GlanceImport { Method = GlanceImport.GlanceDirect, AllStores = true };
        var result = await ImportAsync(client, image, everywhere);
        Assert.Equal(["fast", "slow"], result.Image.Stores.Order());
        await client.DeleteAsync(image.Id);

        image = await GlanceClientTests.MakeAsync(client);
        await client.UploadAsync(image.Id, (body, token) => body.WriteAsync(new byte[100], token).AsTask(), 100, "slow");
        result = await ImportAsync(client, image, everywhere with { Method = GlanceImport.CopyImage });
        Assert.Equal(["fast", "slow"], result.Image.Stores.Order());
        await client.DeleteAsync(image.Id);
    }

    [SkippableTheory]
    [InlineData(GlanceImport.GlanceDirect, false)]
    [InlineData(GlanceImport.GlanceDirect, true)]
    [InlineData(GlanceImport.CopyImage, false)]
    [InlineData(GlanceImport.CopyImage, true)]
    public async Task A_store_that_fails_fails_the_import_or_is_named_in_its_result(string method, bool mustSucceed)
    {
        using var session = await GlanceClientTests.OpenAsync();
        var client = new GlanceClient(session);
        GlanceImage image;
        if (method == GlanceImport.CopyImage)
        {
            image = await GlanceClientTests.MakeAsync(client);
            await client.UploadAsync(
                image.Id, (body, token) => body.WriteAsync(new byte[70_000], token).AsTask(), 70_000, "fast");
        }
        else
        {
            image = await StageAsync(client);
        }

        // A file store takes no image whose file is there: a failure of this image's only, whoever runs the servers.
        var obstacle = Path.Join(OpenStackCloud.Require().Directory, "glance", "slow", image.Id);
        await File.WriteAllTextAsync(obstacle, "");
        var import = new GlanceImport
        {
            Method = method,
            Stores = method == GlanceImport.CopyImage ? ["slow"] : ["fast", "slow"],
            AllStoresMustSucceed = mustSucceed,
        };
        if (mustSucceed)
        {
            var error = await Assert.ThrowsAsync<ImageImportFailedException>(() => ImportAsync(client, image, import));
            Assert.Equal(["slow"], error.Stores);
            Assert.Contains("for slow", error.Message, StringComparison.Ordinal);
        }
        else
        {
            var result = await ImportAsync(client, image, import);
            Assert.Equal(("active", "success"), (result.Image.Status, result.Task?.Status));
            Assert.Equal(["fast"], result.Image.Stores);
            Assert.Equal(["slow"], result.FailedStores);
        }

        await client.DeleteAsync(image.Id);
        File.Delete(obstacle);
    }

    [SkippableFact]
    public async Task An_import_that_lacks_something_is_refused_before_Glance_is_asked()
    {
        using var session = await GlanceClientTests.OpenAsync();
        var client = new GlanceClient(session);
        var image = await GlanceClientTests.MakeAsync(client);
        foreach (var import in new GlanceImport[]
        {
            new() { Method = "by-pigeon" },
            new() { Method = GlanceImport.WebDownload },
            new() { Method = GlanceImport.WebDownload, Uri = new Uri("file:///etc/passwd") },
            new() { Method = GlanceImport.GlanceDownload },
            new() { Method = GlanceImport.CopyImage },
        })
        {
            await Assert.ThrowsAsync<ImportMethodException>(() => client.StartImportAsync(image.Id, import));
        }

        await Assert.ThrowsAsync<GlanceStoreReadOnlyException>(() => client.StartImportAsync(
            image.Id, new GlanceImport { Method = GlanceImport.GlanceDirect, Stores = ["web"] }));
        await Assert.ThrowsAsync<ImageStateConflictException>(() => client.StartImportAsync(
            image.Id, new GlanceImport { Method = GlanceImport.GlanceDirect }));
        await client.DeleteAsync(image.Id);
    }

    [Fact]
    public void The_body_of_an_import_has_what_was_named_and_nothing_else()
    {
        Assert.Equal(
            """{"method":{"name":"web-download","uri":"http://h/x"},"stores":["a","b"],"all_stores_must_succeed":false}""",
            Encoding.UTF8.GetString(new GlanceImport
            {
                Method = GlanceImport.WebDownload,
                Uri = new Uri("http://h/x"),
                Stores = ["a", "b"],
                AllStoresMustSucceed = false,
            }.ToJson()));
        Assert.Equal(
            """{"method":{"name":"glance-direct"},"all_stores":true}""",
            Encoding.UTF8.GetString(new GlanceImport { Method = GlanceImport.GlanceDirect, AllStores = true }.ToJson()));
    }

    private static async Task<GlanceImage> StageAsync(GlanceClient client)
    {
        var image = await GlanceClientTests.MakeAsync(client);
        await client.StageAsync(image.Id, (body, token) => body.WriteAsync(new byte[70_000], token).AsTask(), 70_000);
        return image;
    }

    private static async Task<GlanceImportResult> ImportAsync(GlanceClient client, GlanceImage image, GlanceImport import) =>
        await client.WaitForImportAsync(
            await client.StartImportAsync(image.Id, import), timeout: TimeSpan.FromMinutes(1));

    private sealed class Steps : IProgress<GlanceImportProgress>
    {
        public int Count { get; private set; }

        public void Report(GlanceImportProgress value) => Count++;
    }
}
