using System.Text;

namespace ImageUtils.Glance;

/// <summary>Which images a list has. What is null is not asked about.</summary>
public sealed record GlanceImageFilter
{
    /// <summary>The whole name. Glance knows no patterns.</summary>
    public string? Name { get; init; }

    /// <summary>The status, such as <c>active</c>.</summary>
    public string? Status { get; init; }

    /// <summary>The project that owns it.</summary>
    public string? Owner { get; init; }

    /// <summary>public, private, shared, community, or all: community's too, which a list leaves out otherwise.</summary>
    public string? Visibility { get; init; }

    /// <summary>For shared images: accepted, pending, rejected or all.</summary>
    public string? MemberStatus { get; init; }

    /// <summary>The disk format.</summary>
    public string? DiskFormat { get; init; }

    /// <summary>The container format.</summary>
    public string? ContainerFormat { get; init; }

    /// <summary>True for hidden images only. Null and false: for those that are not.</summary>
    public bool? OsHidden { get; init; }

    /// <summary>Whether it is protected.</summary>
    public bool? Protected { get; init; }

    /// <summary>The fewest bytes.</summary>
    public long? SizeMin { get; init; }

    /// <summary>The most bytes.</summary>
    public long? SizeMax { get; init; }

    /// <summary>Tags, of which it has all.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>Properties that are not the API's own, with their whole values.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Properties { get; init; } = [];

    /// <summary>What it is sorted by, such as <c>name:asc</c> or <c>created_at:desc,id:asc</c>.</summary>
    public string? Sort { get; init; }

    /// <summary>How many images one request asks for; null for as many as Glance likes.</summary>
    public int? PageSize { get; init; }

    /// <summary>The path with the query.</summary>
    internal string ToPath()
    {
        var query = new StringBuilder("v2/images");
        Add("limit", PageSize?.ToString());
        Add("name", Literal(Name));
        Add("status", Status);
        Add("owner", Owner);
        Add("visibility", Visibility);
        Add("member_status", MemberStatus);
        Add("disk_format", DiskFormat);
        Add("container_format", ContainerFormat);
        Add("os_hidden", OsHidden is true ? "true" : null);
        Add("protected", Protected is { } flag ? flag ? "true" : "false" : null);
        Add("size_min", SizeMin?.ToString());
        Add("size_max", SizeMax?.ToString());
        foreach (var tag in Tags)
        {
            Add("tag", tag);
        }

        foreach (var (name, value) in Properties)
        {
            Add(name, value);
        }

        Add("sort", Sort);
        return query.ToString();

        void Add(string name, string? value)
        {
            if (value is not null)
            {
                query.Append(query.Length == "v2/images".Length ? '?' : '&')
                    .Append(Uri.EscapeDataString(name)).Append('=').Append(Uri.EscapeDataString(value));
            }
        }
    }

    // Glance takes what begins with this for a list of names, in which quotes keep commas.
    private static string? Literal(string? name) => name?.StartsWith("in:", StringComparison.Ordinal) is true
        ? $"in:\"{name}\""
        : name;
}
