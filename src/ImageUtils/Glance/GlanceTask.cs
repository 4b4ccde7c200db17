namespace ImageUtils.Glance;

/// <summary>A piece of work that Glance does by itself, such as an import.</summary>
public sealed class GlanceTask
{
    /// <summary>The id.</summary>
    public required string Id { get; init; }

    /// <summary>The kind, such as <c>api_image_import</c>.</summary>
    public required string Type { get; init; }

    /// <summary>pending, processing, success or failure.</summary>
    public required string Status { get; init; }

    /// <summary>What it says of itself: where it is, or why it failed.</summary>
    public string? Message { get; init; }

    /// <summary>The project that owns it.</summary>
    public string? Owner { get; init; }

    /// <summary>The image that it works on.</summary>
    public string? ImageId { get; init; }

    /// <summary>The request that began it.</summary>
    public string? RequestId { get; init; }

    /// <summary>The user who began it.</summary>
    public string? UserId { get; init; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset? CreatedAt { get; init; }

    /// <summary>When it changed last.</summary>
    public DateTimeOffset? UpdatedAt { get; init; }

    /// <summary>When Glance forgets it; null while it runs.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }

    /// <summary>What it was given, as JSON; null where Glance does not tell.</summary>
    public string? Input { get; init; }

    /// <summary>What it made, as JSON.</summary>
    public string? Result { get; init; }

    /// <summary>Whether it has ended, well or not.</summary>
    public bool IsEnded => Status is "success" or "failure";
}
