namespace ImageUtils.Glance;

/// <summary>What a new image is to be. What is null is left to Glance.</summary>
public sealed record NewGlanceImage
{
    /// <summary>The id, a UUID; null for one that Glance makes.</summary>
    public string? Id { get; init; }

    /// <summary>The name.</summary>
    public string? Name { get; init; }

    /// <summary>The disk format, such as <c>qcow2</c>.</summary>
    public string? DiskFormat { get; init; }

    /// <summary>The container format, such as <c>bare</c>.</summary>
    public string? ContainerFormat { get; init; }

    /// <summary>public, private, shared or community.</summary>
    public string? Visibility { get; init; }

    /// <summary>
    /// The id of the project that it belongs to; null for the session's. Only an administrator may name another.
    /// </summary>
    public string? Owner { get; init; }

    /// <summary>Whether it cannot be deleted.</summary>
    public bool? Protected { get; init; }

    /// <summary>Whether lists leave it out.</summary>
    public bool? OsHidden { get; init; }

    /// <summary>The smallest disk that it may be put on, in GiB.</summary>
    public int? MinDisk { get; init; }

    /// <summary>The least memory that a guest needs, in MiB.</summary>
    public int? MinRam { get; init; }

    /// <summary>The tags.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Properties that are not the API's own.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Properties { get; init; } = [];

    /// <summary>The body of the request.</summary>
    internal byte[] ToJson() => GlanceBody.Write(json =>
    {
        json.WriteStartObject();
        foreach (var (name, value) in new[]
        {
            ("id", Id), ("name", Name), ("disk_format", DiskFormat), ("container_format", ContainerFormat),
            ("visibility", Visibility), ("owner", Owner),
        })
        {
            if (value is not null)
            {
                json.WriteString(name, value);
            }
        }

        foreach (var (name, value) in new[] { ("protected", Protected), ("os_hidden", OsHidden) })
        {
            if (value is { } flag)
            {
                json.WriteBoolean(name, flag);
            }
        }

        foreach (var (name, value) in new[] { ("min_disk", MinDisk), ("min_ram", MinRam) })
        {
            if (value is { } number)
            {
                json.WriteNumber(name, number);
            }
        }

        if (Tags.Count > 0)
        {
            GlanceBody.WriteList(json, "tags", Tags);
        }

        foreach (var (name, value) in Properties)
        {
            if (GlanceJson.IsOwnAttribute(name))
            {
                throw new ArgumentException($"'{name}' is an attribute of images, and no property.");
            }

            json.WriteString(name, value);
        }

        json.WriteEndObject();
    });
}
