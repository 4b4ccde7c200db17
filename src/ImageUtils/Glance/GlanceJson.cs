using System.Globalization;
using System.Text.Json;

namespace ImageUtils.Glance;

/// <summary>Reads what Glance answers. What has another type than the API says is taken as missing.</summary>
internal static class GlanceJson
{
    private static readonly HashSet<string> s_own = new(StringComparer.Ordinal)
    {
        "id", "name", "status", "disk_format", "container_format", "size", "virtual_size", "min_disk", "min_ram",
        "checksum", "os_hash_algo", "os_hash_value", "os_hidden", "owner", "visibility", "protected", "tags", "stores",
        "created_at", "updated_at", "direct_url", "locations", "self", "file", "schema",
    };

    internal static bool IsOwnAttribute(string name) => s_own.Contains(name);

    /// <summary>An image; null where it has no id.</summary>
    internal static GlanceImage? ReadImage(JsonElement image) =>
        image.ValueKind != JsonValueKind.Object || GetText(image, "id") is not { Length: > 0 } id
            ? null
            : new GlanceImage
            {
                Id = id,
                Name = GetText(image, "name"),
                Status = GetText(image, "status") ?? "",
                DiskFormat = GetText(image, "disk_format"),
                ContainerFormat = GetText(image, "container_format"),
                Size = GetNumber(image, "size"),
                VirtualSize = GetNumber(image, "virtual_size"),
                MinDisk = (int)Math.Clamp(GetNumber(image, "min_disk") ?? 0, 0, int.MaxValue),
                MinRam = (int)Math.Clamp(GetNumber(image, "min_ram") ?? 0, 0, int.MaxValue),
                Checksum = GetText(image, "checksum"),
                OsHashAlgo = GetText(image, "os_hash_algo"),
                OsHashValue = GetText(image, "os_hash_value"),
                OsHidden = IsTrue(image, "os_hidden"),
                Owner = GetText(image, "owner"),
                Visibility = GetText(image, "visibility"),
                Protected = IsTrue(image, "protected"),
                Tags = [.. GetItems(image, "tags").Where(tag => tag.ValueKind == JsonValueKind.String)
                    .Select(tag => tag.GetString()!)],
                Stores = GetText(image, "stores")?.Split(
                    ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [],
                CreatedAt = GetTime(image, "created_at"),
                UpdatedAt = GetTime(image, "updated_at"),
                DirectUrl = GetText(image, "direct_url"),
                Locations = [.. GetItems(image, "locations").Select(ReadLocation).OfType<GlanceLocation>()],
                Properties = ReadProperties(image).AsReadOnly(),
            };

    internal static GlanceTask? ReadTask(JsonElement task) =>
        task.ValueKind != JsonValueKind.Object || GetText(task, "id") is not { Length: > 0 } id
            ? null
            : new GlanceTask
            {
                Id = id,
                Type = GetText(task, "type") ?? "",
                Status = GetText(task, "status") ?? "",
                Message = GetText(task, "message"),
                Owner = GetText(task, "owner"),
                ImageId = GetText(task, "image_id"),
                RequestId = GetText(task, "request_id"),
                UserId = GetText(task, "user_id"),
                CreatedAt = GetTime(task, "created_at"),
                UpdatedAt = GetTime(task, "updated_at"),
                ExpiresAt = GetTime(task, "expires_at"),
                Input = GetRaw(task, "input"),
                Result = GetRaw(task, "result"),
            };

    internal static GlanceStore? ReadStore(JsonElement store) =>
        store.ValueKind != JsonValueKind.Object || GetText(store, "id") is not { Length: > 0 } id
            ? null
            : new GlanceStore(
                id, GetText(store, "description"), IsTrue(store, "default"), IsTrue(store, "read-only"),
                GetText(store, "type"));

    internal static string? GetText(JsonElement from, string name) =>
        TryGet(from, name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    internal static IEnumerable<JsonElement> GetItems(JsonElement from, string name) =>
        TryGet(from, name, out var value) && value.ValueKind == JsonValueKind.Array ? value.EnumerateArray() : [];

    private static Dictionary<string, string?> ReadProperties(JsonElement image)
    {
        var properties = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var one in image.EnumerateObject().Where(one => !s_own.Contains(one.Name)))
        {
            properties[one.Name] = one.Value.ValueKind switch
            {
                JsonValueKind.String => one.Value.GetString(),
                JsonValueKind.Null => null,
                _ => one.Value.GetRawText(),
            };
        }

        return properties;
    }

    private static GlanceLocation? ReadLocation(JsonElement location) => GetText(location, "url") is { } url
        ? new GlanceLocation(url, TryGet(location, "metadata", out var data) ? GetText(data, "store") : null)
        : null;

    private static bool TryGet(JsonElement from, string name, out JsonElement value)
    {
        value = default;
        return from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out value);
    }

    private static long? GetNumber(JsonElement from, string name) =>
        TryGet(from, name, out var value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt64(out var number) && number >= 0 ? number : null;

    // Stores say it with a string.
    private static bool IsTrue(JsonElement from, string name) => TryGet(from, name, out var value)
        && (value.ValueKind == JsonValueKind.True
            || (value.ValueKind == JsonValueKind.String
                && string.Equals(value.GetString(), "true", StringComparison.OrdinalIgnoreCase)));

    private static DateTimeOffset? GetTime(JsonElement from, string name) => DateTimeOffset.TryParse(
        GetText(from, name), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : null;

    private static string? GetRaw(JsonElement from, string name) =>
        TryGet(from, name, out var value) && value.ValueKind != JsonValueKind.Null ? value.GetRawText() : null;
}
