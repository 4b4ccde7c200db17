using System.Text.Json;

namespace ImageUtils.Tests.OpenStack;

/// <summary>The servers are what other tests take them for.</summary>
public sealed class OpenStackCloudTests
{
    [SkippableTheory]
    [InlineData("test")]
    [InlineData("member")]
    [InlineData("runbook")]
    [InlineData("runbook-by-name")]
    [InlineData("open")]
    public void The_clouds_file_lets_the_client_in(string cloud)
    {
        using var images = JsonDocument.Parse(OpenStackCloud.Require().Client(cloud, "image", "list", "-f", "json"));
        Assert.Equal(JsonValueKind.Array, images.RootElement.ValueKind);
    }

    [SkippableFact]
    public async Task Glance_has_two_stores_to_write_to_and_one_to_read_and_imports_by_four_methods()
    {
        using var client = new HttpClient { BaseAddress = new Uri(OpenStackCloud.Require().OpenGlance) };
        using var stores = JsonDocument.Parse(await client.GetStringAsync("/v2/info/stores"));
        using var import = JsonDocument.Parse(await client.GetStringAsync("/v2/info/import"));
        Assert.Equal(
            ["fast", "slow", "web read-only"],
            stores.RootElement.GetProperty("stores").EnumerateArray().Select(store =>
                store.GetProperty("id").GetString() + (store.TryGetProperty("read-only", out _) ? " read-only" : "")));
        Assert.Equal(
            ["glance-direct", "web-download", "copy-image", "glance-download"],
            import.RootElement.GetProperty("import-methods").GetProperty("value").EnumerateArray()
                .Select(method => method.GetString()));
    }
}
