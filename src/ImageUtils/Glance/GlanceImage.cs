using System.Collections.ObjectModel;

namespace ImageUtils.Glance;

/// <summary>An image as Glance's API v2 shows it. Names are the API's; sizes are bytes unless they say otherwise.</summary>
public sealed class GlanceImage
{
    /// <summary>The id, a UUID.</summary>
    public required string Id { get; init; }

    /// <summary>The name; null where it has none. Several images may have the same.</summary>
    public string? Name { get; init; }

    /// <summary>queued, saving, uploading, importing, active, deactivated, killed, deleted or pending_delete.</summary>
    public required string Status { get; init; }

    /// <summary>What its owner says that its data is, such as <c>qcow2</c>; null where nothing was said.</summary>
    public string? DiskFormat { get; init; }

    /// <summary>What its owner says that its data is wrapped in, such as <c>bare</c>.</summary>
    public string? ContainerFormat { get; init; }

    /// <summary>The length of its data in bytes; null before there is any.</summary>
    public long? Size { get; init; }

    /// <summary>The size of the disk in it, as Glance measured it, in bytes; null where it did not.</summary>
    public long? VirtualSize { get; init; }

    /// <summary>The smallest disk that it may be put on, in GiB.</summary>
    public int MinDisk { get; init; }

    /// <summary>The least memory that a guest needs, in MiB.</summary>
    public int MinRam { get; init; }

    /// <summary>The MD5 of its data, in hexadecimal digits.</summary>
    public string? Checksum { get; init; }

    /// <summary>The algorithm of <see cref="OsHashValue"/>, such as <c>sha512</c>.</summary>
    public string? OsHashAlgo { get; init; }

    /// <summary>The hash of its data, in hexadecimal digits.</summary>
    public string? OsHashValue { get; init; }

    /// <summary>Whether lists leave it out.</summary>
    public bool OsHidden { get; init; }

    /// <summary>The project that owns it.</summary>
    public string? Owner { get; init; }

    /// <summary>public, private, shared or community.</summary>
    public string? Visibility { get; init; }

    /// <summary>Whether it cannot be deleted.</summary>
    public bool Protected { get; init; }

    /// <summary>The tags.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>The stores that its data is in; empty where Glance has one only.</summary>
    public IReadOnlyList<string> Stores { get; init; } = [];

    /// <summary>When it was registered.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it was changed last.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }

    /// <summary>Where its data is in the store; null unless Glance is set up to tell.</summary>
    public string? DirectUrl { get; init; }

    /// <summary>Where its data is; empty unless Glance is set up to tell.</summary>
    public IReadOnlyList<GlanceLocation> Locations { get; init; } = [];

    /// <summary>
    /// Every property that is not the API's own, by name; values that are no strings as their JSON. Those of Glance's
    /// imports (<c>os_glance_…</c>) and of signatures (<c>img_signature…</c>) are among them.
    /// </summary>
    public IReadOnlyDictionary<string, string?> Properties { get; init; } = ReadOnlyDictionary<string, string?>.Empty;

    /// <summary>The stores that an import still works on.</summary>
    public IReadOnlyList<string> ImportingToStores => Split("os_glance_importing_to_stores");

    /// <summary>The stores that an import failed for.</summary>
    public IReadOnlyList<string> FailedImport => Split("os_glance_failed_import");

    /// <inheritdoc/>
    public override string ToString() => Name is null ? Id : $"{Name} ({Id})";

    private string[] Split(string property) => Properties.GetValueOrDefault(property)?.Split(
        ',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];
}

/// <summary>A place that an image's data is in.</summary>
/// <param name="Url">Where it is.</param>
/// <param name="Store">The store's id; null where there is one store only.</param>
public sealed record GlanceLocation(string Url, string? Store);
