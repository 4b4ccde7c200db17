using System.Collections;
using System.Collections.Frozen;
using System.Collections.Specialized;

namespace ImageUtils.Glance;

/// <summary>
/// Says which of an image's properties a new image may be given: neither those that Glance keeps for itself, nor those
/// that hold for the old image only.
/// </summary>
/// <remarks>
/// The namespaces are Cinder's (<c>GLANCE_RESERVED_NAMESPACES</c>): what another image's signature says must not be
/// said of this one. The attributes are those of the image API v2, with the two under which Cinder keeps an image's id
/// and name in a volume's image metadata: they are no properties, and have parameters of their own where they can be
/// set.
/// </remarks>
public static class ImagePropertyFilter
{
    // Cinder puts a volume's image metadata there (volume API, _merge_volume_image_meta).
    private const string Nested = "properties";

    private static readonly FrozenSet<string> s_attributes = FrozenSet.Create(
        StringComparer.OrdinalIgnoreCase,
        "checksum", "container_format", "created_at", "deleted", "deleted_at", "direct_url", "disk_format", "file",
        "id", "image_id", "image_name", "location", "locations", "min_disk", "min_ram", "name", "os_hash_algo",
        "os_hash_value",
        "os_hidden", "owner", "protected", "schema", "self", "size", "status", "stores", "tags", "updated_at",
        "virtual_size", "visibility");

    /// <summary>Prefixes of names that are never passed on, whatever is configured.</summary>
    public static IReadOnlyList<string> ReservedNamespaces { get; } =
        ["os_glance", "img_signature", "signature_verified"];

    /// <summary>Whether a name is an attribute of an image, and no property.</summary>
    public static bool IsAttribute(string name) => s_attributes.Contains(name);

    /// <summary>Whether a name begins as a reserved namespace does, in whatever case.</summary>
    /// <param name="name">The property's name.</param>
    /// <param name="furtherNamespaces">Prefixes beside <see cref="ReservedNamespaces"/>.</param>
    public static bool IsReserved(string name, IReadOnlyCollection<string> furtherNamespaces) =>
        ReservedNamespaces.Concat(furtherNamespaces).Any(
            prefix => prefix.Length > 0 && name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));

    /// <summary>The properties that a new image may be given, in their order.</summary>
    /// <param name="metadata">
    /// Names and values of an image's or a volume's metadata; what is nested below <c>properties</c> is treated
    /// likewise.
    /// </param>
    /// <param name="furtherNamespaces">Prefixes beside <see cref="ReservedNamespaces"/>.</param>
    /// <param name="removed">Receives the names that were left out.</param>
    public static OrderedDictionary Select(
        IEnumerable<KeyValuePair<string, object?>> metadata,
        IReadOnlyCollection<string> furtherNamespaces,
        ICollection<string>? removed = null)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        ArgumentNullException.ThrowIfNull(furtherNamespaces);
        var selected = new OrderedDictionary();
        foreach (var (name, value) in metadata)
        {
            if (IsAttribute(name) || IsReserved(name, furtherNamespaces))
            {
                removed?.Add(name);
                continue;
            }

            selected[name] = name == Nested && value is IDictionary inner
                ? Select(PairsOf(inner), furtherNamespaces, removed)
                : value;
        }

        return selected;
    }

    /// <summary>A dictionary's names, as text, and values.</summary>
    public static IEnumerable<KeyValuePair<string, object?>> PairsOf(IDictionary dictionary)
    {
        ArgumentNullException.ThrowIfNull(dictionary);
        foreach (DictionaryEntry entry in dictionary)
        {
            yield return new(entry.Key.ToString() ?? "", entry.Value);
        }
    }
}
