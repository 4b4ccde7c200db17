using System.Text.Json;

namespace ImageUtils.Glance;

/// <summary>
/// What is to be changed of an image, in order, as a JSON patch of the API's version 2.1. All is changed, or nothing.
/// </summary>
public sealed class GlanceImageChange
{
    internal const string MediaType = "application/openstack-images-v2.1-json-patch";

    private readonly List<(string Operation, string Name, Action<Utf8JsonWriter>? Value)> _operations = [];

    /// <summary>Whether there is nothing to change.</summary>
    public bool IsEmpty => _operations.Count == 0;

    /// <summary>Whether making the change twice does what making it once does.</summary>
    internal bool IsIdempotent => _operations.TrueForAll(one => one.Operation != "remove");

    /// <summary>Gives an attribute or a property a value, whether it had one or not.</summary>
    /// <param name="name">The API's name: <c>name</c>, <c>min_disk</c>, or a property's.</param>
    /// <param name="value">The value; null for attributes that may have none.</param>
    public GlanceImageChange Set(string name, string? value) => Append("add", name, json => json.WriteStringValue(value));

    /// <inheritdoc cref="Set(string, string?)"/>
    public GlanceImageChange Set(string name, bool value) => Append("add", name, json => json.WriteBooleanValue(value));

    /// <inheritdoc cref="Set(string, string?)"/>
    public GlanceImageChange Set(string name, long value) => Append("add", name, json => json.WriteNumberValue(value));

    /// <summary>Gives an image these tags and no others.</summary>
    /// <param name="tags">The tags.</param>
    public GlanceImageChange SetTags(IEnumerable<string> tags)
    {
        string[] list = [.. tags];
        return Append("add", "tags", json =>
        {
            json.WriteStartArray();
            foreach (var tag in list)
            {
                json.WriteStringValue(tag);
            }

            json.WriteEndArray();
        });
    }

    /// <summary>Gives a property that there is another value; an error where there is none.</summary>
    /// <inheritdoc cref="Set(string, string?)"/>
    public GlanceImageChange Replace(string name, string? value) =>
        Append("replace", name, json => json.WriteStringValue(value));

    /// <summary>Removes a property; an error where there is none.</summary>
    /// <param name="name">The property's name.</param>
    public GlanceImageChange Remove(string name) => Append("remove", name, null);

    /// <summary>The body of the request.</summary>
    internal byte[] ToJson() => GlanceBody.Write(json =>
    {
        json.WriteStartArray();
        foreach (var (operation, name, value) in _operations)
        {
            json.WriteStartObject();
            json.WriteString("op", operation);
            // RFC 6901, section 3.
            json.WriteString("path", "/" + name.Replace("~", "~0", StringComparison.Ordinal)
                .Replace("/", "~1", StringComparison.Ordinal));
            if (value is not null)
            {
                json.WritePropertyName("value");
                value(json);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
    });

    private GlanceImageChange Append(string operation, string name, Action<Utf8JsonWriter>? value)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        _operations.Add((operation, name, value));
        return this;
    }
}
