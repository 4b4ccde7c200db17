using System.Text;
using ImageUtils.Errors;
using ImageUtils.Glance;

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

    private sealed class Steps : IProgress<GlanceImportProgress>
    {
        public int Count { get; private set; }

        public void Report(GlanceImportProgress value) => Count++;
    }
}
